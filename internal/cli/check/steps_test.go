package check

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// replies has a server answer an action with these headers, or with an Error if there is but one.
func replies(headers ...string) amitest.HandlerFunc {
	return func(_ *amitest.Request, w *amitest.ResponseWriter) {
		if len(headers) == 1 {
			w.Error(headers[0])
			return
		}
		var all []amitest.Header
		for i := 0; i+1 < len(headers); i += 2 {
			all = append(all, amitest.Header{Name: headers[i], Value: headers[i+1]})
		}
		w.Reply("Success", all...)
	}
}

// Each step says what it found, or why it is not well.
func TestSteps(t *testing.T) {
	output := func(text string) func(*amitest.Server) {
		return func(s *amitest.Server) {
			s.State().SetCommand("show it", func(string) (string, bool) { return text, true })
		}
	}
	handle := func(action string, h amitest.HandlerFunc) func(*amitest.Server) {
		return func(s *amitest.Server) { s.Handle(action, h) }
	}
	const show = "[[command]]\nrun = \"show it\"\ntitle = \"it\"\n"
	const numbers = show + `expect = '(?P<a>\S+) of (?P<b>\S*) (?P<c>\S+)'` + "\n"
	for name, test := range map[string]struct {
		set     func(*amitest.Server)
		profile string
		check   string
		want    string // status, figures and detail, which is an expression
	}{
		"booted":                    {nil, "", "booted", `pass  since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d, its time`},
		"not booted":                {handle("CoreStatus", replies("CoreStartupDate", "")), "", "booted", "fail  the server has not finished booting"},
		"whoever may not know":      {handle("CoreStatus", replies("Permission denied")), "", "booted", "skip  the user may not ask: that needs system or reporting in write="},
		"no status":                 {handle("CoreStatus", replies("Not now")), "", "booted", "fail  CoreStatus: Not now"},
		"no ping":                   {handle("Ping", replies("Not now")), "", "ping", "fail  Ping: Not now"},
		"a ping of another name":    {nil, "[ping]\ntitle = \"alive\"\ncrit = \"rtt>1h\"", "alive", `pass rtt answered in .*`},
		"rights":                    {nil, "classes = [\"Call\"]\nactions = [\"originate\", \"Ping\"]", "rights", "pass  3 held"},
		"rights that lack":          {nil, "classes = [\"call\", \"x\"]\nactions = [\"Nosuch\"]", "rights", "fail  the user lacks class x, action Nosuch"},
		"no list of rights":         {handle("ListCommands", replies("Not now")), "classes = [\"call\"]", "rights", "fail  ListCommands: Not now"},
		"a module":                  {nil, "modules = [\"app_queue.so\"]", "module app_queue.so", "pass  loaded"},
		"a module that is not":      {handle("ModuleCheck", replies("Module not loaded")), "modules = [\"x\"]", "module x", "fail  not loaded: Module not loaded"},
		"a module nobody may know":  {handle("ModuleCheck", replies("Permission denied")), "modules = [\"x\"]", "module x", "unknown  the user may not ask: that needs system in write="},
		"a command":                 {output("x\n"), show, "it", "pass  "},
		"a command that is refused": {handle("Command", replies("Permission denied")), show, "it", "skip  the user may not ask: that needs command in write="},
		"one that must say no":      {handle("Command", replies("Permission denied")), show + "reject = \"x\"", "it", "unknown  the user may not ask: that needs command in write="},
		"one that fails":            {handle("Command", replies("Not now")), show, "it", "fail  Command: Not now"},
		"a word that must not be":   {output("a\nbad b\n"), show + "reject = \"^bad .\"", "it", "fail  the output matches reject: bad b"},
		"one that is not there":     {output("a\nbad b\n"), show + "reject = \"^b$\"", "it", "pass  "},
		"nothing that must not be":  {output("\n"), show + "reject = \"^$\"", "it", "fail  the output matches reject: "},
		"a line that must be":       {output("a\nb\n"), show + "expect = \"^b$\"", "it", "pass  "},
		"groups":                    {output("1 of 2.5 up\n"), numbers, "it", "pass a,b a 1, b 2.5, c up"},
		"groups without numbers":    {output("Inf of  NaN\n"), numbers, "it", "pass  a Inf, c NaN"},
		"a group's number":          {output("1 of 2.5 up\n"), numbers + "warn = \"b>2\"", "it", `warn a,b warn b>2: a 1, b 2\.5, c up`},
		"a group's text":            {output("1 of 2.5 up\n"), numbers + "crit = \"c=up\"", "it", "fail a,b crit c=up: a 1, b 2.5, c up"},
		"a call":                    {nil, "[call]\nchannel = \"Local/100@default\"\napplication = \"Wait\"\ndata = \"1\"", "call", "pass  .+"},
		"a call nobody may make":    {handle("Originate", replies("Permission denied")), "[call]\nchannel = \"Local/100@default\"\nexten = \"1\"\ncontext = \"x\"", "call", "unknown  the user may not ask: that needs originate in write="},
		"a call that fails":         {handle("Originate", replies("Originate failed")), "[call]\nchannel = \"Local/100@default\"\nexten = \"1\"\ncontext = \"x\"", "call", "fail  Originate: Originate failed"},
		"endpoints":                 {nil, "endpoints = [\"alice\"]", "endpoints", "pass  1 reachable"},
		"endpoints that are not":    {nil, "endpoints = [\"zoe\", \"alice\", \"carol\"]", "endpoints", "fail  zoe is unknown, carol is unavailable"},
		"server":                    {nil, "[server]", "server", `pass processed,reload,uptime uptime .*`},
		"no server":                 {handle("CoreStatus", replies("Not now")), "[server]", "server", "fail  CoreStatus: Not now"},
		"a server that says little": {handle("CoreStatus", replies("Permission denied")), "[server]", "server", "skip  the user may not ask: that needs system or reporting in write="},
		"none is asked": {func(s *amitest.Server) {
			s.State().SetCommand("core show calls", func(string) (string, bool) { return "1 call\n", true })
		}, "[server]\nwarn = \"processed<0\"", "server", `(pass|unknown) .*`},
	} {
		t.Run(name, func(t *testing.T) {
			srv := runtest.Server(t, "pbx1")
			srv.State().AddEndpoint(amitest.Endpoint{Name: "alice", Contact: "sip:alice@192.0.2.1:5060"}, amitest.Endpoint{Name: "carol"})
			if test.set != nil {
				test.set(srv)
			}
			r, _ := inspect(t, srv, test.profile, run.Globals{Output: "jsonl"}, options{})
			of := gjson.Get(r.Out.String(), fmt.Sprintf("..#(check==%q)", test.check))
			var figures []string
			of.Get("figures").ForEach(func(name, _ gjson.Result) bool { figures = append(figures, name.Str); return true })
			got := of.Get("status").Str + " " + strings.Join(figures, ",") + " " + of.Get("detail").Str
			if !regexp.MustCompile("^" + test.want + "$").MatchString(got) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// What does not come to a session fails in its stage, and what would need one is skipped.
func TestStages(t *testing.T) {
	for name, test := range map[string]struct {
		set    func(*amitest.Server)
		config string
		want   string
		exit   int
	}{
		"no such user":   {nil, "auth = \"md5\"\n[contexts.test.nodes.pbx0]\nurl = \"ami://nobody@%s\"", "connect pass, banner pass, login fail, ping skip, booted skip", fail.ExitLogin},
		"no such server": {nil, "[contexts.test.nodes.pbx0]\nurl = \"ami://127.0.0.1:1\"", "connect fail, ping skip, booted skip", fail.ExitConnect},
		"wrong settings": {nil, "[contexts.test.nodes.pbx0]\nurl = \"amis://%s\"\nca = \"/no/ca.pem\"", "", fail.ExitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			srv := runtest.Server(t, "pbx0", amitest.WithFailDelay(0))
			config := test.config
			if strings.Contains(config, "%s") {
				config = fmt.Sprintf(config, srv.Addr())
			}
			r := runtest.New(t, runtest.Setup{Config: config})
			err := check(t.Context(), r.Run, &options{})
			if exit := fail.Classify(err).Exit; exit != test.exit {
				t.Errorf("status %d, want %d: %v", exit, test.exit, err)
			}
			var got []string
			for line := range strings.Lines(r.Out.String()) {
				got = append(got, gjson.Get(line, "check").Str+" "+gjson.Get(line, "status").Str)
				if gjson.Get(line, "status").Str == "skip" && (gjson.Get(line, "took_us").Int() != 0 || gjson.Get(line, "detail").Str != "no session") {
					t.Errorf("it took %s", line)
				}
			}
			if text := strings.Join(got, ", "); text != test.want {
				t.Errorf("%q, want %q", text, test.want)
			}
		})
	}
}
