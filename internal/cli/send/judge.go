package send

import (
	"context"
	"fmt"
	"slices"

	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/internal/cond"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// A judge is what --where, --found and --empty-ok want of an answer.
type judge struct {
	where   *ami.Where
	found   cond.Found
	emptyOK bool
}

func newJudge(r *run.Run, o *options) (j judge, err error) {
	j.emptyOK, j.found = o.emptyOK, o.found
	if o.minItems.Given {
		if o.found.Asks() {
			return j, fail.Usage("--found N.. says the same as --min-items N", "--found and --min-items do not go together")
		}
		j.found = cond.AtLeast(o.minItems.Value)
	}
	j.where, err = act.ParseWhere(r, o.where)
	return j, err
}

// answer leaves the items out that do not meet the condition, counts the others, and returns what is wrong with the answer.
func (j *judge) answer(node string, r *ami.Reply, err error) error {
	if err != nil && !(j.emptyOK && r != nil && cond.SaysEmpty(r)) {
		return err
	}
	var count cond.Count
	count.Reply(j.where, r)
	if j.where != nil && len(r.Events) > 0 {
		r.Events = slices.DeleteFunc(r.Events, func(ev ami.Event) bool { return !j.where.Match(node, &ev.Message) })
	}
	return j.count(node, count)
}

// count returns an error if the count is not as --found wants it.
func (j *judge) count(node string, c cond.Count) error {
	if err := j.found.Check(c); err != nil {
		return &fail.Error{Code: fail.CodeCondition, Message: node + ": " + err.Error(), Hint: "what was found is on standard output"}
	}
	return nil
}

// itemsEnd is what is to be said of an answer whose items were printed as they came, and which is not printed itself: whoever reads
// them wants nothing else. That they are not all is an error, or a note on standard error.
func itemsEnd(r *run.Run, e target.Ending, origin *output.Origin) error {
	if e.Err != nil {
		if e.Reply == nil || !e.Reply.Incomplete {
			return e.Err
		}
		f := fail.Classify(e.Err)
		return &fail.Error{Code: f.Code, Exit: f.Exit, Sent: f.Sent, Message: fmt.Sprintf("%s, after %s of the list", f.Message, fail.Count(e.Reply.Items, "item")), Hint: f.Hint}
	}
	note, err := target.Incomplete(e.Reply, origin.Action)
	if err == nil && !cond.IsList(e.Reply, e.Reply.Items) && !cond.SaysEmpty(e.Reply) {
		note = fmt.Sprintf("%s: %s: the answer is no list; without --items it is printed", e.Node, origin.Action)
	}
	if note != "" {
		r.Note("%s", note)
	}
	return err
}

// A streamed action prints every item of its list at once.
type streamed struct {
	judge  judge
	out    *output.Printer
	origin *output.Origin // its Items are those that were printed
}

func (s *streamed) do(ctx context.Context, c *ami.Conn, action ami.Action) (*ami.Reply, error) {
	b := ami.Batch[struct{}]{Items: true}
	if err := b.Submit(ctx, c, action, struct{}{}); err != nil {
		return nil, err
	}
	var count cond.Count
	items := 0
	for {
		r, ok := b.Poll()
		if !ok {
			if err := s.out.Flush(); err != nil {
				return nil, err
			}
			var err error
			if r, err = b.Next(ctx); err != nil {
				return nil, err
			}
		}
		if r.Item == nil {
			if r.Err != nil && !(s.judge.emptyOK && r.Reply != nil && cond.SaysEmpty(r.Reply)) {
				return r.Reply, r.Err
			}
			count.Around(s.judge.where, r.Reply, items)
			return r.Reply, s.judge.count(c.Name(), count)
		}
		items++
		if !count.Item(s.judge.where, c.Name(), &r.Item.Message) {
			continue
		}
		s.origin.Items++
		if err := s.out.Item(r.Item, s.origin); err != nil {
			return nil, err
		}
	}
}
