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

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// checkReplay refuses what has no use with --from: passed over in silence, it would let a script believe in it.
func checkReplay(r *run.Run, f *options) error {
	switch {
	case r.HasTo:
		return fail.Usage("leave one of them out", "--from and an action behind `--` do not go together")
	case len(r.Flags.Nodes) > 0, r.Flags.Local, r.Flags.ManagerConf != "":
		return fail.Usage("--where node=NAME chooses among the nodes of a record", "--from reads a file, and --node and --local choose servers")
	case len(r.Flags.Labels) > 0:
		return fail.Usage("--where node=NAME chooses among the nodes of a record", "--from reads a file, which knows no labels")
	case f.require != "", f.All, f.Route != "", f.Yes:
		return fail.Usage("leave it out", "--require, --all, --route and --yes are for servers, and --from reads a file")
	}
	return nil
}

// wants applies names and conditions, as a subscription would.
func (t *tailer) wants(node string, m *wire.Message) bool {
	named := len(t.names) == 0
	for _, pattern := range t.names {
		named = named || ami.MatchGlob(pattern, m.Name())
	}
	return named && (t.where == nil || t.where.Match(node, m))
}

// tellTimeless notes what a bound in time left out because it has none.
func (t *tailer) tellTimeless() {
	switch n := t.flags.span.timeless; n {
	case 0:
	case 1:
		t.run.Note("--from: 1 event without a time was left out; timestampevents=yes in manager.conf puts it into captures")
	default:
		t.run.Note("--from: %d events without a time were left out; timestampevents=yes in manager.conf puts it into captures", n)
	}
}

// sentAt is the time in an event's Timestamp, which stands among its first headers (manager.c, append_event). Further down
// it is a caller's own.
func sentAt(m *wire.Message) time.Time {
	for i := 1; i < min(m.Len(), 4); i++ {
		if name, value := m.Line(i); name == "Timestamp" {
			return packetTime(value)
		}
	}
	return time.Time{}
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
		line, err := run.ReadLine(in)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, io.EOF) {
			if objects == 0 {
				return t.notReplayable()
			}
			return nil
		}
		if err != nil && !errors.Is(err, run.ErrLongLine) {
			return fail.Usage(fail.ReadHint, "--from: %v", err)
		}
		if err != nil || !gjson.Valid(line) {
			t.run.Note("--from: line %d is not JSON; it is left out", number)
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
	d := wire.NewDecoder(wire.Limits{})
	d.Feed([]byte(text))
	m, err := d.Next()
	if err != nil {
		return wire.Message{}, false
	}
	return m.Clone(), true
}
