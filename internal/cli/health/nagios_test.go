package health

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/nagios"
	"github.com/apntalk/amictl/internal/cli/run"
)

// A threshold on what is not known is UNKNOWN, and no figure that is not known is 0.
func TestNagiosOfWhatIsNotKnown(t *testing.T) {
	up := func() checkup {
		return checkup{node: "up", ping: time.Millisecond, login: time.Millisecond, uptime: time.Hour, calls: 5, channels: 9}
	}
	with := func(change func(h *checkup)) checkup { h := up(); change(&h); return h }
	noCalls := with(func(h *checkup) { h.node, h.calls, h.channels, h.refused = "rights", -1, -1, true })
	noPing := with(func(h *checkup) { h.node, h.ping, h.degraded = "slow", 0, "ping: no answer" })
	noUptime := with(func(h *checkup) { h.node, h.uptime = "clock", -1 })
	noLogin := with(func(h *checkup) { h.node, h.login = "watched", 0 })
	down := newCheckup("down")
	down.err = errors.New("away")
	config := newCheckup("config")
	config.err = fail.Config("", "wrong")
	for name, tt := range map[string]struct {
		found      []checkup
		warn, crit string
		min        string
		level      int
		perf       string
		says       string
	}{
		"all known":                       {[]checkup{up()}, "calls>9", "channels>20", "", nagios.OK, "calls=5;~:9;;0 channels=9;;~:20;0 ping_max=0.001s;;;0", "OK"},
		"of several no bound":             {[]checkup{up(), up()}, "calls>9", "ping>1s", "", nagios.OK, "calls=10;;;0 channels=18;;;0 ping_max=0.001s;;;0", "OK"},
		"nothing asked":                   {[]checkup{noCalls}, "", "", "", nagios.OK, "calls=U;;;0 channels=U;;;0 ping_max=0.001s;;;0", "OK"},
		"critical not known":              {[]checkup{noCalls}, "", "calls>400", "", nagios.Unknown, "calls=U;;~:400;0 channels=U;;;0", "rights: not known: calls>400"},
		"warning not known":               {[]checkup{noCalls}, "channels>=1", "", "", nagios.Unknown, "calls=U", "not known: channels>=1"},
		"below":                           {[]checkup{noCalls}, "", "calls<1", "", nagios.Unknown, "calls=U", "UNKNOWN"},
		"not equal":                       {[]checkup{noCalls}, "", "calls!=0", "", nagios.Unknown, "calls=U", "UNKNOWN"},
		"ping":                            {[]checkup{noPing}, "", "ping>1s", "", nagios.Unknown, "ping_max=U;;~:1;0", "not known: ping>1s"},
		"uptime":                          {[]checkup{noUptime}, "uptime<5m", "", "", nagios.Unknown, "calls=5", "not known: uptime<5m"},
		"login":                           {[]checkup{noLogin}, "", "login>1s", "", nagios.Unknown, "calls=5", "not known: login>1s"},
		"one of two":                      {[]checkup{up(), noCalls}, "", "calls>400", "", nagios.Unknown, "calls=U;;;0 channels=U;;;0", "UNKNOWN"},
		"another threshold is met":        {[]checkup{noCalls}, "", "calls>400 ping>0.5ms", "", nagios.Critical, "calls=U", "CRITICAL"},
		"another node is critical":        {[]checkup{noCalls, up()}, "", "calls>4", "", nagios.Critical, "calls=U", "CRITICAL"},
		"another warning is met":          {[]checkup{noCalls}, "calls>4 ping>0.5ms", "", "", nagios.Unknown, "calls=U", "UNKNOWN"},
		"down":                            {[]checkup{down}, "", "calls>400", "", nagios.Critical, "calls=U;;~:400;0 channels=U;;;0 ping_max=U;;;0", "CRITICAL"},
		"one down":                        {[]checkup{up(), down}, "", "", "", nagios.Critical, "calls=U;;;0 channels=U;;;0 ping_max=0.001s", "CRITICAL"},
		"several, the worst first":        {[]checkup{noPing, noCalls, down}, "", "calls>400", "", nagios.Critical, "calls=U", "1 of 3 nodes ready; down: away; slow: ping: no answer; rights: not known: calls>400"},
		"wrong settings":                  {[]checkup{config}, "", "", "", nagios.Unknown, "calls=U", "UNKNOWN"},
		"enough are judged":               {[]checkup{up(), up(), noCalls}, "", "calls>400", "2", nagios.OK, "calls=U", "OK"},
		"enough are up, and not judged":   {[]checkup{up(), noCalls, noCalls}, "", "calls>400", "2", nagios.Unknown, "calls=U", "UNKNOWN"},
		"enough are up, nothing is asked": {[]checkup{up(), noCalls, down}, "", "", "2", nagios.OK, "calls=U", "OK"},
	} {
		t.Run(name, func(t *testing.T) {
			warn, err1 := parseRules(strings.Fields(tt.warn))
			crit, err2 := parseRules(strings.Fields(tt.crit))
			need, err3 := parseMinReady(tt.min, len(tt.found))
			if err := errors.Join(err1, err2, err3); err != nil {
				t.Fatal(err)
			}
			for i := range tt.found {
				tt.found[i].unjudged = nil
				tt.found[i].judge(warn, crit)
			}
			r := &look{form: run.OutputNagios, need: need, warn: warn, crit: crit}
			text := string(r.nagios(tt.found))
			if level := r.level(tt.found); level != tt.level {
				t.Errorf("level %d, want %d: %s", level, tt.level, text)
			}
			if !strings.Contains(text, tt.perf) || !strings.Contains(text, tt.says) {
				t.Errorf("%s does not hold %q and %q", text, tt.perf, tt.says)
			}
			if strings.Contains(text, "calls=0") || strings.Contains(text, "ping_max=0s") {
				t.Errorf("what is not known is 0: %s", text)
			}
		})
	}
}
