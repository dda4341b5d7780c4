package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/objects"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// busy puts something of each kind on a server.
func busy(s *amitest.Server) {
	s.State().AddEndpoint(amitest.Endpoint{Name: "alice", Contact: "sip:alice@192.0.2.1:5060"}, amitest.Endpoint{Name: "gone"})
	s.State().AddExtension(amitest.Extension{Context: "default", Exten: "10", Hint: "PJSIP/alice"}, amitest.Extension{Context: "default", Exten: "70"})
	s.SetRegistration("trunk", "sip:me@example.com", "sip:example.com", "Registered")
	bob := s.Dial("", amitest.Channel{Name: "PJSIP/bob", CallerIDNum: "20", CallerIDName: "Bob"})
	alice := s.Dial(bob.Uniqueid, amitest.Channel{Name: "PJSIP/alice", CallerIDNum: "10", CallerIDName: "Alice"})
	s.Answer(alice.Uniqueid)
	in := func(name string) string {
		c := s.Dial("", amitest.Channel{Name: "PJSIP/" + name})
		s.Answer(c.Uniqueid)
		return c.Uniqueid
	}
	s.JoinQueue("support", in("carol"))
	s.JoinConference("7000", in("dave"))
	s.Park(in("erin"))
}

// Every part is there, as the schemas have it, and a condition chooses among it.
func TestState(t *testing.T) {
	t.Parallel()
	f := open(t, setup{nodes: 2, server: busy})
	everything := f.ask(try{path: "/v1/state"})
	for _, p := range objects.Parts {
		body := f.ask(try{path: "/v1/state/" + p.Name + "?node=pbx1"})
		for _, o := range gjson.Parse(body).Array() {
			if o.Get("type").String() != string(p.Kind) || o.Get("node").String() != "pbx1" {
				t.Errorf("%s of pbx1 holds %s", p.Name, o)
			}
			if !strings.Contains(everything, o.Raw) && p.Name != "nodes" {
				t.Errorf("%s is not in all of it", o)
			}
		}
		if body == "[]\n" {
			t.Errorf("there is nothing of %s", p.Name)
		}
	}
	for where, want := range map[string]int{ // of both servers
		"caller.number=20":                   2,
		"caller.name=~(?i)^bob && node=pbx2": 1,
		"state=talking || queue=support":     4,
		"legs>1":                             2,
		"legs>9":                             0,
		"type=live-call":                     8,
		"*=support":                          2,
		"start<0s || channels=~.":            8,
		"duration>=0 && channels=1":          6,
		"hold=false && member=":              8,
		"hold=true":                          0,
		"caller.endpoint!=PJSIP/bob":         6,
		"CALLER.NUMBER=20 && State=talking":  2,
	} {
		body := f.ask(try{path: "/v1/calls?where=" + url.QueryEscape(where)})
		if got := len(gjson.Parse(body).Array()); got != want {
			t.Errorf("%d calls meet %q, want %d: %s", got, where, want, body)
		}
	}
	lines := f.ask(try{path: "/v1/state/queues", header: http.Header{"Accept": {"text/html, application/jsonl;q=0.9, application/json;q=0.1"}}})
	if strings.Count(lines, "\n") != 2 || !gjson.Valid(strings.SplitN(lines, "\n", 2)[0]) {
		t.Errorf("as lines: %s", lines)
	}
	if got := f.ask(try{path: "/v1/state/queues?where=name=x", header: http.Header{"Accept": {"application/x-ndjson"}}}); got != "" {
		t.Errorf("no object as lines: %q", got)
	}
	f.ask(try{path: "/v1/state/nodes?where=parts.queues=followed", want: "pbx2"})
	f.ask(try{path: "/v1/calls?where=start%3E300", status: 400, want: "start>300s asks how many seconds ago it is"})
	for _, path := range []string{"/v1/nodes", "/v1/state", "/v1/state/queues"} {
		f.ask(try{path: path + "?nodes=pbx1", status: 400, want: "it knows node"})
	}
	for query, want := range map[string]string{
		"where=nonsense": "a condition is", "where=" + url.QueryEscape("caller=20"): "has a key", "where=" + url.QueryEscape("caller.nmber=20"): "has a key", "where=legs.x=1": "has a key", "where=stte=up": `has a key`, "were=state=up": "no parameter",
		"where=" + url.QueryEscape("name=~("): "a condition is", "where=" + url.QueryEscape("name=a and b=c"): "and",
	} {
		f.ask(try{path: "/v1/calls?" + query, status: 400, want: want})
	}
}

