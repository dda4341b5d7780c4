package tail

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
	"github.com/apntalk/amictl/pkg/output"
)

// checkReplay refuses what has no use with --from: passed over in silence, it would let a script believe in it.
func checkReplay(r *run.Run, o *options) error {
	switch {
	case r.HasTo:
		return fail.Usage("leave one of them out", "--from and an action behind `--` do not go together")
	case len(r.Flags.Nodes) > 0, r.Flags.Local, r.Flags.ManagerConf != "":
		return fail.Usage("--where node=NAME chooses among the nodes of a record", "--from reads a file, and --node and --local choose servers")
	case len(r.Flags.Labels) > 0:
		return fail.Usage("--where node=NAME chooses among the nodes of a record", "--from reads a file, which knows no labels")
	case o.require != "", o.All, o.Route != "", o.Yes:
		return fail.Usage("leave it out", "--require, --all, --route and --yes are for servers, and --from reads a file")
	case o.packets:
		return fail.Usage("leave it out", "--packets is for servers: in a file, what is neither an event nor an answer may be any text")
	}
	return nil
}

// wants applies names and conditions, as a subscription would.
func (t *tailer) wants(node string, m *wire.Message) bool {
	return t.wantsName(m.Name()) && (t.where == nil || t.where.Match(node, m))
}

func (t *tailer) wantsName(name string) bool {
	named := len(t.names) == 0
	for _, pattern := range t.names {
		named = named || ami.MatchGlob(pattern, name)
	}
	return named
}

// tellTimeless notes what a bound in time left out because it has none.
func (t *tailer) tellTimeless() {
	switch n := t.options.span.timeless; n {
	case 0:
	case 1:
		t.run.Note("--from: 1 event without a time was left out; timestampevents=yes in manager.conf puts it into captures")
	default:
		t.run.Note("--from: %d events without a time were left out; timestampevents=yes in manager.conf puts it into captures", n)
	}
}

// packetTime reads a Timestamp header (timestampevents=yes): epoch seconds with six decimals.
func packetTime(s string) time.Time {
	if s == "" { // as a rule, and an error is dear
		return time.Time{}
	}
	sec, frac, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(sec, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt32*100 {
		return time.Time{}
	}
	us, _ := strconv.ParseInt((frac + "000000")[:6], 10, 64)
	return time.Unix(n, us*1000)
}

// replayRecord reads JSON lines of type event and gap; others are passed over.
func (t *tailer) replayRecord(ctx context.Context, in *bufio.Reader) error {
	r := output.NewRecordReader(in)
	r.Wants = func(_, name string, at time.Time) bool {
		return t.wantsName(name) && (at.IsZero() || t.options.span.holds(at))
	}
	for {
		ev, err := r.Next()
		var bad *output.RecordError
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, io.EOF):
			if r.Objects() == 0 {
				return t.notReplayable()
			}
			return nil
		case errors.As(err, &bad):
			t.run.Note("--from: %v; it is left out", bad)
			continue
		case err != nil:
			return fail.Usage(fail.ReadHint, "--from: %v", err)
		}
		if ev.Gap != nil || t.where == nil || t.where.Match(ev.Node, &ev.Message) {
			if err := t.play(ctx, ev); err != nil {
				return err
			}
		}
		if in.Buffered() == 0 {
			if err := t.flush(); err != nil {
				return err
			}
		}
	}
}
