package output

import (
	"errors"
	"io"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/redact"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A Recorder writes events as JSON lines without secrets, for a [RecordReader]. It buffers, as a [Printer] does.
type Recorder struct {
	p    *Printer
	hide *redact.Redactor
	dec  *wire.Decoder // of packets that held a secret
}

// NewRecorder returns a Recorder that writes to w what hide leaves.
func NewRecorder(w io.Writer, hide *redact.Redactor) *Recorder {
	return &Recorder{p: NewPrinter(w, Options{}), hide: hide, dec: wire.NewDecoder(wire.Limits{})}
}

// Event records an event or a gap.
func (r *Recorder) Event(ev *ami.Event) error { return r.p.Event(r.safe(ev)) }

// EventAnd records an event or a gap and prints it with p. The text that both write is made once.
func (r *Recorder) EventAnd(p *Printer, ev *ami.Event) error {
	safe := r.safe(ev)
	if safe != ev || !p.line() || len(p.o.Fields) > 0 {
		return errors.Join(r.p.Event(safe), p.Event(ev))
	}
	at := len(r.p.buf)
	r.p.buf = append(r.p.json.AppendEvent(r.p.buf, ev), '\n')
	p.buf = append(p.buf, r.p.buf[at:]...)
	return errors.Join(r.p.flushFull(), p.flushFull())
}

// safe returns the event, or one without its secrets.
func (r *Recorder) safe(ev *ami.Event) *ami.Event {
	if ev.Gap != nil || !r.hide.MayHide(&ev.Message) {
		return ev
	}
	text := r.hide.Text(ev.Text())
	if text == ev.Text() {
		return ev
	}
	safe := &ami.Event{Node: ev.Node, Received: ev.Received}
	r.dec.Feed([]byte(text))
	var err error
	if safe.Message, err = r.dec.Next(); err != nil || r.dec.Buffered() > 0 { // one is missing rather than a secret told
		r.dec = wire.NewDecoder(wire.Limits{})
		safe.Message, safe.Gap = wire.Message{}, &ami.Gap{Reason: ami.GapOverflow, Dropped: 1}
	}
	return safe
}

// Flush writes what is buffered.
func (r *Recorder) Flush() error { return r.p.Flush() }

// Close writes what is buffered. The writer stays open.
func (r *Recorder) Close() error { return r.p.Close() }
