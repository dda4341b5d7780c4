package check

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/call"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
	"github.com/apntalk/amictl/pkg/output"
)

// A step is a check that needs a session, or what books several.
type step struct {
	name    string
	one     func(ctx context.Context) finding
	several func(ctx context.Context)
}

func (c *checker) steps() (steps []step) {
	p := c.profile
	if c.node.TLS != nil {
		steps = append(steps, step{name: "certificate", one: c.certificate})
	}
	steps = append(steps, step{name: p.pingTitle(), one: c.ping}, step{name: "booted", one: c.booted})
	if len(p.classes)+len(p.actions) > 0 {
		steps = append(steps, step{name: "rights", one: c.rights})
	}
	for _, m := range p.modules {
		steps = append(steps, step{name: "module " + m, one: func(ctx context.Context) finding { return c.module(ctx, m) }})
	}
	if p.server != nil {
		steps = append(steps, step{name: p.server.title, one: c.server})
	}
	if len(p.endpoints) > 0 {
		steps = append(steps, step{name: "endpoints", one: c.endpoints})
	}
	for i := range p.sections {
		s := &p.sections[i]
		steps = append(steps, step{name: s.label(), several: func(ctx context.Context) { c.section(ctx, s) }})
	}
	for i := range p.commands {
		steps = append(steps, step{name: p.commands[i].title, one: func(ctx context.Context) finding { return c.command(ctx, &p.commands[i]) }})
	}
	if p.call != nil {
		steps = append(steps, step{name: "call", one: c.call})
	}
	return steps
}

func (c *checker) certificate(context.Context) finding {
	days := int(time.Until(c.expiry).Hours() / 24)
	text := "valid until " + c.expiry.UTC().Format(time.DateOnly)
	if days < c.profile.tlsDays {
		return unlike("the certificate is %s, %s from now; the profile wants %d", text, fail.Count(days, "day"), c.profile.tlsDays)
	}
	return finding{detail: text}
}

// pingFigure is the round trip of a Ping.
var pingFigure = []figure{{"rtt", "s", "ami_check_ping_seconds", "Round trip of a Ping."}}

func (p *profile) pingTitle() string {
	if p.ping != nil {
		return p.ping.title
	}
	return "ping"
}

func (c *checker) ping(ctx context.Context) finding {
	r, err := c.conn.Do(ctx, ami.NewAction("Ping"))
	if err != nil {
		return failing(c.node.Name, err)
	}
	var t thresholds
	if c.profile.ping != nil {
		t = c.profile.ping.thresholds
	}
	figures := measure(pingFigure, []float64{r.RTT.Seconds()}, t, "", "")
	known, unknown := fields(figures)
	how, why := t.judge(c.node.Name, known, unknown)
	return judged(how, why, "answered in "+output.Duration(r.RTT), figures)
}

// denied reports whether a server refused an action for want of rights.
func denied(err error) bool { return fail.Classify(err).Code == fail.CodePermission }

// booted asks for CoreStatus, which a server that has not finished booting refuses. A user without rights cannot know.
func (c *checker) booted(ctx context.Context) finding {
	r, err := c.conn.Do(ctx, ami.NewAction("CoreStatus"))
	switch {
	case denied(err):
		return c.notAllowed(false, "system or reporting")
	case err != nil:
		return failing(c.node.Name, err)
	case r.Get("CoreStartupTime") == "":
		return unlike("the server has not finished booting")
	}
	return finding{detail: "since " + r.Get("CoreStartupDate") + " " + r.Get("CoreStartupTime") + ", its time"}
}

// rights reads ListCommands, which shows each user only what that one may send: a class is there if an action is that
// needs this one alone.
func (c *checker) rights(ctx context.Context) finding {
	r, err := c.conn.Do(ctx, ami.NewAction("ListCommands"))
	if err != nil {
		return failing(c.node.Name, err)
	}
	held := make(map[string]bool)
	for name, text := range r.All() {
		if name == "" {
			continue
		}
		held["action "+strings.ToLower(name)] = true
		if classes := act.LiveClasses(text); len(classes) == 1 {
			held["class "+classes[0]] = true
		}
	}
	var missing []string
	for _, class := range c.profile.classes {
		if !held["class "+strings.ToLower(class)] {
			missing = append(missing, "class "+class)
		}
	}
	for _, action := range c.profile.actions {
		if !held["action "+strings.ToLower(action)] {
			missing = append(missing, "action "+action)
		}
	}
	if len(missing) > 0 {
		return unlike("the user lacks %s", strings.Join(missing, ", "))
	}
	return finding{detail: strconv.Itoa(len(c.profile.classes)+len(c.profile.actions)) + " held"}
}

func (c *checker) module(ctx context.Context, name string) finding {
	_, err := c.conn.Do(ctx, moduleCheck(name))
	var refused *ami.ResponseError
	switch {
	case denied(err):
		return c.notAllowed(true, "system")
	case errors.As(err, &refused) && fail.Classify(err).Code == fail.CodeRefused:
		return unlike("not loaded: %s", refused.Message)
	case err != nil:
		return failing(c.node.Name, err)
	}
	return finding{detail: "loaded"}
}

