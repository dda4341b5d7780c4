package check

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// busy is a server with something of each part.
func busy(t *testing.T, options ...amitest.Option) *amitest.Server {
	t.Helper()
	srv := runtest.Server(t, "pbx1", options...)
	st := srv.State()
	st.AddQueue(amitest.Queue{Name: "support", Members: []amitest.QueueMember{
		{Name: "Ann", Interface: "PJSIP/ann", Status: 1}, {Name: "Bob", Interface: "PJSIP/bob", Status: 2}, {Name: "Cem", Interface: "PJSIP/cem", Status: 1},
	}}, amitest.Queue{Name: "sales"})
	st.AddEndpoint(amitest.Endpoint{Name: "alice", Contact: "sip:alice@192.0.2.1:5060"}, amitest.Endpoint{Name: "carol"})
	srv.SetRegistration("trunk-a", "sip:me@example.com", "sip:example.com", "Registered")
	srv.SetRegistration("trunk-b", "sip:you@example.com", "sip:example.com", "Rejected")
	srv.SetMember("support", "PJSIP/cem", 1, true, "lunch")
	for channel, put := range map[string]func(channel string){
		"PJSIP/dave": func(c string) { srv.JoinQueue("support", c) },
		"PJSIP/erin": func(c string) { srv.JoinConference("7000", c) },
	} {
		c := srv.Dial("", amitest.Channel{Name: channel, Created: time.Now().Add(-time.Hour)})
		srv.Answer(c.Uniqueid)
		put(c.Uniqueid)
	}
	return srv
}

// inspect runs a profile and returns the run, and its exit status.
func inspect(t *testing.T, srv *amitest.Server, profile string, flags run.Globals, options options) (*runtest.Run, int) {
	t.Helper()
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: flags})
	options.args = []string{profileFile(t, profile)}
	return r, fail.Classify(check(t.Context(), r.Run, &options)).Exit
}

// basics are the checks of any server.
const basics = 5

