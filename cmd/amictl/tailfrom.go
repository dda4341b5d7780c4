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

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
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
	named := len(t.names) == 0
	for _, pattern := range t.names {
		named = named || ami.MatchGlob(pattern, m.Name())
	}
	return named && (t.where == nil || t.where.Match(node, m))
}

// replayCapture decodes what a server sent. Responses and text are passed over: they are no events.
func (t *tailer) replayCapture(ctx context.Context, in *bufio.Reader) error {
	packets := 0
	pausing := &flushingReader{in: in, flush: t.flush}
	for m, err := range wire.NewReader(pausing, wire.Limits{}).All() {
		var cut *wire.TruncatedError
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case pausing.failed != nil:
			return pausing.failed
		case errors.As(err, &cut):
			if packets == 0 {
				return t.notReplayable()
			}
			t.app.note("--from: the capture ends inside a packet, %d bytes are left over", cut.Bytes)
			return nil
		case errors.As(err, new(*wire.LimitError)):
			t.app.note("--from: %v; it is left out", cause(err))
			continue
		case err != nil:
			return usageError(readHint, "--from: %v", err)
		}
		packets++
		if m.Kind() != wire.Event || !t.wants("", &m) {
			continue
		}
		ev := ami.Event{Message: m, Received: packetTime(m.Get("Timestamp"))} // borrowed: it is not kept
		if err := t.play(ctx, &ev); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// A flushingReader writes out what there is before it reads from a pipe, which may pause here.
type flushingReader struct {
	in     *bufio.Reader
	flush  func() error
	failed error // of flush
}

func (r *flushingReader) Read(p []byte) (int, error) {
	if r.in.Buffered() == 0 {
		if r.failed = r.flush(); r.failed != nil {
			return 0, r.failed
		}
	}
	return r.in.Read(p)
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
	objects := 0 // of amictl's
	for number := 1; ; number++ {
		line, err := readLine(in)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, io.EOF) {
			if objects == 0 {
				return t.notReplayable()
			}
			return nil
		}
		if err != nil && !errors.Is(err, errLongLine) {
			return usageError(readHint, "--from: %v", err)
		}
		if err != nil || !gjson.Valid(line) {
			t.app.note("--from: line %d is not JSON; it is left out", number)
			continue
		}
		if gjson.Get(line, "type").Exists() {
			objects++
		}
		ev, ok := recordedEvent(line)
		if !ok || ev.Gap == nil && !t.wants(ev.Node, &ev.Message) {
			continue
		}
		if err := t.play(ctx, &ev); err != nil {
			return err
		}
		if in.Buffered() == 0 {
			if err := t.flush(); err != nil {
				return err
			}
		}
	}
}

// recordedEvent makes an event of a line of a record.
func recordedEvent(line string) (ev ami.Event, ok bool) {
	object := gjson.Parse(line)
	ev.Node = object.Get("node").Str
	ev.Received, _ = time.Parse(time.RFC3339Nano, object.Get("time").Str)
	switch object.Get("type").Str {
	case "gap":
		ev.Gap = &ami.Gap{Reason: ami.GapReason(object.Get("reason").Str), Dropped: object.Get("dropped").Uint()}
		ev.Gap.Since, _ = time.Parse(time.RFC3339Nano, object.Get("since").Str)
		ev.Gap.Until, _ = time.Parse(time.RFC3339Nano, object.Get("until").Str)
		return ev, true
	case "event", "item":
	default:
		return ev, false
	}
	ev.Message, ok = decodeOne(packetText(object))
	return ev, ok
}

// packetText writes the packet that an event's JSON came from; the values of a repeated header follow one another.
func packetText(object gjson.Result) string {
	var b strings.Builder
	line := func(name, value string) {
		if name != "" {
			b.WriteString(name + ": ")
		}
		b.WriteString(strings.ReplaceAll(value, "\n", " ") + "\r\n")
	}
	line("Event", object.Get("event").Str)
	multi := object.Get("multi").Map()
	object.Get("fields").ForEach(func(name, value gjson.Result) bool {
		if all, repeats := multi[name.Str]; repeats {
			for _, v := range all.Array() {
				line(name.Str, v.Str)
			}
			return true
		}
		line(name.Str, value.Str)
		return true
	})
	for _, v := range object.Get("text").Array() {
		line("", v.Str)
	}
	return b.String() + "\r\n"
}

// decodeOne returns the one packet in text, owned.
func decodeOne(text string) (wire.Message, bool) {
	for m, err := range wire.NewReader(strings.NewReader(text), wire.Limits{}).All() {
		return m.Clone(), err == nil
	}
	return wire.Message{}, false
}
