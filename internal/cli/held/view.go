package held

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/internal/objects"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
	"github.com/apntalk/amictl/pkg/output"
)

// A View is what of the state is shown, and where.
type View struct {
	Run   *run.Run
	Nodes []ami.Config
	Parts []*objects.Part // that are asked for
	Where *ami.Where
	Out   *output.Printer
	Form  output.Options
	bus   *target.Bus
	said  map[string]bool // notes
}

// NewView reads what the flags say of it. bus may say that the servers are followed over one; nil: there are no servers, and the
// objects are of a record.
func NewView(ctx context.Context, r *run.Run, parts []*objects.Part, where flags.List, kind run.Stream, bus *target.Bus) (*View, error) {
	v := &View{Run: r, Parts: parts, bus: bus, said: make(map[string]bool)}
	var err error
	if v.Where, err = act.ParseWhere(r, where); err != nil {
		return nil, err
	}
	if err := checkWhere(v.Where, parts); err != nil {
		return nil, err
	}
	if bus != nil {
		if v.Nodes, err = bus.Followed(ctx, r); err != nil {
			return nil, err
		}
	}
	if v.Form, err = r.OutputOptions(run.Records); err != nil {
		return nil, err
	}
	if kind == run.Endless && v.Form.Format == output.CSV && len(v.Form.Fields) == 0 {
		return nil, run.NeedsFields("node," + strings.Join(parts[0].Main(8), ","))
	}
	v.Out, err = r.Printer(kind, len(v.Nodes) > 1, true)
	return v, err
}

// Has reports whether a part is asked for.
func (v *View) Has(kind state.Kind) bool { return v.Part(kind) != nil }

// Part returns the part of a kind that is asked for, nil if it is not.
func (v *View) Part(kind state.Kind) *objects.Part {
	if i := slices.IndexFunc(v.Parts, func(p *objects.Part) bool { return p.Kind == kind }); i >= 0 {
		return v.Parts[i]
	}
	return nil
}

// Kinds are what the servers are asked for: of nodes alone, all that says how they are known.
func (v *View) Kinds() (kinds []state.Kind) {
	if len(v.Parts) == 1 && v.Has(state.KindNode) {
		return nil
	}
	for _, p := range v.Parts {
		kinds = append(kinds, p.Kind)
	}
	return kinds
}

// Meets reports whether an object of a part that is asked for meets the condition at a moment.
func (v *View) Meets(p *objects.Part, node string, record output.Record, at time.Time) bool {
	return v.Where == nil || v.Where.MatchFields(node, p.Fields(record, at))
}

// IsTable reports whether people read it.
func (v *View) IsTable() bool { return v.Form.Format == output.TableText }

// NoteLacking tells once of what is asked for and not known of a node.
func (v *View) NoteLacking(n *state.Node) {
	for _, text := range v.lacking(n) {
		if !v.said[text] {
			v.said[text] = true
			v.Run.Note("%s", text)
		}
	}
}

// Snapshot prints what there is once every node was listed, or failed.
func (v *View) Snapshot(ctx context.Context) error {
	w, err := Follow(ctx, v.Run, v.Nodes, state.Options{Kinds: v.Kinds(), Audit: -1})
	if err != nil {
		return err
	}
	defer w.Finish(ctx)
	failed := w.settle(ctx)
	if run.BySignal(ctx) {
		return ctx.Err()
	}
	held := w.Watcher.Snapshot()
	for _, n := range held.Nodes {
		if failed[n.Node] == nil {
			v.NoteLacking(n)
		}
	}
	printed, err := v.print(held)
	if err != nil {
		return err
	}
	if printed == 0 && len(failed) == 0 && v.IsTable() && run.IsTerminal(v.Run.Stdout) {
		v.noteEmpty()
	}
	err = v.status(w.Cluster, failed)
	if ctx.Err() != nil { // --deadline: what came by then is on standard output
		err = ctx.Err()
	}
	return errors.Join(err, v.Out.Close())
}

// noteEmpty tells somebody at a terminal that nothing is the answer.
func (v *View) noteEmpty() {
	names := make([]string, len(v.Parts))
	for i, p := range v.Parts {
		names[i] = "no " + p.Name
	}
	text := strings.Join(names, ", ")
	if v.Where != nil {
		text += " that meet --where"
	}
	v.Run.Note("%s", text)
}

// print prints what meets the condition, a table a part: under its name, unless it is the only one. It counts what that is.
func (v *View) print(held *state.Snapshot) (printed int, err error) {
	now := time.Now()
	for o := range held.Objects() {
		p := v.Part(o.Kind())
		if p == nil {
			continue
		}
		record := p.Record(o)
		if !v.Meets(p, objects.TextOf(record, "node"), record, now) {
			continue
		}
		if len(v.Parts) > 1 {
			v.Out.Heading(p.Name)
		}
		if err := v.Out.Record(record); err != nil {
			return printed, err
		}
		printed++
	}
	return printed, nil
}

// status tells of the nodes that failed. One that is the only one is told of by whoever called.
func (v *View) status(c *ami.Cluster, failed map[string]error) error {
	var ends target.Tally
	var failures []fail.Failure
	away := 0
	for _, n := range c.Nodes() {
		err := failed[n.Name()]
		f := fail.Classify(err)
		ends.Add(f.Exit)
		if err == nil {
			continue
		}
		if len(v.Nodes) == 1 {
			return err
		}
		if f.Exit == fail.ExitConnect || f.Exit == fail.ExitLogin {
			away++
		}
		failures = append(failures, f)
		if err := v.Out.Failure(target.FailureObject(f, n.Name(), output.Origin{})); err != nil {
			return err
		}
	}
	v.Run.ComplainAll(failures)
	if away == len(v.Nodes) && ends.Mixed {
		return fail.Silent(fail.ExitConnect)
	}
	return ends.Err()
}

// lacking says which of the parts are not known of a node, and why.
func (v *View) lacking(n *state.Node) (notes []string) {
	var absent, denied []string
	for _, p := range v.Parts {
		switch n.Knows(p.Kind) {
		case state.Absent:
			absent = append(absent, p.Name)
		case state.Events:
			denied = append(denied, p.Name)
		}
	}
	if len(absent) > 0 {
		notes = append(notes, n.Node+": the server has no list of "+strings.Join(absent, ", "))
	}
	if len(denied) > 0 {
		remedy := "write=system,reporting,call in manager.conf allows it"
		if v.bus.Used() {
			remedy = "docs/bus.md has the actions that its user in `amictl serve --users`, and the bridge's in manager.conf, need"
		}
		notes = append(notes, n.Node+": the user may not list "+strings.Join(denied, ", ")+"; "+remedy)
	}
	return notes
}

// checkWhere refuses a condition that none of the parts can meet.
func checkWhere(where *ami.Where, parts []*objects.Part) error {
	if m := objects.Wrong(where, parts); m != nil {
		return fail.Usage(cmp.Or(m.Instead, fail.NearHint(m.Key, m.Keys, "-o jsonl shows the keys, and `amictl schema` describes them")), "%s", m.What)
	}
	return nil
}
