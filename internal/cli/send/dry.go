package send

import (
	"bufio"
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// dryLines prints what `send -` would send for each line, and refuses what it would refuse.
func dryLines(ctx context.Context, r *run.Run, o *options, in io.Reader, nodes []ami.Config, p *output.Printer) error {
	var t target.Tally
	lines := bufio.NewReaderSize(in, 64<<10)
	for number := 1; ctx.Err() == nil; number++ {
		text, err := run.ReadLine(lines)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && strings.TrimSpace(text) == "" {
			continue
		}
		if err != nil && !errors.Is(err, run.ErrLongLine) {
			return errors.Join(p.Close(), unreadable(err))
		}
		req := lineRequest{line: number, err: err}
		if err == nil {
			req = parseLine(number, text)
		}
		if err := req.err; err == nil {
			req.err = dryLine(r, o, nodes, &req, p)
		}
		if req.err == nil {
			t.Add(fail.ExitOK)
			continue
		}
		fail := fail.Classify(req.err)
		t.Add(fail.Exit)
		r.Complain(ofLine(fail, number))
		if !o.keepGoing {
			break
		}
	}
	if err := p.Close(); err != nil {
		return err
	}
	return t.Err()
}

// dryLine prints one line's action for the nodes that it would go to.
func dryLine(r *run.Run, o *options, nodes []ami.Config, req *lineRequest, p *output.Printer) error {
	to := nodes
	switch {
	case req.node != "":
		at := slices.IndexFunc(nodes, func(n ami.Config) bool { return n.Name == req.node })
		if at < 0 {
			return fail.Input("a line's node must be one of those selected", "line %d: there is no node %q", req.line, req.node)
		}
		to = nodes[at : at+1]
	case o.All || len(nodes) == 1:
	case o.Route != "":
		to = nodes[:1]
	default:
		return fail.Input(`--all, --route HOW, or "node" in the line`, "line %d names no node, and %d are selected", req.line, len(nodes))
	}
	for i := range to {
		if err := act.PrintDry(r, p, &to[i], &req.action, req.line); err != nil {
			return err
		}
	}
	return nil
}