// What is counted is right, has a form that Prometheus takes, and no more series than there are nodes and queues.
func TestMetrics(t *testing.T) {
	t.Parallel()
	f := open(t, setup{nodes: 2, server: busy})
	text := f.ask(try{path: "/metrics"})
	for _, want := range []string{
		`amictl_channels{node="pbx1"} 5`, `amictl_calls{node="pbx2",state="talking"} `, `amictl_queue_callers{node="pbx1",queue="support"} 1`,
		`amictl_queue_members_free{node="pbx1",queue="support"} 1`, `amictl_endpoints{node="pbx1",state="unavailable"} 1`, `amictl_endpoints_down{node="pbx1"} 1`,
		`amictl_registrations{node="pbx1",state="registered"} 1`, `amictl_parked_calls{node="pbx2"} 1`, `amictl_conferences{node="pbx1"} 1`, `amictl_state_stale{node="pbx1"} 0`,
		`ami_node_up{node="pbx1",sessions="events"} 1`, `ami_node_up{node="pbx1",sessions="actions"} 1`, "go_goroutines ", "amictl_window_events_total ",
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("%s is not there:\n%s", want, text)
		}
	}
	if strings.Contains(text, "alice") || strings.Contains(text, "amictl_endpoint_up") {
		t.Error("there are series of endpoints that nobody asked for")
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "amictl_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	f.ask(try{path: "/metrics", want: `amictl_http_requests_total{code="200",route="GET /metrics"} 1`})
	each := open(t, setup{server: busy, options: Options{EndpointMetrics: true}})
	each.ask(try{path: "/metrics", want: `amictl_endpoint_up{endpoint="PJSIP/gone",node="pbx1"} 0`})
	each.ask(try{path: "/metrics", want: `amictl_endpoint_up{endpoint="PJSIP/alice",node="pbx1"} 1`})
}

// A name that is no UTF-8 costs no scrape, and neither do two that are the same then.
func TestMetricsOfOddNames(t *testing.T) {
	t.Parallel()
	f := open(t, setup{server: func(s *amitest.Server) {
		s.State().AddQueue(amitest.Queue{Name: "q\xff"}, amitest.Queue{Name: "q\xfe"}, amitest.Queue{Name: `q"\`})
	}})
	f.ask(try{path: "/metrics", want: `amictl_queue_members{node="pbx1",queue="q` + "\uFFFD" + `"} 0`})
	f.ask(try{path: "/metrics", want: `amictl_queue_members{node="pbx1",queue="q\"\\"} 0`})
}

// More queues than may have series of their own are counted.
func TestMetricsAreBounded(t *testing.T) {
	t.Parallel()
	f := open(t, setup{server: func(s *amitest.Server) {
		for i := range mostQueues + 10 {
			s.State().AddQueue(amitest.Queue{Name: "q" + statusText(i)})
		}
	}})
	text := f.ask(try{path: "/metrics", want: `amictl_series_left_out{node="pbx1"} 11`})
	if n := strings.Count(text, "amictl_queue_callers{"); n != mostQueues {
		t.Errorf("%d queues have series", n)
	}
}

// Readiness counts the nodes that it is asked for.
func TestReadiness(t *testing.T) {
	t.Parallel()
	for require, status := range map[int]int{1: 200, 2: 503, RequireAll: 503} {
		f := open(t, setup{nodes: 2, options: Options{Require: require}})
		f.ask(try{path: "/readyz", want: "2 of 2 nodes ready"})
		f.servers[0].SetDown(true)
		f.eventually("one is away", func() bool { return f.up.Readiness().Ready == 1 })
		f.ask(try{path: "/readyz", status: status, want: "1 of 2 nodes ready"})
		f.ask(try{path: "/healthz"})
		f.servers[0].SetDown(false)
	}
}
