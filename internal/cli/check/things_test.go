package check

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/nagios"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// A contact is reachable by its own status, and one that is not has no round trip.
func TestContacts(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	srv.State().AddEndpoint(amitest.Endpoint{Name: "alice", Contact: "sip:alice@192.0.2.1:5060"}, amitest.Endpoint{Name: "carol"})
	asked := 0
	srv.Handle("PJSIPShowEndpoint", func(_ *amitest.Request, w *amitest.ResponseWriter) {
		asked++
		w.ListStart("Following are Events for each object associated with the Endpoint")
		w.Item("EndpointDetail", "ObjectName", "alice")
		for _, contact := range [][2]string{{"Reachable", "1500"}, {"NonQualified", "N/A"}, {"Created", ""}, {"Updated", "x"}, {"Unreachable", "9000000"}, {"Removed", "0"}} {
			w.Item("ContactStatusDetail", "Status", contact[0], "RoundtripUsec", contact[1])
		}
		w.ListEnd("EndpointDetailComplete")
	})
	r, exit := inspect(t, srv, "[[endpoints]]\nname = \"alice\"\n[[endpoints]]\nwhere = \"rtt<1s\"\n[[endpoints]]\nwhere = \"contacts>0\"\nwarn = \"count>9\"", run.Globals{}, options{})
	const want = `endpoint alice {"contacts":6,"reachable":4,"rtt":0.0015}` + "\n" + `endpoint alice (2) {"contacts":6,"reachable":4,"rtt":0.0015}` + "\n" + `endpoints contacts>0 {"count":1}`
	var got []string
	for line := range strings.Lines(r.Out.String()) {
		if f := gjson.GetMany(line, "check", "figures"); strings.HasPrefix(f[0].Str, "endpoint") {
			got = append(got, f[0].Str+" "+f[1].Raw)
		}
	}
	if diff := cmp.Diff(want, strings.Join(got, "\n")); diff != "" || exit != fail.ExitOK || asked != 1 {
		t.Errorf("status %d, asked %d times: %s", exit, asked, diff)
	}
}

// An endpoint whose details are refused keeps what the list says of it.
func TestContactsThatNobodyTells(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	srv.State().AddEndpoint(amitest.Endpoint{Name: "alice", Contact: "sip:alice@192.0.2.1:5060"})
	srv.Handle("PJSIPShowEndpoint", replies("Unable to retrieve endpoint alice"))
	r, exit := inspect(t, srv, "[[endpoints]]\n", run.Globals{}, options{})
	if got := gjson.Get(r.Out.String(), `..#(check=="endpoint alice").figures`).Raw; got != `{"contacts":1,"reachable":1}` || exit != fail.ExitOK {
		t.Errorf("status %d: %s", exit, got)
	}
}

