package check

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/apntalk/amictl/internal/cli/config"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
	"github.com/apntalk/amictl/pkg/output"
)

// draft writes a profile of the one server from what it has now, for --init. Whatever stands in it holds now; what does not
// is in a comment.
func (n *inspection) draft(ctx context.Context) error {
	c := &checker{run: n.run, profile: n.profile, node: n.nodes[0]}
	c.connect(ctx)
	if c.conn == nil {
		return c.results[len(c.results)-1].err
	}
	defer target.Leave(ctx, c.conn)
	defer func() { n.run.NoteSent(c.conn.Stats().Ledger.Accepted) }()
	d := &draft{node: c.node.Name}
	d.line("# What `amictl check` looks at, from what %s had at %s.", output.Safe(c.node.Name), time.Now().Format("2006-01-02 15:04"))
	d.line("# Everything that is not commented out held then. Adjust the limits to your needs; `amictl check --help` explains them.")
	for _, draw := range []func(ctx context.Context, c *checker) error{d.server, d.registrations, d.endpoints, d.queues, d.counts} {
		if err := draw(ctx, c); err != nil {
			return err
		}
	}
	return n.sheet.Write([]byte(d.text.String()))
}

// A draft is a profile that is being written.
type draft struct {
	node string
	text strings.Builder
}

func (d *draft) line(format string, args ...any) { fmt.Fprintf(&d.text, format+"\n", args...) }

// table begins a table, behind a remark about what there is now.
func (d *draft) table(name, format string, args ...any) {
	d.line("\n# %s", output.Safe(fmt.Sprintf(format, args...)))
	d.line("%s", name)
}

// limit writes a threshold, in a comment if something meets it now.
func (d *draft) limit(key, condition string, now ...finding) {
	w, err := ami.ParseWhere(condition)
	if err != nil {
		panic(err) // it is one of ours
	}
	met := slices.ContainsFunc(now, func(f finding) bool {
		known, _ := fields(f.figures)
		return w.MatchFields(d.node, known)
	})
	if met {
		d.line("# %s = %s  # met now", key, config.TOMLString(condition))
	} else {
		d.line("%s = %s", key, config.TOMLString(condition))
	}
}

// globQuoter has names found by themselves alone.
var globQuoter = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

// names writes the names of things.
func (d *draft) names(titles []string) {
	quoted := make([]string, len(titles))
	for i, title := range titles {
		quoted[i] = config.TOMLString(globQuoter.Replace(title))
	}
	switch {
	case len(quoted) == 1:
		d.line("name = %s", quoted[0])
	case len(strings.Join(quoted, ", ")) < 100:
		d.line("name = [%s]", strings.Join(quoted, ", "))
	default:
		d.line("name = [\n  %s,\n]", strings.Join(quoted, ",\n  "))
	}
}

// remark lists a few of many in a comment.
func (d *draft) remark(what string, titles []string) {
	const most = 20
	if len(titles) == 0 {
		return
	}
	more := ""
	if len(titles) > most {
		more = fmt.Sprintf(" and %d more", len(titles)-most)
		titles = titles[:most]
	}
	for i, title := range titles {
		titles[i] = output.Safe(config.TOMLString(title))
	}
	d.line("# %s: %s%s", what, strings.Join(titles, ", "), more)
}

// server writes the parts about the server as a whole.
func (d *draft) server(ctx context.Context, c *checker) error {
	ping := c.ping(ctx)
	if ping.err != nil {
		return ping.err
	}
	d.table("[ping]", "It %s.", ping.detail)
	d.limit("warn", "rtt>100ms", ping)
	d.limit("crit", "rtt>1s", ping)
	c.profile.server = &figures{title: "server"}
	found := c.server(ctx)
	switch found.status {
	case passed:
		d.table("[server]", "Now: %s. These find a restart that nobody wanted.", found.detail)
		d.limit("warn", "uptime<15m", found)
	case skipped:
		d.line("\n# [server]: %s", found.detail)
	default:
		return found.err
	}
	return nil
}

