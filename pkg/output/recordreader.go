package output

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A RecordReader reads events and gaps from JSON lines, as AppendEvent writes them, whoever wrote them. It passes over objects
// of other types, and over lines that are no objects of ours. Its memory does not grow with the record.
type RecordReader struct {
	// Wants, if it is set, is asked of each event before its headers are read: false passes over it. The time is zero if the
	// event has none. The strings are valid during the call.
	Wants func(node, name string, at time.Time) bool

	in      *bufio.Reader
	long    []byte // a line that in has no room for
	line    int
	objects int

	object  recordedObject
	wants   func(*recordedObject) bool
	dec     *wire.Decoder
	node    string
	second  string    // the last time read, without its fraction
	instant time.Time // what that is
	ev      ami.Event
}

// longestRecord is the most bytes that a line of a record may have: an event as large as a decoder takes, all in escapes.
const longestRecord = 8 << 20

// A RecordError says that a line of a record is not JSON. Next goes on behind it.
type RecordError struct{ Line int } // counted from 1

func (e *RecordError) Error() string { return fmt.Sprintf("line %d is not JSON", e.Line) }

// NewRecordReader returns a reader of the record that in holds.
func NewRecordReader(in *bufio.Reader) *RecordReader {
	r := &RecordReader{in: in, dec: wire.NewDecoder(wire.Limits{})}
	r.wants = func(o *recordedObject) bool {
		return r.Wants == nil || r.Wants(o.part(o.head.node), o.event, r.parseTime(o.part(o.head.time)))
	}
	return r
}

// Objects returns how many objects so far look like ours.
func (r *RecordReader) Objects() int { return r.objects }

// Next returns the next event or gap, borrowed: it and all strings taken from it are valid until the next call. The error is
// io.EOF at the end, a *RecordError for a line that is not JSON, or the input's.
func (r *RecordReader) Next() (*ami.Event, error) {
	for {
		line, err := r.readLine()
		if err != nil {
			return nil, err
		}
		r.line++
		if len(line) > longestRecord {
			return nil, &RecordError{r.line}
		}
		o := &r.object
		switch o.read(line, r.wants) {
		case objectWhole:
			r.objects++
			if r.make(o.part(o.head.node), o.part(o.head.time), o.packet) {
				return &r.ev, nil
			}
		case objectUnwanted:
			r.objects++
		case objectForeign:
			if ok, err := r.foreign(string(line)); err != nil {
				return nil, err
			} else if ok {
				return &r.ev, nil
			}
		}
	}
}

// readLine returns the next line without its end, valid until the next call. Of one that is too long it returns as much as
// shows that.
func (r *RecordReader) readLine() ([]byte, error) {
	r.long = r.long[:0]
	for {
		part, err := r.in.ReadSlice('\n')
		switch {
		case err == nil && len(r.long) == 0:
			return withoutEnd(part), nil
		case len(r.long) <= longestRecord:
			r.long = append(r.long, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if errors.Is(err, io.EOF) && len(r.long) > 0 {
			err = nil
		}
		line := withoutEnd(r.long)
		if cap(r.long) > 4*flushAt {
			r.long = nil
		}
		return line, err
	}
}

func withoutEnd(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte{'\n'}), []byte{'\r'})
}

// make makes the event of a packet.
func (r *RecordReader) make(node, at string, packet []byte) bool {
	if r.node != node {
		r.node = strings.Clone(node)
	}
	r.ev = ami.Event{Node: r.node, Received: r.parseTime(at)}
	r.dec.Feed(packet)
	var err error
	r.ev.Message, err = r.dec.Next()
	if err != nil || r.dec.Buffered() > 0 { // what is left over is not the next event's
		r.dec = wire.NewDecoder(wire.Limits{})
	}
	return err == nil
}

// parseTime reads a time stamp; what is none is the zero time. Those of a record have their date and second in common with
// the one before.
func (r *RecordReader) parseTime(s string) time.Time {
	const second, whole = len("2006-01-02T15:04:05"), len("2006-01-02T15:04:05.000000Z")
	if s == "" {
		return time.Time{}
	}
	us, ok := 0, len(s) == whole && s[second] == '.' && s[whole-1] == 'Z'
	for i := second + 1; ok && i < whole-1; i++ {
		us = us*10 + int(s[i]-'0')
		ok = '0' <= s[i] && s[i] <= '9'
	}
	if !ok {
		t, _ := time.Parse(time.RFC3339Nano, s)
		return t
	}
	if s[:second] != r.second {
		t, err := time.Parse(time.RFC3339, s[:second]+"Z")
		if err != nil {
			return time.Time{}
		}
		r.second, r.instant = strings.Clone(s[:second]), t
	}
	return r.instant.Add(time.Duration(us) * time.Microsecond)
}

// foreign reads a line that is not written as this program writes events.
func (r *RecordReader) foreign(line string) (ok bool, err error) {
	if !gjson.Valid(line) {
		return false, &RecordError{r.line}
	}
	object := gjson.Parse(line)
	typ := object.Get("type")
	if typ.Exists() {
		r.objects++
	}
	node, stamp := object.Get("node").Str, object.Get("time").Str
	switch typ.Str {
	case "gap":
		gap := &ami.Gap{Reason: ami.GapReason(object.Get("reason").Str), Dropped: object.Get("dropped").Uint()}
		gap.Since, _ = time.Parse(time.RFC3339Nano, object.Get("since").Str)
		gap.Until, _ = time.Parse(time.RFC3339Nano, object.Get("until").Str)
		r.ev = ami.Event{Node: node, Received: r.parseTime(stamp), Gap: gap}
		return true, nil
	case "event", "item":
	default:
		return false, nil
	}
	if r.Wants != nil && !r.Wants(node, object.Get("event").Str, r.parseTime(stamp)) {
		return false, nil
	}
	return r.make(node, stamp, appendForeign(nil, object)), nil
}

// appendForeign appends the packet that an event's JSON came from; the values of a repeated header follow one another.
func appendForeign(dst []byte, object gjson.Result) []byte {
	dst = appendLine(dst, "Event", object.Get("event").Str)
	multi := object.Get("multi").Map()
	object.Get("fields").ForEach(func(name, value gjson.Result) bool {
		if all, repeats := multi[name.Str]; repeats {
			for _, v := range all.Array() {
				dst = appendLine(dst, name.Str, v.Str)
			}
			return true
		}
		dst = appendLine(dst, name.Str, value.Str)
		return true
	})
	for _, v := range object.Get("text").Array() {
		dst = appendLine(dst, "", v.Str)
	}
	return append(dst, '\r', '\n')
}

// appendLine appends a line of a packet. A line end inside would make two of it, and a blank line would end the packet.
func appendLine(dst []byte, name, value string) []byte {
	if name == "" && value == "" {
		return dst
	}
	start := len(dst)
	if name != "" {
		dst = append(append(dst, name...), ':', ' ')
	}
	dst = append(dst, value...)
	return endLine(dst, start)
}

// endLine ends the line that begins at start.
func endLine(dst []byte, start int) []byte {
	for i := start; i < len(dst); i++ {
		if dst[i] == '\n' {
			dst[i] = ' '
		}
	}
	return append(dst, '\r', '\n')
}
