package health

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// A checkup is what was found of one node.
type checkup struct {
	node     string
	at       time.Time
	err      error         // why it is not ready
	degraded string        // why it is degraded, "" if it is not
	critical bool          // degraded so far that a --crit is met
	unjudged []string      // conditions of --warn and --crit about what is not known
	login    time.Duration // dial to login answer; 0: unknown
	ping     time.Duration
	banner   string
	version  string
	uptime   time.Duration // -1: unknown
	calls    int           // -1: unknown
	channels int           // -1: unknown
	refused  bool          // the user's rights leave some of this unknown
	watched  bool          // by a supervised node, which has a breaker
	stats    ami.NodeStats // of the session, or of the supervised node
}

// examine asks one node on a session of its own.
func examine(ctx context.Context, r *run.Run, n ami.Config) checkup {
	h := newCheckup(n.Name)
	start := time.Now()
	c, err := target.Dial(ctx, r, n)
	h.at = time.Now()
	if err != nil {
		h.fail(err)
		return h
	}
	defer target.Leave(ctx, c)
	h.login = h.at.Sub(start)
	h.banner = c.Banner()
	h.ask(ctx, c)
	h.stats = c.Stats()
	return h
}

// revisit asks a supervised node; first says that it may still be about to connect.
func revisit(ctx context.Context, r *run.Run, n *ami.Node, first bool) checkup {
	h := newCheckup(n.Name())
	h.watched = true
	if first {
		connecting, cancel := target.Connecting(ctx, r)
		h.err = n.Connect(connecting)
		cancel()
	} else if !n.Ready() {
		h.err = target.Absent(n)
	}
	h.at = time.Now()
	if h.err == nil {
		h.ask(ctx, n)
	}
	h.stats = n.Stats()
	h.banner = h.stats.Banner
	return h
}

func newCheckup(node string) checkup { return checkup{node: node, uptime: -1, calls: -1, channels: -1} }

// fail books why there is no session.
func (h *checkup) fail(err error) {
	h.err = err
	h.stats = ami.NodeStats{Node: h.node, State: ami.StateDown, Breaker: "closed", Dials: 1}
	if errors.Is(err, ami.ErrUnauthorized) {
		h.stats.LoginFailures = 1
	} else {
		h.stats.DialFailures = 1
	}
}

// ask fills in what the node answers. A Ping that fails is not followed by more.
func (h *checkup) ask(ctx context.Context, d ami.Doer) {
	r, err := d.Do(ctx, ami.NewAction("Ping"))
	var refused *ami.ResponseError
	if errors.As(err, &refused) && refused.Relay && fail.Classify(err).Exit == fail.ExitConnect { // its bridge says that it is away
		h.err = &ami.OpError{Op: ami.OpDial, Node: h.node, Err: errors.New(refused.Message)}
		return
	}
	if errors.Is(err, ami.ErrStopping) { // it takes nothing any more, as one that takes no logins
		h.err = err
		return
	}
	if err != nil {
		h.degraded = "ping: " + fail.Classify(err).Message
		return
	}
	h.ping = r.RTT
	if r, err := d.Do(ctx, ami.NewAction("CoreSettings")); err == nil {
		h.version = r.Get("AsteriskVersion")
	} else {
		h.note("CoreSettings", err)
	}
	if r, err := d.Do(ctx, ami.NewAction("CoreStatus")); err == nil {
		h.askUptime(ctx, d, r)
	} else {
		h.note("CoreStatus", err)
	}
	if calls, channels, err := countChannels(ctx, d); err == nil {
		h.calls, h.channels = calls, channels
	} else {
		h.note("CoreShowChannels", err)
	}
}

// askUptime fills in how long the server has been up, by its own clock.
func (h *checkup) askUptime(ctx context.Context, d ami.Doer, status *ami.Reply) {
	clock, err := target.Clock(ctx, d)
	if err != nil {
		h.note("Getvar", err)
	}
	if ago, known := target.Since(status, "CoreStartup", clock); known {
		h.uptime = ago
	}
}