// What a check is called: by its title, else by its things.
func TestNamesOfSections(t *testing.T) {
	for text, want := range map[string][3]string{
		"[[queues]]":                                    {"", "queues", "queue q"},
		"[[queues]]\nname = [\"a\", \"b*\"]":            {"", "queue a b*", "queue q"},
		"[[queues]]\ntitle = \" mine \"\nname = \"a\"":  {"mine", "mine", "mine q"},
		"[[queues]]\nwarn = \"COUNT>1\"\nname = \"a\"":  {"queues a", "queues a", "queues a q"},
		"[[calls]]\nwhere = \"duration>1m\"":            {"calls duration>1m", "calls duration>1m", "calls duration>1m q"},
		"[[members]]\ntitle = \"\"\nname = \"PJSIP/a\"": {"members PJSIP/a", "members PJSIP/a", "members PJSIP/a q"},
	} {
		p, err := parseProfile("p", text)
		if err != nil {
			t.Fatal(text, err)
		}
		s := &p.sections[0]
		if got := [3]string{s.title, s.label(), s.nameOf("q")}; got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// A glob means a thing with or without its technology, and a name that finds nothing is missing.
func TestWhatIsChosen(t *testing.T) {
	all := []state.Object{&state.Endpoint{Name: "PJSIP/alice"}, &state.Endpoint{Name: "SIP/bob"}, &state.Endpoint{Name: "PJSIP/carol"}}
	for globs, want := range map[string]string{
		"":                   "alice SIP/bob carol; ",
		"alice":              "alice; ",
		"PJSIP/alice nosuch": "alice; nosuch",
		"bob":                "SIP/bob; ",
		"SIP/bob":            "SIP/bob; ",
		"*a* z*":             "alice carol; z*",
	} {
		s := &section{part: partOf("endpoints"), names: strings.Fields(globs)}
		var titles []string
		chosen := s.chosen(append([]state.Object(nil), all...))
		for _, o := range chosen {
			titles = append(titles, s.part.title(o))
		}
		if got := strings.Join(titles, " ") + "; " + strings.Join(s.missing(chosen), " "); got != want {
			t.Errorf("%q: %q, want %q", globs, got, want)
		}
	}
}

// What a profile says is what it has, and what it does not say is the default.
func TestProfile(t *testing.T) {
	p, err := parseProfile("p", `banner = "^X"
tls_days = 3
modules = ["a"]
[call]
channel = "Local/1@x"
application = "Echo"
data = "d"
ring = "3s"
[[command]]
run = "core show it"
expect = "^a"
[ping]
`)
	if err != nil {
		t.Fatal(err)
	}
	if p.banner.String() != "^X" || p.tlsDays != 3 || p.ping.title != "ping" || p.commands[0].title != "command core show it" || p.commands[0].reject != nil || !p.acts() {
		t.Errorf("it is %+v", p)
	}
	if diff := cmp.Diff(callCheck{channel: "Local/1@x", application: "Echo", data: "d", ring: 3 * time.Second}, *p.call, cmp.AllowUnexported(callCheck{})); diff != "" {
		t.Error(diff)
	}
	if p, err = parseProfile("p", ""); err != nil || p.banner.String() != defaultBanner || p.tlsDays != 14 || p.ping != nil || p.acts() {
		t.Errorf("the default is %+v, %v", p, err)
	}
	for text, want := range map[string]string{
		"[call]\nexten = \"1\"": "[call] has no channel", "[call]\nchannel = \"a\"\nexten = \"1\"\napplication = \"b\"": "needs either exten or application",
		"banner = \"(\"": "missing closing )", "[[command]]\nrun = \"x\"\nwarn = \"a>1\"": "expect, and it has none",
	} {
		_, err := parseProfile("p", text)
		runtest.Refused(t, err, fail.CodeConfig, want)
	}
}

// A certificate is checked against the days that the profile wants, and must be trusted all the same.
func TestCertificate(t *testing.T) {
	cert, key := runtest.Certificate(t, "127.0.0.1")
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	srv := runtest.Server(t, "pbx0", amitest.WithTLS(&tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}))
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	valid := "valid until " + leaf.NotAfter.UTC().Format(time.DateOnly)
	for name, test := range map[string]struct{ profile, trust, want string }{
		"long enough": {"tls_days = 0", "ca = \"" + ca + "\"", "pass " + valid},
		"too short":   {"", "ca = \"" + ca + "\"", "fail the certificate is " + valid + ", 0 days from now; the profile wants 14"},
		"not trusted": {"tls_days = 0", "", "skip no session"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Config: fmt.Sprintf("[contexts.test.nodes.pbx0]\nurl = \"amis://%s\"\n%s", srv.Addr(), test.trust)})
			_ = check(t.Context(), r.Run, &options{args: []string{profileFile(t, test.profile)}})
			of := gjson.Get(r.Out.String(), `..#(check=="certificate")`)
			if got := of.Get("status").Str + " " + of.Get("detail").Str; got != test.want {
				t.Errorf("%q, want %q: %s", got, test.want, r.Out)
			}
		})
	}
}

// A draft names few things in a line and many in a line each, and tells of a few of many that are not well.
func TestDraftsNames(t *testing.T) {
	var many, none []string
	for i := range 25 {
		many = append(many, fmt.Sprintf("endpoint-%02d", i))
	}
	d := &draft{node: "pbx1"}
	d.names([]string{"a*b"})
	d.names([]string{"a", "b"})
	d.names(many[:7])
	d.remark("None", none)
	d.remark("Few", []string{"x", "y"})
	d.remark("Many", many)
	const want = "name = \"a\\\\*b\"\nname = [\"a\", \"b\"]\nname = [\n  \"endpoint-00\",\n"
	got := d.text.String()
	if !strings.HasPrefix(got, want) || !strings.Contains(got, "  \"endpoint-06\",\n]\n# Few: \"x\", \"y\"\n# Many: \"endpoint-00\"") || !strings.HasSuffix(got, "\"endpoint-19\" and 5 more\n") {
		t.Errorf("it is\n%s", got)
	}
	for n, want := range map[int]int{0: 100, 33: 100, 34: 200, 66: 200, 67: 300, 100: 300, 101: 400} {
		if got := roomFor(n); got != want {
			t.Errorf("the room for %d is %d, want %d", n, got, want)
		}
	}
}

