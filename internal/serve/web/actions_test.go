package web

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

func doer() []users.Spec {
	return []users.Spec{{Name: "u", Events: []string{"*"}, Actions: []string{"*"}}, {Name: "slow", Actions: []string{"*"}, Rate: 1}}
}

// Each way in which an action can end has its status, and says whether it was sent.
func TestActionStatuses(t *testing.T) {
	t.Parallel()
	f := open(t, setup{nodes: 2, users: doer(), limits: func(l *limits) { l.body = 4096 }, server: func(s *amitest.Server) {
		s.Handle("Silent", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Sleep(time.Hour) })
		s.Handle("Cut", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Close() })
		s.Handle("Forbidden", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Error("Permission denied") })
	}})
	for _, tt := range []struct {
		body   string
		status int
		want   string
		code   string
		sent   string
	}{
		{`{"action":"Ping"}`, 200, `"type":"reply"`, "", ""},
		{`{"action":"Ping","id":7,"fields":{"A":["x",1,true]}}`, 200, `"id":"7"`, "", ""},
		{`{"action":"DBGet","fields":{"Family":"none","Key":"none"},"id":"k"}`, 409, `"id":"k"`, "refused", "yes"},
		{`{"action":"Forbidden"}`, 409, "write=", "permission", "yes"},
		{`{"action":"Cut","node":"pbx2"}`, 504, "may have run", "disconnected", "yes"},
		{`{"action":"Silent","node":"pbx2","timeout":"50ms"}`, 504, "may have run", "timeout", "yes"},
		{`{"action":"Ping","node":"nobody"}`, 404, `there is no node \"nobody\"`, "input", "no"},
		{``, 400, "not JSON", "input", "no"},
		{`{"action":"Ping"} {"action":"Ping"}`, 400, "not JSON", "input", "no"},
		{`[{"action":"Ping"}]`, 400, "not a JSON object", "input", "no"},
		{`{}`, 400, "no action", "input", "no"},
		{`{"action":"Ping","feilds":{}}`, 400, `unknown key`, "input", "no"},
		{`{"action":"Ping","fields":{"A":"x\r\nAction: Hangup"}}`, 400, "A", "input", "no"},
		{`{"action":"Login","fields":{"Username":"x"}}`, 400, "reserved", "input", "no"},
		{`{"action":"Events","fields":{"EventMask":"on"}}`, 400, "share", "input", "no"},
		{`{"action":"Originate","wait":"hangup"}`, 400, "not waited for", "input", "no"},
		{`{"action":"Ping","timeout":"24h"}`, 400, "over 10m", "input", "no"},
		{`{"action":"Ping","id":"` + strings.Repeat("x", 5000) + `"}`, 413, "over the limit", "input", "no"},
	} {
		q := try{method: "POST", path: "/v1/actions?node=pbx1", user: "u", body: tt.body, status: tt.status, want: tt.want}
		if strings.Contains(tt.body, "Silent") {
			f.eventually("pbx2 is back", func() bool { return f.up.Readiness().Ready == 2 })
		}
		body := f.ask(q)
		if got := gjson.Get(body, "code").String(); got != tt.code {
			t.Errorf("%.60s: the code is %q, want %q", tt.body, got, tt.code)
		}
		if got := gjson.Get(body, "sent").String(); got != tt.sent {
			t.Errorf("%.60s: sent is %q, want %q", tt.body, got, tt.sent)
		}
	}
	f.ask(try{method: "POST", path: "/v1/actions", user: "u", body: `x`, header: http.Header{"Content-Type": {"text/xml"}}, status: 415})
	f.ask(try{method: "POST", path: "/v1/actions?nod=pbx1", user: "u", body: `{"action":"Ping"}`, status: 400, want: "no parameter"})
	slow := try{method: "POST", path: "/v1/actions?node=pbx1", user: "slow", body: `{"action":"Ping"}`}
	f.ask(slow)
	slow.status, slow.want = 429, `"sent":"no"`
	f.ask(slow)
	f.servers[0].SetDown(true)
	f.eventually("the node is away", func() bool { return f.up.Away("pbx1") != nil })
	body := f.ask(try{method: "POST", path: "/v1/actions?node=pbx1", user: "u", body: `{"action":"Ping"}`, status: 502, want: "safe to try again"})
	if gjson.Get(body, "sent").String() != "no" {
		t.Errorf("of a node that is away: %s", body)
	}
	f.ask(try{path: "/v1/nodes", user: "u", want: `"node":"pbx1","ready":false`})
}

// Many actions are answered as they end, each with its line and id; what is wrong with one harms no other.
func TestActionLines(t *testing.T) {
	t.Parallel()
	f := open(t, setup{users: doer(), limits: func(l *limits) { l.body = 1000 }})
	lines := []string{
		`{"action":"Ping","id":"a"}`, ``, `{"action":"CoreStatus","id":"b"}`, `nonsense`, `{"action":"DBGet","fields":{"Family":"f","Key":"k"},"id":"c"}`,
		`{"action":"Ping","id":"` + strings.Repeat("x", 2000) + `"}`, `{"action":"Ping","node":"nobody","id":"d"}`, `{"action":"Ping","id":"e"}`,
	}
	body := f.ask(try{method: "POST", path: "/v1/actions", user: "u", body: strings.Join(lines, "\n"), header: http.Header{"Content-Type": {"application/x-ndjson"}}})
	got := make(map[int64]string)
	for line := range strings.Lines(body) {
		got[gjson.Get(line, "line").Int()] = gjson.Get(line, "type").String() + gjson.Get(line, "code").String() + " " + gjson.Get(line, "id").String()
	}
	want := map[int64]string{1: "reply a", 3: "reply b", 4: "errorinput ", 5: "errorrefused c", 6: "errorinput ", 7: "errorinput d", 8: "reply e"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the answers are %v, want %v", got, want)
	}
}

