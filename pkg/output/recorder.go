package output

import (
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
func (r *Recorder) Event(ev *ami.Event) error {
	if ev.Gap != nil || !r.hide.MayHide(&ev.Message) {
		return r.p.Event(ev)
	}
	safe := r.hide.Text(ev.Text())
	if safe == ev.Text() {
		return r.p.Event(ev)
	}
	hidden := ami.Event{Node: ev.Node, Received: ev.Received}
	r.dec.Feed([]byte(safe))
	var err error
	if hidden.Message, err = r.dec.Next(); err != nil || r.dec.Buffered() > 0 { // one is missing rather than a secret told
		r.dec = wire.NewDecoder(wire.Limits{})
		hidden.Gap = &ami.Gap{Reason: ami.GapOverflow, Dropped: 1}
	}
	return r.p.Event(&hidden)
}

// Flush writes what is buffered.
func (r *Recorder) Flush() error { return r.p.Flush() }

// Close writes what is buffered. The writer stays open.
func (r *Recorder) Close() error { return r.p.Close() }
