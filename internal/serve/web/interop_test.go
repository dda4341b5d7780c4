package web

import (
	"cmp"
	"os"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/internal/skip"
	"github.com/apntalk/amictl/pkg/ami"
)

// Before a real Asterisk the door answers as its document says, and as things are there.
func TestInteropDoor(t *testing.T) {
	for _, version := range []string{"22", "16"} {
		t.Run(version, func(t *testing.T) {
			addr := os.Getenv("AMICTL_LAB_" + version)
			if addr == "" {
				skip.Loudly(t, "not tried with a real Asterisk: AMICTL_LAB_"+version+" is not set")
			}
			secret := cmp.Or(os.Getenv("AMICTL_LAB_"+version+"_SECRET_ADMIN"), "lab-admin-word")
			f := open(t, setup{
				real: []ami.Config{{Name: "pbx", Addr: addr, Username: "admin", Secret: ami.StaticSecret(secret)}},
				users: []users.Spec{{
					Name: "u", Events: []string{"*"}, Actions: []string{"*"}, Commands: []string{"core show"}, Contexts: []string{"default"}, Applications: []string{"Queue", "Wait"},
				}},
			})
			tryDoor(t, f, version)
		})
	}
}

func tryDoor(t *testing.T, f *fixture, version string) {
	act := func(body string, status int, want string) string {
		t.Helper()
		return f.ask(try{method: "POST", path: "/v1/actions", user: "u", body: body, status: status, want: want})
	}
	f.ask(try{path: "/v1/nodes", user: "u", want: `"ready":true`})
	f.ask(try{path: "/v1/state", user: "u", want: `"type":"endpoint"`})
	r := f.follow(try{path: "/v1/events?event=UserEvent&where=Number%3E1", user: "u", header: wantsLines.Clone()})
	for _, n := range []string{"1", "2"} {
		act(`{"action":"UserEvent","fields":{"UserEvent":"Door","Number":`+n+`}}`, 200, `"response":"Success"`)
	}
	if line := r.next("{"); gjson.Get(line, "fields.Number").String() != "2" {
		t.Errorf("the event is %s", line)
	}
	act(`{"action":"Command","fields":{"Command":"core show version"}}`, 200, "Asterisk "+version)
	act(`{"action":"Command","fields":{"Command":"core stop now"}}`, 403, "permission denied")
	act(`{"action":"DBGet","fields":{"Family":"none","Key":"none"}}`, 409, `"sent":"yes"`)
	act(`{"action":"QueueStatus"}`, 200, `"QueueParams"`)
	act(`{"action":"Originate","fields":{"Channel":"Local/100@default/n","Context":"elsewhere","Exten":"200","Priority":1}}`, 403, "the context elsewhere")
	act(`{"action":"Originate","fields":{"Channel":"Local/100@default/n","Application":"System","Data":"true"}}`, 403, "the application System")
	act(`{"action":"Originate","fields":{"Channel":"Local/100@default/n","Application":"Wait","Data":"20","Async":true,"CallerID":"Door <77>"}}`, 200, `"response":"Success"`)
	calls := func() string { return f.ask(try{path: "/v1/calls", user: "u"}) }
	f.eventually("the call is up", func() bool {
		return strings.Contains(calls(), `"state":"up"`) || strings.Contains(calls(), `"state":"talking"`)
	})
	for _, name := range gjson.Get(f.ask(try{path: "/v1/state/channels", user: "u"}), "#.name").Array() {
		act(`{"action":"Hangup","fields":{"Channel":"`+name.String()+`"}}`, 200, "")
		break // the other half of the Local channel goes with it
	}
	f.eventually("it is over", func() bool { return calls() == "[]\n" })
	act(`{"action":"Originate","fields":{"Channel":"Local/100@default/n","Application":"Queue","Data":"support","Async":true}}`, 200, `"response":"Success"`)
	f.eventually("the queue's call is answered", func() bool {
		board := f.ask(try{path: "/v1/board", user: "u"})
		return gjson.Get(board, `queues.list.#(name=="support").answered`).Int() == 1
	})
	f.ask(try{path: "/metrics", want: `amictl_queue_wait_seconds_count{end="answered",node="pbx",queue="support"} 1`})
	for _, name := range gjson.Get(f.ask(try{path: "/v1/state/channels", user: "u"}), "#.name").Array() {
		f.send(t.Context(), try{method: "POST", path: "/v1/actions", user: "u", body: `{"action":"Hangup","fields":{"Channel":"` + name.String() + `"}}`}).Body.Close() // some go by themselves
	}
}