// A section finds its things, and its thresholds judge their figures.
func TestSections(t *testing.T) {
	srv := busy(t)
	for name, test := range map[string]struct {
		profile string
		want    []string // each check: its name, its status and the figures that are asked for
		figures string
		exit    int
	}{
		"registrations": {
			"[[registrations]]\ncrit = \"registered=0\"",
			[]string{`registration trunk-a pass [1]`, `registration trunk-b fail [0]`},
			"registered", fail.ExitFailed,
		},
		"by their state":   {"[[registrations]]\nname = \"trunk-?\"\nwarn = \"state IN (rejected,stopped)\"", []string{`registration trunk-a pass [1]`, `registration trunk-b warn [0]`}, "registered", fail.ExitFailed},
		"one by name":      {"[[registrations]]\nname = \"trunk-a\"\ncrit = \"registered=0\"", []string{`registration trunk-a pass [1]`}, "registered", fail.ExitOK},
		"one that is gone": {"[[registrations]]\nname = [\"trunk-a\", \"trunk-z\"]", []string{`registration trunk-z fail []`, `registration trunk-a pass [1]`}, "registered", fail.ExitFailed},
		"an endpoint":      {"[[endpoints]]\nname = \"PJSIP/alice\"\ncrit = \"reachable=0\"", []string{`endpoint alice pass [1,1]`}, "contacts,reachable", fail.ExitOK},
		"without contact":  {"[[endpoints]]\ncrit = \"contacts=0\"", []string{`endpoint alice pass [1,1]`, `endpoint carol fail [0,0]`}, "contacts,reachable", fail.ExitFailed},
		"a queue": {
			"[[queues]]\nname = \"support\"\nwarn = \"callers>0\"\ncrit = \"available=0\"",
			[]string{`queue support warn [3,2,1,1]`},
			"members,unpaused,available,callers", fail.ExitFailed,
		},
		"of several":        {"[[queues]]\nname = \"s*\"\nwhere = \"members>0\"\ncrit = \"unpaused<3\"", []string{`queue support fail [2]`}, "unpaused", fail.ExitFailed},
		"not the named one": {"[[queues]]\nname = \"support\"\nwhere = \"members>99\"", []string{`queue support pass []`}, "members", fail.ExitOK},
		"none is chosen":    {"[[queues]]\nwhere = \"members>99\"", []string{`queues pass []`}, "members", fail.ExitOK},
		"by old lists":      {"queues = [\"support\", \"sales\"]\nendpoints = [\"alice\", \"carol\"]", []string{`endpoints fail []`, `queue support pass [2]`, `queue sales fail [0]`}, "unpaused", fail.ExitFailed},
		"mixed":             {`queues = ["support", {name = "sales", title = "the other"}]`, []string{`queue support pass [3]`, `the other sales pass [0]`}, "members", fail.ExitOK},
		"a conference":      {"[[conferences]]\nname = [\"7000\", \"7001\"]\ncrit = \"parties<1\"", []string{`conference 7001 fail [0]`, `conference 7000 pass [1]`}, "parties", fail.ExitFailed},
		"a count":           {"[[channels]]\ncrit = \"count>1\"", []string{`channels fail [2]`}, "count", fail.ExitFailed},
		"stuck channels":    {"[[channels]]\ntitle = \"stuck\"\nwhere = \"duration>30m && endpoint=~^PJSIP\"\nwarn = \"count>0\"", []string{`stuck warn [2,3600]`}, "count,longest", fail.ExitFailed},
		"the longest call":  {"[[calls]]\nwarn = \"longest>2h\"\ncrit = \"longest>59m\"", []string{`calls fail [2,3600]`}, "count,longest", fail.ExitFailed},
		"paused members":    {"[[members]]\nwhere = \"paused=true\"\nwarn = \"count>1\"", []string{`members paused=true pass [1]`}, "count", fail.ExitOK},
		"a long pause":      {"[[members]]\nwhere = \"queue=support && duration>=0\"\ncrit = \"count=1\"", []string{`members queue=support && duration>=0 fail [1]`}, "count", fail.ExitFailed},
		"a count of things": {"[[endpoints]]\nwhere = \"contacts=0\"\ncrit = \"count>0\"", []string{`endpoints contacts=0 fail [1]`}, "count", fail.ExitFailed},
		"by the node":       {"[[calls]]\ncrit = \"node=pbx1 && count>1\"\nwarn = \"node=pbx2\"", []string{`calls fail [2]`}, "count", fail.ExitFailed},
		"a server":          {"[server]\ntitle = \"the server\"\nwarn = \"uptime<1h\"\ncrit = \"processed<0\"", []string{`the server warn []`}, "nosuch", fail.ExitFailed},
		"a slow Ping":       {"[ping]\nwarn = \"rtt>0.000000001\"", nil, "", fail.ExitFailed},
		"one name twice":    {"[[calls]]\n[[calls]]", []string{`calls pass [2]`, `calls (2) pass [2]`}, "count", fail.ExitOK},
		"a command": {
			"[[command]]\nrun = \"core show channels count\"\nexpect = '(?P<now>\\d+) active channels?\\n(?P<calls>\\d+)'\ntitle = \"busy\"\ncrit = \"now>1\"",
			[]string{`busy fail [2]`},
			"now", fail.ExitFailed,
		},
		"no bridge":         {"[[channels]]\nwhere = \"bridge= && hold=false\"\nwarn = \"count<3\"", []string{`channels bridge="" && hold=false warn [1]`}, "count", fail.ExitFailed},
		"how many contacts": {"[[endpoints]]\nwhere = \"contacts>0\"\ncrit = \"contacts<1\"", []string{`endpoint alice pass [1]`}, "contacts", fail.ExitOK},
		"another output":    {"[[command]]\nrun = \"core show version\"\nexpect = \"FreeSWITCH\"", []string{`command core show version fail []`}, "", fail.ExitFailed},
		"a bad word":        {"[[command]]\nrun = \"core show version\"\nreject = \"^Asterisk\"", []string{`command core show version fail []`}, "", fail.ExitFailed},
	} {
		t.Run(name, func(t *testing.T) {
			r, exit := inspect(t, srv, test.profile, run.Globals{}, options{})
			if exit != test.exit {
				t.Errorf("status %d, want %d: %s", exit, test.exit, r.Err)
			}
			var got []string
			for _, o := range gjson.Parse("[" + strings.ReplaceAll(strings.TrimSpace(r.Out.String()), "\n", ",") + "]").Array()[basics:] {
				values := []string{}
				for _, name := range strings.Split(test.figures, ",") {
					if v := o.Get("figures." + name); name != "" && v.Exists() {
						values = append(values, v.Raw)
					}
				}
				got = append(got, o.Get("check").String()+" "+o.Get("status").String()+" ["+strings.Join(values, ",")+"]")
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s%s", diff, r.Out)
			}
		})
	}
}

// Parts share what they are made of: the channels are asked for once.
func TestListsAreAskedForOnce(t *testing.T) {
	srv := busy(t)
	asked := 0
	srv.Handle("CoreShowChannels", func(_ *amitest.Request, w *amitest.ResponseWriter) {
		asked++
		w.ListStart("Channels will follow")
		w.ListEnd("CoreShowChannelsComplete")
	})
	_, exit := inspect(t, srv, "[[calls]]\n[[channels]]\n[[callers]]\n[[queues]]\n[[conferences]]\n", run.Globals{}, options{})
	if asked != 1 || exit != fail.ExitOK {
		t.Errorf("the channels were asked for %d times, status %d", asked, exit)
	}
}