// findings measures all things of a part: their titles, and what there is of each. denied is what says that the user may not
// list them, or not all.
func (d *draft) findings(ctx context.Context, c *checker, name string) (titles []string, found []finding, denied bool, err error) {
	s := &section{part: partOf(name)}
	h, err := c.list(ctx, s.part)
	if err != nil {
		return nil, nil, false, err
	}
	things := ofKind(h.Snapshot, s.kind)
	if s.looksAtContacts() {
		if err := c.askContacts(ctx, h, things); err != nil {
			return nil, nil, false, err
		}
	}
	for _, o := range things {
		if title := s.part.title(o); title != "" && !strings.ContainsFunc(title, unicode.IsControl) {
			titles = append(titles, title)
			found = append(found, s.judgeOne(d.node, s.thing(h, o)))
		}
	}
	return titles, found, h.Nodes[0].Knows(s.kind) == state.Events, nil
}

// denied tells in a comment of a part that the user may not list.
func (d *draft) denied(name string) {
	d.line("\n# [[%s]]: the user may not list all of them: that needs %s in write=", name, listClasses)
}

// split tells the things that are well by their figure from those that are not.
func split(titles []string, found []finding, figure string) (well, ill []string, of []finding) {
	for i := range titles {
		if found[i].known()[figure] > 0 {
			well, of = append(well, titles[i]), append(of, found[i])
		} else {
			ill = append(ill, titles[i])
		}
	}
	return well, ill, of
}

func (d *draft) registrations(ctx context.Context, c *checker) error {
	titles, found, denied, err := d.findings(ctx, c, "registrations")
	if err != nil {
		return err
	}
	if denied {
		d.denied("registrations")
	}
	well, ill, of := split(titles, found, "registered")
	if len(well) > 0 {
		d.table("[[registrations]]", "%s with others.", fail.Count(len(titles), "registration"))
		d.names(well)
		d.limit("crit", "registered=0", of...)
	}
	d.remark("Not registered now", ill)
	return nil
}

func (d *draft) endpoints(ctx context.Context, c *checker) error {
	titles, found, denied, err := d.findings(ctx, c, "endpoints")
	if err != nil {
		return err
	}
	if denied {
		d.denied("endpoints")
	}
	well, ill, of := split(titles, found, "reachable")
	if len(well) > 0 {
		d.table("[[endpoints]]", "%s, %d of them with a contact that may be reached.", fail.Count(len(titles), "endpoint"), len(well))
		d.names(well)
		d.limit("warn", "rtt>200ms", of...)
		d.limit("crit", "reachable=0", of...)
	}
	d.remark("Without such a contact now", ill)
	return nil
}

func (d *draft) queues(ctx context.Context, c *checker) error {
	titles, found, denied, err := d.findings(ctx, c, "queues")
	if err != nil {
		return err
	}
	if denied {
		d.denied("queues")
	}
	for i, title := range titles {
		d.table("[[queues]]", "Now: %s.", found[i].detail)
		d.names([]string{title})
		d.limit("warn", "callers>10 || wait>2m", found[i])
		d.limit("crit", "available=0", found[i])
	}
	return nil
}

// counts writes the parts about channels and calls.
func (d *draft) counts(ctx context.Context, c *checker) error {
	for _, part := range []struct{ name, title, where, warn string }{
		{"calls", "", "", "count>%d || longest>4h"},
		{"channels", "stuck channels", "duration>4h && application!=ConfBridge", "count>0"},
	} {
		s := &section{part: partOf(part.name), counts: true}
		h, err := c.list(ctx, s.part)
		switch {
		case err != nil:
			return err
		case h.Nodes[0].Knows(s.kind) != state.Listed:
			d.denied(part.name)
			continue
		}
		if part.where != "" {
			if s.where, err = ami.ParseWhere(part.where); err != nil {
				return err
			}
		}
		met := s.meeting(d.node, h, ofKind(h.Snapshot, s.kind))
		now := s.count(d.node, h, met)
		d.table("[["+part.name+"]]", "Now: %s.", now.detail)
		if part.title != "" {
			d.line("title = %s", config.TOMLString(part.title))
		}
		if part.where != "" {
			d.line("where = %s", config.TOMLString(part.where))
		}
		warn := part.warn
		if strings.Contains(warn, "%d") {
			warn = fmt.Sprintf(warn, roomFor(len(met)))
		}
		d.limit("warn", warn, now)
	}
	return nil
}

// roomFor is a limit for a number: three times as many, and a hundred at least.
func roomFor(n int) int { return max(100, (3*n+99)/100*100) }
