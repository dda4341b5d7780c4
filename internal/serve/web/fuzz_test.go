package web

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/serve/users"
)

// Whatever a request says, it is answered, in one of the two shapes that there are, and only an action that was sent is not
// refused before it was.
func FuzzRequest(f *testing.F) {
	f.Add("GET", "/v1/state/channels", "where="+url.QueryEscape("state=up && application=Queue")+"&node=pbx*", "application/json", "", "")
	f.Add("GET", "/v1/calls", "where=caller.number%3D20&where=%25", "application/x-ndjson;q=0.5, */*", "", "")
	f.Add("GET", "/v1/events", "event=Queue*&where=a%3D1", "text/event-stream", "abc-17", "")
	f.Add("POST", "/v1/actions", "node=pbx1", "", "", `{"action":"Ping","id":"1","fields":{"A":["b","c"]}}`)
	f.Add("POST", "/v1/actions", "", "lines", "", "{\"action\":\"Ping\"}\n\n{\"action\":\"Ping\",\"timeout\":\"1s\"}\nx")
	f.Add("PUT", "/v1/../metrics", "a=b;c", "*/*", "-", "\x00")
	fixture := open(f, setup{users: []users.Spec{{Name: "u", Events: []string{"*"}, Actions: []string{"Ping"}}}, limits: func(l *limits) { l.heartbeat = time.Millisecond }})
	stopped := make(chan struct{})
	close(stopped) // streams end at once
	door := newDoor(fixture.up, Options{Stopping: stopped}, fixture.door.limits)
	<-door.stopping.Done()
	f.Fuzz(func(t *testing.T, method, path, query, accept, last, body string) {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://localhost/", strings.NewReader(body))
		if err != nil || !strings.HasPrefix(path, "/") {
			return
		}
		r.URL.Path, r.URL.RawQuery, r.RemoteAddr = path, query, "127.0.0.1:1"
		r.Header = http.Header{"Authorization": {"Bearer " + token("u")}, "Accept": {accept}, "Last-Event-Id": {last}}
		if accept == "lines" {
			r.Header.Set("Content-Type", linesType)
		}
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		text := bytes.TrimSpace(w.Body.Bytes())
		switch kind := w.Header().Get("Content-Type"); {
		case w.Code >= 400 && kind == jsonType:
			if gjson.GetBytes(text, "type").String() != "error" || gjson.GetBytes(text, "sent").String() == "" {
				t.Errorf("%d %s", w.Code, text)
			}
		case kind == jsonType:
			if !gjson.ValidBytes(text) {
				t.Errorf("no JSON: %s", text)
			}
		case kind == linesType:
			for line := range bytes.Lines(text) {
				if !gjson.ValidBytes(line) {
					t.Errorf("no JSON: %s", line)
				}
			}
		case w.Code >= 500:
			t.Errorf("%d %s", w.Code, text)
		}
	})
}

// Whatever an id is, it is one of ours or refused, and one of ours comes back as it was.
func FuzzParseID(f *testing.F) {
	f.Add("1a2b3c-17")
	f.Add("-1")
	f.Add("x-18446744073709551616")
	f.Fuzz(func(t *testing.T, text string) {
		epoch, id, err := parseID(text)
		if err != nil {
			return
		}
		again := feed{epoch: epoch}
		again.id(id)
		e, n, err := parseID(strings.TrimSuffix(strings.TrimPrefix(string(again.buf), "id: "), "\n"))
		if e != epoch || n != id || err != nil {
			t.Errorf("%q is %q and %d, and then %q and %d", text, epoch, id, e, n)
		}
	})
}