// note marks the node degraded if an action failed for another reason than the user's rights.
func (h *checkup) note(action string, err error) {
	switch {
	case fail.Classify(err).Code == fail.CodePermission:
		h.refused = true
	case h.degraded == "":
		h.degraded = action + ": " + fail.Classify(err).Message
	}
}

// judge applies the conditions of --warn and --crit. What is asked about a figure that is not known is neither met nor not.
func (h *checkup) judge(warn, crit []rule) {
	for _, rules := range [][]rule{crit, warn} {
		for i := range rules {
			if h.err == nil && !rules[i].known(h) {
				h.unjudged = append(h.unjudged, rules[i].text)
			}
		}
	}
	for i := range crit {
		if why, met := crit[i].met(h); met {
			h.degraded, h.critical = why, true
			return
		}
	}
	for i := range warn {
		if why, met := warn[i].met(h); met && h.degraded == "" {
			h.degraded = why
		}
	}
}

// state is a word for how the node is.
func (h *checkup) state() string {
	switch {
	case errors.Is(h.err, ami.ErrUnauthorized):
		return "login-refused"
	case errors.Is(h.err, ami.ErrStopping):
		return "stopping"
	case h.err != nil:
		return "down"
	case h.critical:
		return "critical"
	case h.degraded != "":
		return "degraded"
	}
	return "ready"
}

// reason says why the node is not ready, "" if it is.
func (h *checkup) reason() string {
	if h.err != nil {
		return fail.Classify(h.err).Message
	}
	return h.degraded
}

// record is the checkup as an object. What is unknown is absent.
func (h *checkup) record() output.Record {
	breaker := ""
	if h.watched {
		breaker = h.stats.Breaker
	}
	var why fail.Failure
	if h.err != nil {
		why = fail.Classify(h.err)
	}
	uptime := ""
	if h.uptime >= 0 {
		uptime = output.Duration(h.uptime)
	}
	return output.Record{
		{Key: "type", Value: "health"},
		{Key: "node", Value: h.node},
		{Key: "time", Value: h.at, Text: h.at.Local().Format(time.TimeOnly), Look: output.Minor},
		{Key: "state", Value: h.state(), Tone: h.tone()},
		{Key: "breaker", Value: run.OrAbsent(breaker)},
		{Key: "login_us", Value: known(h.login.Microseconds(), h.login > 0), Text: run.Span(h.login)},
		{Key: "ping_us", Value: known(h.ping.Microseconds(), h.ping > 0), Text: run.Span(h.ping)},
		{Key: "version", Value: run.OrAbsent(h.version)},
		{Key: "uptime_s", Value: known(int64(h.uptime.Seconds()), h.uptime >= 0), Text: uptime},
		{Key: "calls", Value: known(int64(h.calls), h.calls >= 0)},
		{Key: "channels", Value: known(int64(h.channels), h.channels >= 0)},
		{Key: "banner", Value: run.OrAbsent(strings.TrimPrefix(h.banner, "Asterisk Call Manager/")), Look: output.Minor},
		{Key: "code", Value: run.OrAbsent(string(why.Code))},
		{Key: "reason", Value: run.OrAbsent(h.reason()), Text: strings.TrimPrefix(h.reason(), h.node+": "), Look: output.Prose},
	}
}

// recordKeys are the keys of the objects.
func recordKeys([]string) (keys []string) {
	var h checkup
	for _, p := range h.record() {
		keys = append(keys, p.Key)
	}
	return keys
}

// tone is how a table colours the state.
func (h *checkup) tone() output.Tone {
	switch {
	case h.err != nil || h.critical:
		return output.Bad
	case h.degraded != "":
		return output.Doubtful
	}
	return output.Good
}

// known returns n, or nil, which is left out, if it is not known.
func known(n int64, is bool) any {
	if !is {
		return nil
	}
	return n
}