// With --watch a complaint is repeated only if it changes, or comes back.
func TestComplaints(t *testing.T) {
	r := runtest.New(t, runtest.Setup{})
	n := &inspection{run: r.Run, said: map[string]string{}}
	of := func(detail string) [][]result {
		var f finding
		if detail != "" {
			f = unlike("%s", detail)
		}
		return [][]result{{{finding: finding{}, node: "a", check: "ping"}, {finding: f, node: "a", check: "it"}}}
	}
	for _, detail := range []string{"bad", "bad", "worse", "", "worse"} {
		n.complain(of(detail))
	}
	const hint = "hint: fix the server, or change what the profile asks of it\n"
	if want := "amictl: a: it: bad\n" + hint + "amictl: a: it: worse\n" + hint + "amictl: a: it: worse\n" + hint; r.Err.String() != want {
		t.Errorf("it says %q", r.Err)
	}
}

// A node's status is that of its first check that is not well, and nodes that differ make a 6.
func TestStatusOfNodes(t *testing.T) {
	bad := unlike("so it is")
	away := failing("a", &ami.OpError{Op: ami.OpDial, Node: "a", Err: context.DeadlineExceeded})
	well := finding{}
	for name, test := range map[string]struct {
		of   [][]finding
		form run.Output
		want int
	}{
		"all is well":         {[][]finding{{well, well}, {well}}, "", fail.ExitOK},
		"one is not":          {[][]finding{{well, bad, well}}, "", fail.ExitFailed},
		"the first decides":   {[][]finding{{away, bad}}, "", fail.ExitConnect},
		"they are alike":      {[][]finding{{bad}, {well, bad}}, "", fail.ExitFailed},
		"they differ":         {[][]finding{{well}, {bad}}, "", fail.ExitMixed},
		"Prometheus":          {[][]finding{{bad}}, run.OutputPrometheus, fail.ExitOK},
		"Nagios":              {[][]finding{{well}, {bad}}, run.OutputNagios, nagios.Critical},
		"Nagios, all is well": {[][]finding{{well}, {well}}, run.OutputNagios, nagios.OK},
	} {
		var results [][]result
		for _, node := range test.of {
			var all []result
			for _, f := range node {
				all = append(all, result{finding: f})
			}
			results = append(results, all)
		}
		n := &inspection{form: test.form}
		if got := fail.Classify(n.status(results)).Exit; got != test.want {
			t.Errorf("%s: status %d, want %d", name, got, test.want)
		}
	}
}

// Forms that are documents of their own have no fields to choose from, and --init goes with no other flag.
func TestFlagsThatDoNotGoTogether(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	for name, test := range map[string]struct {
		flags   run.Globals
		options options
		want    string
	}{
		"fields of a form":  {run.Globals{Output: "tap", Fields: "node"}, options{}, "-o tap goes with neither"},
		"a query of a form": {run.Globals{Output: "junit", Query: "node"}, options{}, "-o junit goes with neither"},
		"a draft's report":  {run.Globals{}, options{init: true, junit: "x.xml"}, "--init writes a profile"},
		"rounds of one":     {run.Globals{}, options{rounds: run.Rounds{Most: flags.Count{Value: 2, Given: true}}}, "go with --watch"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: test.flags})
			runtest.Refused(t, check(t.Context(), r.Run, &test.options), fail.CodeUsage, test.want)
		})
	}
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: run.Globals{Query: "check"}})
	if err := check(t.Context(), r.Run, &options{}); err != nil || r.Out.String() != "connect\nbanner\nlogin\nping\nbooted\n" {
		t.Errorf("%v, and it prints %s", err, r.Out)
	}
}

// What a deadline cuts short is told as far as it went.
func TestADeadlineIsOver(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for form, exit := range map[string]int{"jsonl": fail.Classify(context.Canceled).Exit, "nagios": nagios.Critical} {
		r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: run.Globals{Output: form}})
		if got := fail.Classify(check(ctx, r.Run, &options{})).Exit; got != exit || !strings.Contains(r.Out.String(), "connect") {
			t.Errorf("%s: status %d, want %d: %s", form, got, exit, r.Out)
		}
	}
}
