package send

import (
	"context"
	"slices"

	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
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
		return &fail.Error{Code: fail.CodeCondition, Message: node + ": " + err.Error(), Hint: "the answer is on standard output"}
	}
	return nil
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
