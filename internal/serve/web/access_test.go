package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/serve/users"
)

// Without users this host reads, and nobody acts.
func TestWithoutUsers(t *testing.T) {
	t.Parallel()
	f := open(t, setup{})
	for _, q := range []try{
		{path: "/healthz", want: "ok"},
		{path: "/readyz", want: "1 of 1 nodes ready"},
		{path: "/metrics", want: "amictl_nodes_ready 1"},
		{path: "/v1/nodes", want: `"node":"pbx1","ready":true,"events":"ready","actions":"ready"`},
		{path: "/v1/state", want: `"type":"queue"`},
		{path: "/v1/calls", want: "[]"},
		{path: "/v1/openapi.json", want: `"openapi": "3.1.0"`},
		{path: "/v1/nodes", host: "localhost:99"},
		{path: "/v1/nodes", host: "127.8.9.10"},
		{path: "/v1/nodes", host: "[::1]:8080"},
		{path: "/v1/nodes", host: "pbx.example.com", status: 403, want: "not this host's own"},
		{path: "/healthz", host: "127.0.0.1.example.com:80", status: 403},
		{path: "/metrics", host: "192.0.2.1", status: 403},
		{path: "/v1/nodes", header: http.Header{"X-Forwarded-For": {"192.0.2.9"}}, status: 403, want: "another host"},
		{path: "/v1/nodes", header: http.Header{"X-Forwarded-For": {"192.0.2.9, ::1"}}, status: 403},
		{path: "/v1/nodes", header: http.Header{"X-Forwarded-For": {"192.0.2.9", "::1"}}, status: 403},
		{path: "/v1/nodes", header: http.Header{"X-Forwarded-For": {"127.0.0.1, ::1"}}},
		{path: "/v1/nodes", header: http.Header{"X-Forwarded-For": {"[::1]:4711"}}},
		{path: "/v1/nodes", header: http.Header{"X-Forwarded-For": {""}}, status: 403},
		{path: "/v1/nodes", header: http.Header{"X-Forwarded-For": {"unknown"}}, status: 403},
		{path: "/v1/nodes", header: http.Header{"X-Forwarded-For": {"192.0.2.9:80"}}, status: 403},
		{path: "/v1/nodes", header: http.Header{"Via": {"1.1 proxy"}}, status: 403, want: "another host"},
		{path: "/v1/nodes", header: http.Header{"Forwarded": {"for=127.0.0.1"}}, status: 403},
		{path: "/v1/nodes", header: http.Header{"X-Real-Ip": {"127.0.0.1"}}, status: 403},
		{method: "POST", path: "/v1/actions", body: `{"action":"Ping"}`, status: 403, want: "actions need users"},
		{path: "/v1/nothing", status: 404, want: "there is nothing at"},
		{path: "/v1/state/nothing", status: 404, want: "the parts are nodes, channels"},
		{method: "DELETE", path: "/v1/nodes", status: 405, want: "GET"},
	} {
		f.ask(q)
	}
	if !strings.Contains(f.log.String(), "pbx.example.com") {
		t.Errorf("who was refused is not in the log:\n%s", f.log)
	}
}

// What a page of another site sends is refused, whatever the browser lets it send; a program's own requests have no Origin.
func TestOrigin(t *testing.T) {
	t.Parallel()
	f := open(t, setup{users: []users.Spec{{Name: "u", Events: []string{"*"}}}})
	own := strings.TrimPrefix(f.http.URL, "http://")
	for header, status := range map[string]int{
		"Origin: " + f.http.URL:         200,
		"Origin: https://" + own:        200, // a proxy with TLS before us
		"Origin: http://127.0.0.1:1":    403,
		"Origin: http://example.com":    403,
		"Origin: null":                  403,
		"Origin: file://" + own:         403,
		"Origin: ":                      403,
		"Sec-Fetch-Site: cross-site":    403,
		"Sec-Fetch-Site: same-site":     403,
		"Sec-Fetch-Site: same-origin":   200,
		"Sec-Fetch-Site: none":          200,
		"Sec-Fetch-Site: anything-else": 403,
	} {
		name, value, _ := strings.Cut(header, ": ")
		f.ask(try{path: "/v1/nodes", user: "u", header: http.Header{name: {value}}, status: status})
		f.ask(try{path: "/metrics", header: http.Header{name: {value}}}) // there is nothing in it for a page, which cannot read it
	}
	secure := open(t, setup{users: []users.Spec{{Name: "u"}}, options: Options{TLS: true}})
	own = strings.TrimPrefix(secure.http.URL, "http://")
	secure.ask(try{path: "/v1/nodes", user: "u", header: http.Header{"Origin": {"https://" + own}}})
	secure.ask(try{path: "/v1/nodes", user: "u", header: http.Header{"Origin": {"http://" + own}}, status: 403})
	for pair, same := range map[[2]string]bool{{"pbx.example.com", "pbx.example.com:443"}: true, {"pbx.example.com", "pbx.example.com:80"}: false} {
		r := newRequest(t, "GET", "/v1/nodes")
		r.Host, r.Header = pair[1], http.Header{"Origin": {"https://" + pair[0]}}
		if got := f.door.checkOrigin(r) == nil; got != same {
			t.Errorf("%v is of one origin: %v", pair, got)
		}
	}
}