// endpoints wants PJSIP endpoints that can be called: one is "unavailable" without a contact that answers.
func (c *checker) endpoints(ctx context.Context) finding {
	h, err := c.list(ctx, partOf("endpoints"))
	switch {
	case err != nil:
		return failing(c.node.Name, err)
	case h.Nodes[0].Knows(state.KindEndpoint) == state.Events:
		return c.notAllowed(true, listClasses)
	}
	states := make(map[string]string)
	for _, e := range h.Endpoints {
		states[e.Name] = e.State
	}
	var bad []string
	for _, name := range c.profile.endpoints {
		state, known := states["PJSIP/"+name]
		switch {
		case !known:
			bad = append(bad, name+" is unknown")
		case slices.Contains([]string{"unavailable", "invalid", "unknown"}, state):
			bad = append(bad, name+" is "+state)
		}
	}
	if len(bad) > 0 {
		return unlike("%s", strings.Join(bad, ", "))
	}
	return finding{detail: strconv.Itoa(len(c.profile.endpoints)) + " reachable"}
}

// commandMetric is the metric of what commands print.
const commandMetric = "ami_check_command"

// command runs a command. What the named groups of its expect match are its figures.
func (c *checker) command(ctx context.Context, k *commandCheck) finding {
	r, err := c.conn.Do(ctx, k.action())
	switch {
	case denied(err):
		return c.notAllowed(k.expect != nil || k.reject != nil, "command")
	case err != nil:
		return failing(c.node.Name, err)
	}
	text := act.OutputText(r)
	if k.reject != nil {
		if found := k.reject.FindString(text); k.reject.MatchString(text) {
			return unlike("the output matches reject: %s", found)
		}
	}
	if k.expect == nil {
		return finding{}
	}
	match := k.expect.FindStringSubmatch(text)
	if match == nil {
		return unlike("%s", act.Unmatched(text, "expect = '"+strings.TrimPrefix(k.expect.String(), "(?m)")+"'"))
	}
	return c.groups(k, match)
}

// groups judges what the named groups of a command's expect matched.
func (c *checker) groups(k *commandCheck, match []string) finding {
	var figures []measured
	var there []string
	matched := func(yield func(string, string) bool) {
		for i, name := range k.expect.SubexpNames() {
			if name != "" && match[i] != "" && !yield(name, match[i]) {
				return
			}
		}
	}
	for name, value := range matched {
		there = append(there, name+" "+value)
		v, err := strconv.ParseFloat(value, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		of := []figure{{name: name, metric: commandMetric, help: "What a named group of a command's expect matched."}}
		figures = append(figures, measure(of, []float64{v}, k.thresholds, "figure", name)...)
	}
	how, why := k.judge(c.node.Name, matched, nil)
	return judged(how, why, strings.Join(there, ", "), figures)
}

func (c *checker) call(ctx context.Context) finding {
	action, err := c.profile.call.action(c.run)
	if err != nil {
		return failing(c.node.Name, err)
	}
	r, err := c.conn.Do(ctx, action)
	switch {
	case denied(err):
		return c.notAllowed(true, "originate")
	case err != nil:
		return failing(c.node.Name, call.Hint(err))
	}
	return finding{detail: r.Outcome().String()}
}

// serverFigures are those of a server as a whole.
var serverFigures = []figure{
	{"uptime", "s", "ami_check_server_uptime_seconds", "Time since the server started."},
	{"reload", "s", "ami_check_server_reload_seconds", "Time since the server was last reloaded."},
	{"processed", "c", "ami_check_server_calls_total", "Calls that the server has processed."},
}

// server reads how long the server has been up, by its own clock, and how many calls it has processed.
func (c *checker) server(ctx context.Context) finding {
	t := c.profile.server.thresholds
	r, err := c.conn.Do(ctx, ami.NewAction("CoreStatus"))
	if err != nil && !denied(err) {
		return failing(c.node.Name, err)
	}
	values := []float64{math.NaN(), math.NaN(), math.NaN()}
	if err == nil {
		clock, err := target.Clock(ctx, c.conn)
		if err != nil && !errors.As(err, new(*ami.ResponseError)) { // a refusal leaves it unknown
			return failing(c.node.Name, err)
		}
		values[0], values[1] = sinceStamp(r, "CoreStartup", clock), sinceStamp(r, "CoreReload", clock)
		if values[2], err = c.processed(ctx, r); err != nil {
			return failing(c.node.Name, err)
		}
	}
	figures := measure(serverFigures, values, t, "", "")
	known, unknown := fields(figures)
	if len(unknown) == len(figures) {
		return c.notAllowed(t.asks(), "system or reporting")
	}
	how, why := t.judge(c.node.Name, known, unknown)
	return judged(how, why, words(figures, t), figures)
}

// sinceStamp is how long ago something was that CoreStatus tells of, in seconds; NaN if it does not.
func sinceStamp(r *ami.Reply, what string, clock time.Time) float64 {
	if ago, known := target.Since(r, what, clock); known {
		return ago.Seconds()
	}
	return math.NaN()
}

// processed is how many calls the server has processed; NaN if it does not say. Of older servers only a command tells.
func (c *checker) processed(ctx context.Context, status *ami.Reply) (float64, error) {
	text := status.Get("CoreProcessedCalls")
	if text == "" {
		r, err := c.conn.Do(ctx, ami.NewAction("Command", "Command", "core show calls"))
		switch {
		case err == nil:
			for line := range r.Output() {
				if f := strings.Fields(line); len(f) == 3 && f[2] == "processed" {
					text = f[0]
				}
			}
		case !errors.As(err, new(*ami.ResponseError)):
			return math.NaN(), err
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return math.NaN(), nil //nolint:nilerr // it is not known
	}
	return n, nil
}