// Answers come while lines are still being written, more of them than may be in flight at once.
func TestActionLinesArePipelined(t *testing.T) {
	t.Parallel()
	f := open(t, setup{users: doer(), limits: func(l *limits) { l.flight = 4 }})
	in, out := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.http.URL+"/v1/actions", in)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Content-Type": {"application/x-ndjson"}, "Authorization": {"Bearer " + token("u")}}
	answer, err := http.DefaultClient.Do(r) // it returns with the headers, before a line was written
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	answers := bufio.NewScanner(answer.Body)
	for i := range 100 {
		id := fmt.Sprint(i)
		if _, err := fmt.Fprintf(out, `{"action":"Ping","id":%q}`+"\n", id); err != nil {
			t.Fatal(err)
		}
		if !answers.Scan() || gjson.Get(answers.Text(), "id").String() != id {
			t.Fatalf("line %d was answered with %q, %v", i, answers.Text(), answers.Err())
		}
	}
	out.Close()
	if answers.Scan() {
		t.Errorf("there is more: %q", answers.Text())
	}
	in2, out2 := io.Pipe() // and 500 at once
	go func() {
		for range 500 {
			fmt.Fprintln(out2, `{"action":"Ping"}`)
		}
		out2.Close()
	}()
	r2, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, f.http.URL+"/v1/actions", in2)
	r2.Header = r.Header
	answer2, err := http.DefaultClient.Do(r2)
	if err != nil {
		t.Fatal(err)
	}
	defer answer2.Body.Close()
	body, err := io.ReadAll(answer2.Body)
	if n := strings.Count(string(body), `"type":"reply"`); n != 500 || err != nil {
		t.Errorf("%d of 500 were answered with a reply: %v", n, err)
	}
}

// Who loses his right while he sends loses it for the next line.
func TestActionLinesFollowRights(t *testing.T) {
	t.Parallel()
	f := open(t, setup{users: doer()})
	in, out := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.http.URL+"/v1/actions", in)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Content-Type": {"application/x-ndjson"}, "Authorization": {"Bearer " + token("u")}}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	answers := bufio.NewScanner(answer.Body)
	line := func() string {
		fmt.Fprintln(out, `{"action":"Ping"}`)
		answers.Scan()
		return answers.Text()
	}
	if got := line(); gjson.Get(got, "type").String() != "reply" {
		t.Errorf("before: %s", got)
	}
	f.dir.Replace(load(t, []users.Spec{{Name: "u", Actions: []string{"CoreStatus"}}}))
	if got := line(); gjson.Get(got, "code").String() != "permission" {
		t.Errorf("after the right was taken: %s", got)
	}
	f.dir.Replace(load(t, []users.Spec{{Name: "other"}}))
	if got := line(); gjson.Get(got, "code").String() != "permission" || answers.Scan() {
		t.Errorf("after the user was taken: %s, then %s", got, answers.Text())
	}
	out.Close()
}

// An action is done by who its user is when it has come whole.
func TestActionFollowsRights(t *testing.T) {
	t.Parallel()
	f := open(t, setup{users: doer()})
	const action = `{"action":"Ping"}`
	c := f.raw("POST /v1/actions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token("u") + "\r\nContent-Length: " + fmt.Sprint(len(action)) + "\r\n\r\n" + action[:5])
	f.eventually("the action is being read", func() bool { return f.door.posts.count() == 1 })
	f.dir.Replace(load(t, doer()[1:]))
	if _, err := io.WriteString(c, action[5:]); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("who has gone since did an action: %d", answer.StatusCode)
	}
}

// Whoever sends no more lines does not keep the daemon from ending; what is under way is answered.
func TestActionLinesEnd(t *testing.T) {
	t.Parallel()
	stopping := make(chan struct{})
	f := open(t, setup{users: doer(), options: Options{Stopping: stopping}, server: func(s *amitest.Server) {
		s.Handle("Slow", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Sleep(time.Second); w.Ack("at last") })
	}})
	c := f.raw("POST /v1/actions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token("u") + "\r\nContent-Type: application/x-ndjson\r\nContent-Length: 1000\r\n\r\n{\"action\":\"Slow\"}\n")
	f.eventually("the action is under way", func() bool { return f.up.ActionStats().Ledger.InFlight > 0 })
	start := time.Now()
	close(stopping)
	f.eventually("nobody sends any more", func() bool { return f.door.posts.count() == 0 })
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if text, _ := io.ReadAll(c); !strings.Contains(string(text), "at last") {
		t.Errorf("%s", text)
	}
	f.door.work.Wait()
}