// With users everything but figures and health needs the secret of one, who sees and does what his rights say, and no more.
func TestRights(t *testing.T) {
	t.Parallel()
	f := open(t, setup{nodes: 2, users: []users.Spec{
		{Name: "all", Events: []string{"*"}, Actions: []string{"*"}, Commands: []string{"core show"}},
		{Name: "one", Nodes: []string{"pbx1"}, Events: []string{"Queue*"}, Actions: []string{"Ping", "Queue*"}},
		{Name: "blind", Actions: []string{"Ping"}},
	}})
	post := func(user, action, path string) try {
		return try{method: "POST", path: path, user: user, body: action}
	}
	with := func(q try, status int, want string) try {
		q.status, q.want = status, want
		return q
	}
	for _, q := range []try{
		{path: "/metrics"},
		{path: "/healthz"},
		{path: "/readyz"},
		{path: "/v1/openapi.json"},
		{path: "/v1/nodes", host: "pbx.example.com", status: 401, want: "no bearer token"},
		{path: "/v1/nodes", header: http.Header{"Authorization": {"Basic dTpw"}}, status: 401},
		{path: "/v1/nodes", header: http.Header{"Authorization": {"Bearer "}}, status: 401},
		{path: "/v1/events", status: 401},
		{path: "/v1/state", status: 401},
		{path: "/v1/calls", status: 401},
		with(post("", `{"action":"Ping"}`, "/v1/actions"), 401, `"sent":"no"`),

		{path: "/v1/nodes", user: "all", want: `"node":"pbx2"`},
		{path: "/v1/state/queues", user: "one", want: `"node":"pbx1"`},
		{path: "/v1/state/members", user: "one", want: `"node":"pbx1"`},
		{path: "/v1/state/nodes", user: "blind", want: `"node":"pbx2"`},
		{path: "/v1/state/channels", user: "one", status: 403, want: "channels, which the event Newchannel tells of"},
		{path: "/v1/state/queues", user: "blind", status: 403},
		{path: "/v1/calls", user: "one", status: 403},
		{path: "/v1/events", user: "blind", status: 403, want: "the user's events in [[users]] give no right to it"},

		with(post("one", `{"action":"Ping"}`, "/v1/actions"), 200, `"node":"pbx1"`), // the only one there is for him
		with(post("one", `{"action":"Ping","node":"pbx2"}`, "/v1/actions"), 403, "the user's nodes in [[users]]"),
		with(post("one", `{"action":"Ping"}`, "/v1/actions?node=pbx2"), 403, "the node pbx2"),
		with(post("one", `{"action":"QueueStatus"}`, "/v1/actions"), 200, `"items":`),
		with(post("one", `{"action":"CoreStatus"}`, "/v1/actions"), 403, "the user's actions in [[users]] give no right to it"),
		with(post("blind", `{"action":"Ping"}`, "/v1/actions?node=pbx2"), 200, `"node":"pbx2"`),
		with(post("blind", `{"action":"Ping"}`, "/v1/actions"), 400, "there are 2"),
		with(post("all", `{"action":"Command","fields":{"Command":"core show uptime"}}`, "/v1/actions?node=pbx1"), 200, `"output":`),
		with(post("all", `{"action":"Command","fields":{"Command":"core stop now"}}`, "/v1/actions?node=pbx1"), 403, "the user's commands in [[users]]"),
		with(post("all", `{"action":"ModuleLoad","fields":{"LoadType":"reload"}}`, "/v1/actions?node=pbx1"), 403, "the action ModuleLoad"),
	} {
		f.ask(q)
	}
	for path, hidden := range map[string]string{"/v1/nodes": "pbx2", "/v1/state": "pbx2", "/v1/state/queues": "pbx2"} {
		if body := f.ask(try{path: path, user: "one"}); strings.Contains(body, hidden) || !strings.Contains(body, "pbx1") {
			t.Errorf("%s shows to one: %s", path, body)
		}
	}
	if body := f.ask(try{path: "/v1/state", user: "one"}); strings.Contains(body, `"type":"endpoint"`) || !strings.Contains(body, `"type":"queue"`) {
		t.Errorf("one sees of the state: %s", body)
	}
	logsRefusals(t, f)
}