// What the user may not ask is skipped. Where the profile demands something it is not known, which is not well.
func TestRightsThatLack(t *testing.T) {
	user := amitest.User{Name: amitest.DefaultUser, Secret: amitest.DefaultSecret, Write: amitest.ParseClass("agent")}
	srv := busy(t, amitest.WithUsers(user))
	for name, test := range map[string]struct {
		profile, want string
		exit          int
		level         string
	}{
		"nothing is asked":  {"[server]\n[[registrations]]\n[[endpoints]]\n[[channels]]\n[[command]]\nrun = \"core show uptime\"", `["skip","skip","skip","skip","skip"]`, fail.ExitOK, "OK"},
		"a threshold asks":  {"[server]\nwarn = \"processed>5\"\n[[registrations]]\ncrit = \"registered=0\"\n[[channels]]\nwarn = \"count>3\"", `["unknown","unknown","unknown"]`, fail.ExitFailed, "UNKNOWN"},
		"what must be":      {"modules = [\"app_queue\"]\nendpoints = [\"alice\"]\n[[command]]\nrun = \"core show uptime\"\nexpect = \"up\"\n[call]\nchannel = \"Local/1@x\"\nexten = \"1\"", `["unknown","unknown","unknown","unknown"]`, fail.ExitFailed, "UNKNOWN"},
		"what may be asked": {"[[queues]]\nname = \"support\"\ncrit = \"available=0\"\n[[endpoints]]\nname = \"alice\"\ncrit = \"reachable=0\"", `["unknown","pass"]`, fail.ExitFailed, "UNKNOWN"},
	} {
		t.Run(name, func(t *testing.T) {
			r, exit := inspect(t, srv, test.profile, run.Globals{}, options{})
			all := gjson.Get(r.Out.String(), "..#.status").Array()
			var got []string
			for _, s := range all[basics:] {
				got = append(got, s.Raw)
			}
			if list := "[" + strings.Join(got, ",") + "]"; list != test.want || exit != test.exit {
				t.Errorf("%s with status %d, want %s with %d:\n%s", list, exit, test.want, test.exit, r.Out)
			}
			r, _ = inspect(t, srv, test.profile, run.Globals{Output: "nagios"}, options{})
			if !strings.HasPrefix(r.Out.String(), "ASTERISK "+test.level+" - ") {
				t.Errorf("printed %s", r.Out)
			}
		})
	}
}

// A threshold on what is not known leaves the rest judged.
func TestServerOfLittleKnowledge(t *testing.T) {
	srv := busy(t)
	srv.Handle("CoreStatus", func(_ *amitest.Request, w *amitest.ResponseWriter) {
		w.Reply("Success", amitest.Header{Name: "CoreStartupDate", Value: "2026-01-02"}, amitest.Header{Name: "CoreStartupTime", Value: "03:04:05"})
	})
	srv.Handle("Getvar", func(_ *amitest.Request, w *amitest.ResponseWriter) {
		w.Reply("Success", amitest.Header{Name: "Value", Value: "2026-01-02 03:14:05"})
	})
	srv.State().SetCommand("core show calls", func(string) (string, bool) { return "0 active calls\n1 call processed\n", true })
	for name, test := range map[string]struct{ profile, want string }{
		"what is known":     {"[server]\nwarn = \"uptime<10m\"", `pass {"processed":1,"uptime":600}`},
		"met":               {"[server]\nwarn = \"uptime<=10m && processed=1\"", `warn {"processed":1,"uptime":600}`},
		"what is not":       {"[server]\nwarn = \"reload<10m\"", `unknown {"processed":1,"uptime":600}`},
		"met all the same":  {"[server]\nwarn = \"reload<10m\"\ncrit = \"reload<1h || uptime>5m\"", `fail {"processed":1,"uptime":600}`},
		"perhaps worse":     {"[server]\nwarn = \"uptime>5m\"\ncrit = \"reload<1h\"", `unknown {"processed":1,"uptime":600}`},
		"neither is judged": {"[server]", `pass {"processed":1,"uptime":600}`},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := inspect(t, srv, test.profile, run.Globals{}, options{})
			got := gjson.Get(r.Out.String(), `..#(check=="server")`)
			if text := got.Get("status").String() + " " + got.Get("figures").Raw; text != test.want {
				t.Errorf("it is %s, want %s: %s", text, test.want, got.Raw)
			}
		})
	}
}

// Without the server's clock nobody knows how long it has been up: ours may be in another zone.
func TestServerWithoutClock(t *testing.T) {
	srv := busy(t)
	srv.Handle("Getvar", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Error("Permission denied") })
	r, _ := inspect(t, srv, "[server]\nwarn = \"uptime<10m\"", run.Globals{}, options{})
	got := gjson.Get(r.Out.String(), `..#(check=="server")`)
	if got.Get("status").Str != "unknown" || got.Get("figures.uptime").Exists() {
		t.Errorf("it is %s", got.Raw)
	}
}
