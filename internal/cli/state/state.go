package state

import (
	"context"
	"errors"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/internal/cond"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
	"github.com/apntalk/amictl/pkg/output"
)

var help = `Examples:
  amictl state                        all there is, a table a part
  amictl state channels calls -n pbx1
  amictl state channels --where 'state=up && application=Queue'
  amictl state members --where paused=true -o csv --fields queue,name
  amictl state calls --query 'caller.number'
  amictl state callers --follow -o jsonl
  amictl state registrations --where 'state!=registered'

The parts are ` + strings.Join(partNames(), ", ") + `; without one it is all of them.
Each thing is one object: its "type", its "node" and its keys, which ` + "`amictl schema`" + ` describes. --where asks for these
keys, those of an object within by caller.number; an absent key meets != and !~ only.

--follow prints what there is and then what becomes of it: the whole object with "op" (add, change or remove), its "time"
and the keys that "changed". {"type":"synced"} says that a node has been listed whole. A node whose connection is lost says
"stale":true, and so is all that it held until it is synced again; what ended meanwhile is removed then. What comes to meet
--where is an add, what no longer meets it a remove. Without nodes among the parts, nodes come whatever --where says. An
object of type gap says that the reader was too slow: all before it is void, and what there is follows anew.

A node that is away is told of on standard error. What a server lacks, or the user may not list, is said once.
Exits 0 when all nodes were listed, 6 when some were, 3 or 4 when none could be reached, 5 when a list took too long.

` + cond.Grammar

// options are those of state.
type options struct {
	parts  []string
	where  flags.List
	follow bool
	length flags.Duration
}

// Command makes the subcommand.
func Command(r *run.Run) *cli.Command {
	o := &options{}
	return r.Tell(&cli.Command{
		Name:        "state",
		Usage:       "show what there is now: channels, calls, queues, endpoints",
		ArgsUsage:   "[PART]...",
		Description: help,
		Flags: []cli.Flag{
			&cli.GenericFlag{Name: "where", Aliases: []string{"w"}, Usage: "only what meets `CONDITION`, such as state=up; may repeat, all must hold", Value: &o.where},
			&cli.BoolFlag{Name: "follow", Usage: "then print every change until stopped", Destination: &o.follow},
			&cli.GenericFlag{Name: "for", Usage: "with --follow: end after `TIME`", Value: &o.length},
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			o.parts = c.Args().Slice()
			return show(ctx, r, o)
		},
	}, run.About{Args: run.Words{Kind: run.SomeOf, Choices: partNames}})
}

// A view is what of the state is shown, and where.
type view struct {
	run    *run.Run
	nodes  []ami.Config
	parts  map[state.Kind]*part // that are asked for
	marks  bool                 // nodes are told of because of what they held, not because they were asked for
	where  *ami.Where
	follow bool
	out    *output.Printer
	form   output.Options
	tables int               // printed
	said   map[string]bool   // notes
	shown  map[identity]bool // with where and follow: what the reader holds
}

// eventMask has the classes of the events that state is made of.
const eventMask = "call,agent,system,dialplan"

func show(ctx context.Context, r *run.Run, o *options) error {
	v, err := newView(r, o)
	if err != nil {
		return err
	}
	c, err := target.Cluster(r, v.nodes)
	if err != nil {
		return err
	}
	defer target.Finish(ctx, c)
	s := state.Options{Kinds: v.kinds()}
	if !o.follow {
		s.Audit = -1
	}
	w, err := state.Follow(ctx, c, s)
	if err != nil {
		return err
	}
	defer w.Close()
	if !o.follow {
		return v.snapshot(ctx, c, w)
	}
	run.FavourStreams()
	return errors.Join(v.changes(ctx, c, w, o.length), v.out.Close())
}

func newView(r *run.Run, o *options) (*view, error) {
	if o.length.Given && !o.follow {
		return nil, fail.Usage("such as --follow --for 1m", "--for goes with --follow")
	}
	v := &view{run: r, follow: o.follow, said: make(map[string]bool), shown: make(map[identity]bool)}
	var err error
	if v.parts, err = parseParts(o.parts); err != nil {
		return nil, err
	}
	v.marks = len(o.parts) == 0 || v.parts[state.KindNode] == nil
	if v.where, err = act.ParseWhere(r, o.where); err != nil {
		return nil, err
	}
	if err := v.checkWhere(); err != nil {
		return nil, err
	}
	if v.nodes, err = target.Nodes(r); err != nil {
		return nil, err
	}
	for i := range v.nodes {
		v.nodes[i].Events = eventMask
	}
	if v.form, err = r.OutputOptions(run.Records); err != nil {
		return nil, err
	}
	kind := run.Records
	if o.follow {
		kind = run.Endless
	}
	v.out, err = r.Printer(kind, len(v.nodes) > 1, true)
	return v, err
}

// kinds are what the servers are asked for: of nodes alone, all that says how they are known.
func (v *view) kinds() (kinds []state.Kind) {
	for i := range parts {
		if p := &parts[i]; v.parts[p.kind] != nil || len(v.parts) == 1 && v.parts[state.KindNode] != nil {
			kinds = append(kinds, p.kind)
		}
	}
	return kinds
}

// meets reports whether an object of a part that is asked for meets the condition.
func (v *view) meets(node string, record output.Record) bool {
	return v.where == nil || v.where.MatchFields(node, fields(record))
}

// isTable reports whether people read it.
func (v *view) isTable() bool { return v.out.Options().Format == output.TableText }

// note tells something once.
func (v *view) note(text string) {
	if !v.said[text] {
		v.said[text] = true
		v.run.Note("%s", text)
	}
}