// logsRefusals looks for the refusals of TestRights in the log, and wants no secret there, nor those who asked without a token.
func logsRefusals(t *testing.T, f *fixture) {
	t.Helper()
	for _, text := range []string{"user=one", "the action CoreStatus", "permission denied: calls", `hint="the user's actions in [[users]]`} {
		if !strings.Contains(f.log.String(), text) {
			t.Errorf("the log does not say %q:\n%s", text, f.log)
		}
	}
	f.ask(try{path: "/v1/nodes", header: http.Header{"Authorization": {"Bearer x"}}, status: 401, want: "the token is nobody's"})
	if !strings.Contains(f.log.String(), "the token is nobody's") {
		t.Errorf("a wrong token is not in the log:\n%s", f.log)
	}
	if strings.Contains(f.log.String(), "no bearer token") {
		t.Error("whoever asks without a token fills the log")
	}
	if strings.Contains(f.log.String(), token("one")) {
		t.Error("a secret is in the log")
	}
}

// Whoever guesses has to wait, and who has a token from elsewhere has not.
func TestGuessing(t *testing.T) {
	t.Parallel()
	f := open(t, setup{users: []users.Spec{{Name: "u"}}})
	guesses := 0
	guess := func(from string, status int) {
		guesses++
		f.ask(try{path: "/v1/nodes", header: http.Header{"Authorization": {fmt.Sprint("Bearer ", guesses)}, "X-Forwarded-For": {from}}, status: status})
	}
	for range 4 {
		guess("192.0.2.1", 401)
	}
	guess("192.0.2.1", 429)
	answer := f.send(t.Context(), try{path: "/v1/nodes", user: "u", header: http.Header{"X-Forwarded-For": {"192.0.2.1"}}})
	answer.Body.Close()
	if answer.StatusCode != http.StatusTooManyRequests || answer.Header.Get("Retry-After") == "" {
		t.Errorf("a right token from where was guessed: %d, Retry-After %q", answer.StatusCode, answer.Header.Get("Retry-After"))
	}
	f.ask(try{path: "/v1/nodes", user: "u", header: http.Header{"X-Forwarded-For": {"192.0.2.2"}}})
	for range 2 { // who has a token of his own guesses others' no faster
		guess("192.0.2.3", 401)
		f.ask(try{path: "/v1/nodes", user: "u", header: http.Header{"X-Forwarded-For": {"192.0.2.3"}}})
		guess("192.0.2.3", 401)
	}
	guess("192.0.2.3", 429)
	for range 4 {
		guess("2001:db8::1", 401)
	}
	guess("2001:db8::2", 429) // of the same host
	for range 10 {            // a client with an old secret keeps nobody out
		f.ask(try{path: "/v1/nodes", header: http.Header{"Authorization": {"Bearer old"}, "X-Forwarded-For": {"192.0.2.4"}}, status: 401})
	}
	f.ask(try{path: "/v1/nodes", user: "u", header: http.Header{"X-Forwarded-For": {"192.0.2.4"}}})
}

// Once there have been users, nobody gets in without one, also when the last of them is taken away.
func TestUsersStayNeeded(t *testing.T) {
	t.Parallel()
	f := open(t, setup{})
	f.ask(try{path: "/v1/nodes"})
	f.dir.Replace(load(t, []users.Spec{{Name: "u"}}))
	f.ask(try{path: "/v1/nodes", status: 401})
	f.ask(try{path: "/v1/nodes", user: "u"})
	f.dir.Replace(nil)
	f.ask(try{path: "/v1/nodes", status: 401})
	f.ask(try{path: "/v1/nodes", user: "u", status: 401})
	unseen := open(t, setup{users: []users.Spec{{Name: "u"}}})
	unseen.dir.Replace(nil)
	unseen.ask(try{path: "/v1/nodes", status: 401}) // the first request of all
}
