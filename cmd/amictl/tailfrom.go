package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
	"github.com/apntalk/amictl/pkg/output"
)

// checkReplay refuses what has no use with --from: passed over in silence, it would let a script believe in it.
func (a *app) checkReplay(f *tailFlags) error {
	switch {
	case a.hasTo:
		return usageError("leave one of them out", "--from and an action behind `--` do not go together")
	case len(a.flags.nodes) > 0, a.flags.local, a.flags.managerConf != "":
		return usageError("--where node=NAME chooses among the nodes of a record", "--from reads a file, and --node and --local choose servers")
	case len(a.flags.labels) > 0:
		return usageError("--where node=NAME chooses among the nodes of a record", "--from reads a file, which knows no labels")
	case f.require != "", f.all, f.route != "", f.yes:
		return usageError("leave it out", "--require, --all, --route and --yes are for servers, and --from reads a file")
	}
	return nil
}

// replay takes events from a file: a record, which is JSON lines, or a raw capture, which is what a server sent.
func (t *tailer) replay(ctx context.Context) error {
	file, err := t.app.open(t.flags.from, "--from")
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	if err := t.beginRecord(); err != nil {
		return err
	}
	ctx, cancel := t.flags.limit(ctx)
	defer cancel()
	defer t.watchStats(func() {})()
	in := bufio.NewReaderSize(newStoppable(file, ctx.Done()), chunkSize)
	first, err := firstByte(in)
	defer t.tellTimeless()
	switch {
	case ctx.Err() != nil:
		return notOver(ctx, ctx.Err())
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return usageError(readHint, "--from: %v", err)
	case first == '{':
		err = t.replayRecord(ctx, in)
	default:
		err = t.replayCapture(ctx, in)
	}
	if errors.Is(err, errEnough) {
		return nil
	}
	return notOver(ctx, err)
}

// firstByte returns the first byte that is no white space, without taking it.
func firstByte(in *bufio.Reader) (byte, error) {
	for {
		b, err := in.ReadByte()
		if err != nil {
			return 0, err
		}
		if b != ' ' && b != '\r' && b != '\n' && b != '\t' {
			return b, in.UnreadByte()
		}
	}
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

// replayCapture decodes what a server sent. Responses and text are passed over: they are no events.
func (t *tailer) replayCapture(ctx context.Context, in io.Reader) error {
	d := wire.NewDecoder(wire.Limits{})
	packets := 0
	for {
		n, err := in.Read(d.Space())
		d.Wrote(n)
		if taken := t.drain(ctx, d, &packets); taken != nil {
			return taken
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, io.EOF):
			var cut *wire.TruncatedError
			if end := d.End(); errors.As(end, &cut) {
				if packets == 0 {
					return t.notReplayable()
				}
				t.app.note("--from: the capture ends inside a packet, %d bytes are left over", cut.Bytes)
			}
			return nil
		case err != nil:
			return usageError(readHint, "--from: %v", err)
		}
		if in, ok := in.(*bufio.Reader); ok && in.Buffered() == 0 {
			if err := t.flush(); err != nil { // a pipe may pause here
				return err
			}
		}
	}
}

// notReplayable is the error of a file that holds nothing of what --from reads.
func (t *tailer) notReplayable() error {
	return inputError("a record is what --record or -o jsonl wrote, a capture is what a server sent; neither is compressed",
		"--from: %s is neither a record nor a capture", t.flags.from)
}

// tellTimeless notes what a bound in time left out because it has none.
func (t *tailer) tellTimeless() {
	switch n := t.flags.span.timeless; n {
	case 0:
	case 1:
		t.app.note("--from: 1 event without a time was left out; timestampevents=yes in manager.conf puts it into captures")
	default:
		t.app.note("--from: %d events without a time were left out; timestampevents=yes in manager.conf puts it into captures", n)
	}
}

// drain takes all whole packets that the decoder holds, and counts them.
func (t *tailer) drain(ctx context.Context, d *wire.Decoder, packets *int) error {
	var ev ami.Event
	for {
		m, err := d.Next()
		switch {
		case errors.Is(err, wire.ErrMore):
			return ctx.Err()
		case err != nil:
			t.app.note("--from: %v; it is left out", cause(err))
			continue
		case m.Kind() != wire.Event:
			*packets++
			continue
		}
		*packets++
		if !t.wants("", &m) {
			continue
		}
		ev = ami.Event{Message: m, Received: packetTime(m.Get("Timestamp"))} // borrowed: it is not kept
		if err := t.play(ctx, &ev); err != nil {
			return err
		}
	}
}

// packetTime reads a Timestamp header (timestampevents=yes): epoch seconds with six decimals.
func packetTime(s string) time.Time {
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
		return t.wantsName(name) && (at.IsZero() || t.flags.span.holds(at))
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
			t.app.note("--from: %v; it is left out", bad)
			continue
		case err != nil:
			return usageError(readHint, "--from: %v", err)
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
