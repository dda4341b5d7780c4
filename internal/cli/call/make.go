package call

import (
	"context"
	"errors"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// Until says how far a call is waited for.
type Until uint8

const (
	Queued   Until = iota // the server has taken the Originate
	Answered              // its OriginateResponse has come
	Over                  // it has ended
)

// Make sends an Originate to the nodes and prints what came of it. A call that failed is an answer as well as a failure: the
// reply goes to standard output with its outcome, and the exit status is 1.
func Make(ctx context.Context, r *run.Run, fan *target.Fanout, nodes []ami.Config, action ami.Action, until Until) error {
	if until != Queued {
		for i := range nodes {
			nodes[i].Events = "call"
		}
	}
	several := len(nodes) > 1 && fan.Route == ""
	p, err := r.Printer(run.Answers, len(nodes) > 1, several)
	if err != nil {
		return err
	}
	origin := output.Origin{Action: action.Name}
	var t target.Tally
	var failed error
	ask := func(ctx context.Context, c *ami.Conn) (*ami.Reply, error) { return c.Do(ctx, action) }
	ends := make(chan output.Record, len(nodes))
	if until == Over {
		ask = func(ctx context.Context, c *ami.Conn) (*ami.Reply, error) {
			return follow(ctx, r, c, action, ends)
		}
	}
	target.Each(ctx, r, nodes, fan, ask, func(e target.Ending) {
		defer func() {
			select {
			case rec := <-ends:
				failed = errors.Join(failed, p.Record(rec))
			default:
			}
			failed = errors.Join(failed, p.Flush())
		}()
		if e.Reply != nil && e.Reply.Outcome() != ami.OutcomeUnknown {
			if err := p.Reply(e.Reply, &origin); err != nil {
				failed = errors.Join(failed, err)
			}
			if e.Err != nil && several {
				r.Complain(fail.Classify(e.Err))
			}
			t.Add(fail.Classify(e.Err).Exit)
			if !several {
				failed = errors.Join(failed, e.Err)
			}
			return
		}
		failed = errors.Join(failed, target.Report(r, p, target.Ending{Node: e.Node, Reply: e.Reply, Err: Hint(e.Err)}, origin, several, &t))
	})
	if err := p.Close(); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	return t.Err()
}
