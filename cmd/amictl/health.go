package main

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

const healthHelp = `Examples:
  amictl health
  amictl health -o jsonl | jq 'select(.state!="ready")'
  amictl health --node 'pbx*' --connect-timeout 2s

For each node: can it be reached, does the login work, how long does a Ping take, version, channels, calls.
Exits 0 when all are ready, 1 when one is degraded, 6 when some cannot be reached, 3 or 4 when none can.`

func (a *app) healthCommand() *cli.Command {
	return &cli.Command{
		Name:        "health",
		Usage:       "check every node: login, ping time, version, channels, calls",
		Description: healthHelp,
		Action: func(ctx context.Context, c *cli.Command) error {
			if c.Args().Present() {
				return usageError("nodes are chosen with --node", "health takes no arguments, and got %q", c.Args().First())
			}
			return a.health(ctx)
		},
	}
}

// A checkup is what was found of one node.
type checkup struct {
	node     string
	at       time.Time
	err      error         // why it is not ready
	degraded string        // why it is degraded, "" if it is not
	login    time.Duration // dial to login answer
	ping     time.Duration
	banner   string
	version  string
	uptime   time.Duration // -1: unknown
	calls    int           // -1: unknown
	channels int           // -1: unknown
}

func (a *app) health(ctx context.Context) error {
	nodes, err := a.targets()
	if err != nil {
		return err
	}
	p, err := a.printer(records, len(nodes) > 1, len(nodes) > 1)
	if err != nil {
		return err
	}
	found := make([]checkup, len(nodes))
	slots := make(chan struct{}, mostDials)
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Go(func() {
			slots <- struct{}{}
			found[i] = a.examine(ctx, n)
			<-slots
		})
	}
	all.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for i := range found {
		if len(nodes) == 1 && found[i].err != nil { // one node: an error goes to standard error only
			return found[i].err
		}
		if err := p.Record(found[i].record()); err != nil {
			return err
		}
	}
	if err := p.Close(); err != nil {
		return err
	}
	a.noteLeft(p)
	for i := range found {
		if found[i].err != nil {
			a.complain(classify(found[i].err))
		}
	}
	return healthStatus(found)
}

// healthStatus is nil if all are ready; else its status is 1 for degraded, 6 for mixed, 3 or 4 for none.
func healthStatus(found []checkup) error {
	var down tally
	degraded := false
	for i := range found {
		if found[i].err != nil {
			down.add(classify(found[i].err).Exit)
		}
		degraded = degraded || found[i].degraded != ""
	}
	switch {
	case down.ended == len(found) && down.mixed:
		return silent(exitConnect)
	case down.ended == len(found):
		return silent(down.status)
	case down.ended > 0:
		return silent(exitMixed)
	case degraded:
		return silent(exitFailed)
	}
	return nil
}

// examine asks one node.
func (a *app) examine(ctx context.Context, n ami.Config) checkup {
	h := checkup{node: n.Name, uptime: -1, calls: -1, channels: -1}
	start := time.Now()
	c, err := a.dial(ctx, n)
	h.at = time.Now()
	if err != nil {
		h.err = err
		return h
	}
	defer leave(ctx, c)
	h.login = h.at.Sub(start)
	h.banner = c.Banner()
	if r, err := c.Do(ctx, ami.NewAction("Ping")); err != nil {
		h.degraded = "ping: " + classify(err).Message
	} else {
		h.ping = r.RTT
	}
	if r, err := c.Do(ctx, ami.NewAction("CoreSettings")); err == nil {
		h.version = r.Get("AsteriskVersion")
	} else {
		h.note("CoreSettings", err)
	}
	if r, err := c.Do(ctx, ami.NewAction("CoreStatus")); err == nil {
		h.calls = number(r.Get("CoreCurrentCalls"))
		h.uptime = uptime(r)
	} else {
		h.note("CoreStatus", err)
	}
	if r, err := c.Do(ctx, ami.NewAction("CoreShowChannels")); err == nil {
		h.channels = len(r.Events)
	} else {
		h.note("CoreShowChannels", err)
	}
	return h
}

// note marks the node degraded if an action failed for another reason than the user's rights.
func (h *checkup) note(action string, err error) {
	if classify(err).Code != codePermission && h.degraded == "" {
		h.degraded = action + ": " + classify(err).Message
	}
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}

// uptime compares the startup time with the server's own clock, which Asterisk does not send: it is its local time, so
// the result may be off by its time zone and is -1 when that makes it negative.
func uptime(r *ami.Reply) time.Duration {
	t, err := time.ParseInLocation("2006-01-02 15:04:05", r.Get("CoreStartupDate")+" "+r.Get("CoreStartupTime"), time.Local)
	if err != nil || time.Since(t) < 0 {
		return -1
	}
	return time.Since(t).Truncate(time.Second)
}

// record is the checkup as an object. What is unknown is absent.
func (h *checkup) record() output.Record {
	state, reason := "ready", ""
	var fail failure
	switch {
	case h.err != nil:
		fail = classify(h.err)
		state, reason = "down", fail.Message
		if errors.Is(h.err, ami.ErrUnauthorized) {
			state = "login-refused"
		}
	case h.degraded != "":
		state, reason = "degraded", h.degraded
	}
	r := output.Record{
		{Key: "type", Value: "health"},
		{Key: "node", Value: h.node},
		{Key: "time", Value: h.at, Text: h.at.Local().Format(time.TimeOnly)},
		{Key: "state", Value: state},
		{Key: "login_us", Value: known(h.login.Microseconds(), h.err == nil), Text: span(h.login)},
		{Key: "ping_us", Value: known(h.ping.Microseconds(), h.ping > 0), Text: span(h.ping)},
		{Key: "version", Value: text0(h.version)},
		{Key: "uptime_s", Value: known(int64(h.uptime.Seconds()), h.uptime >= 0), Text: span(h.uptime)},
		{Key: "calls", Value: known(int64(h.calls), h.calls >= 0)},
		{Key: "channels", Value: known(int64(h.channels), h.channels >= 0)},
		{Key: "banner", Value: text0(strings.TrimPrefix(h.banner, "Asterisk Call Manager/"))},
		{Key: "code", Value: text0(string(fail.Code))},
		{Key: "reason", Value: text0(reason)},
	}
	return r
}

// known returns n, or nil, which is left out, if it is not known.
func known(n int64, is bool) any {
	if !is {
		return nil
	}
	return n
}

// text0 returns s, or nil, which is left out, if it is empty.
func text0(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func span(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return output.Duration(d)
}
