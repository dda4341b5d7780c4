package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// dryLines prints what `send -` would send for each line, and refuses what it would refuse.
func (a *app) dryLines(ctx context.Context, f *sendFlags, in io.Reader, nodes []ami.Config, p *output.Printer) error {
	var t tally
	lines := bufio.NewReaderSize(in, 64<<10)
	for number := 1; ctx.Err() == nil; number++ {
		text, err := readLine(lines)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && strings.TrimSpace(text) == "" {
			continue
		}
		if err != nil && !errors.Is(err, errLongLine) {
			return errors.Join(p.Close(), unreadable(err))
		}
		req := lineRequest{line: number, err: err}
		if err == nil {
			req = parseLine(number, text)
		}
		if err := req.err; err == nil {
			req.err = a.dryLine(f, nodes, &req, p)
		}
		if req.err == nil {
			t.add(exitOK)
			continue
		}
		fail := classify(req.err)
		t.add(fail.Exit)
		a.complain(fail)
		if !f.keepGoing {
			break
		}
	}
	if err := p.Close(); err != nil {
		return err
	}
	return t.err()
}

// dryLine prints one line's action for the nodes that it would go to.
func (a *app) dryLine(f *sendFlags, nodes []ami.Config, req *lineRequest, p *output.Printer) error {
	to := nodes
	switch {
	case req.node != "":
		at := slices.IndexFunc(nodes, func(n ami.Config) bool { return n.Name == req.node })
		if at < 0 {
			return inputError("a line's node must be one of those selected", "line %d: there is no node %q", req.line, req.node)
		}
		to = nodes[at : at+1]
	case f.all || len(nodes) == 1:
	case f.route != "":
		to = nodes[:1]
	default:
		return inputError(`--all, --route HOW, or "node" in the line`, "line %d names no node and %d are selected", req.line, len(nodes))
	}
	for i := range to {
		if err := a.printDry(p, &to[i], &req.action, req.line); err != nil {
			return err
		}
	}
	return nil
}
