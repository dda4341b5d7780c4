package replay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/capture"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/unpack"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
	"github.com/apntalk/amictl/pkg/output"
)

// Options say what is replayed, and who takes it.
type Options struct {
	Command string // that has --from, for the lines that hints give
	Names   []string
	Follow  bool      // wait for more at the end of the last file
	Until   time.Time // when that ends; zero: never

	// WantsName says which events are of interest, by name; nil: all.
	WantsName func(name string) bool
	// Holds says of a record's events, before they are read whole, whether their time is of interest; nil: all.
	Holds func(at time.Time) bool
	// Saw is told when each event happened that is held, of interest or not; nil: nobody is to know.
	Saw func(at time.Time)
	// Take takes an event or a gap. What a capture holds is borrowed: it is valid until Take returns.
	Take func(ctx context.Context, ev *ami.Event) error
	// Idle is called before it waits for more; nil: nobody is to know.
	Idle func() error
}

// A Replay takes events from files: records, which are JSON lines, and captures, which is what a server sent, within other
// text or not.
type Replay struct {
	Options
	run     *run.Run
	src     source
	packets *capture.Reader
	found   int  // packets in captures
	records bool // there was a record
	text    bool // there was more than blank lines
	damaged error
}

// New makes a replay. An error means that a file cannot be read: nothing was.
func New(r *run.Run, o Options) (*Replay, error) {
	if o.WantsName == nil {
		o.WantsName = func(string) bool { return true }
	}
	if o.Idle == nil {
		o.Idle = func() error { return nil }
	}
	p := &Replay{Options: o, run: r, packets: capture.NewReader()}
	p.src = source{run: r, command: o.Command, names: o.Names, follow: o.Follow, until: o.Until}
	return p, p.src.check()
}

// RefuseServers refuses the flags that choose servers: passed over in silence, they would let a script believe in them.
func RefuseServers(r *run.Run) error {
	switch {
	case len(r.Flags.Nodes) > 0, r.Flags.Local, r.Flags.ManagerConf != "":
		return fail.Usage("--where node=NAME chooses among the nodes of a record", "--from reads a file, and --node and --local choose servers")
	case len(r.Flags.Labels) > 0:
		return fail.Usage("--where node=NAME chooses among the nodes of a record", "--from reads a file, which knows no labels")
	}
	return r.RefuseTimeout("--deadline")
}

// Play reads the files. It returns the error of Take, of ctx, or of what cannot be read.
func (p *Replay) Play(ctx context.Context) error {
	defer p.src.end()
	return p.files(ctx)
}

// Events iterates over what Play hands out, instead of Take. An event is borrowed until the next one.
func (p *Replay) Events(ctx context.Context) iter.Seq2[ami.Event, error] {
	return func(yield func(ami.Event, error) bool) {
		p.Take = func(_ context.Context, ev *ami.Event) error {
			if !yield(*ev, nil) {
				return errStopped
			}
			return nil
		}
		if err := p.Play(ctx); err != nil && !errors.Is(err, errStopped) {
			yield(ami.Event{}, err)
		}
	}
}

// errStopped ends a Play whose events nobody takes any more.
var errStopped = errors.New("stopped")

// files reads one file after the other.
func (p *Replay) files(ctx context.Context) error {
	for {
		text, fresh, err := p.src.open(ctx, p.Idle)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, io.EOF):
			return p.rest(ctx)
		case err != nil:
			if err := p.unreadable(ctx, err); err != nil {
				return err
			}
			continue
		}
		if fresh {
			if err := p.rest(ctx); err != nil {
				return err
			}
		}
		if err := p.one(ctx, text); err != nil {
			return err
		}
	}
}

// one reads a file, whatever it is.
func (p *Replay) one(ctx context.Context, text *bufio.Reader) error {
	first, err := firstByte(text)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return p.unreadable(ctx, err)
	}
	p.text = true
	if first == '{' {
		p.records = true
		if err := p.rest(ctx); err != nil {
			return err
		}
		return p.record(ctx, text)
	}
	p.packets.Open(text, readableName(p.src.name))
	for {
		if err := p.take(ctx); !errors.Is(err, wire.ErrMore) {
			return err
		}
		if err := p.Idle(); err != nil { // a pipe may pause here
			return err
		}
		err := p.packets.Fill()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return p.unreadable(ctx, err)
		}
	}
}

// unreadable handles a failure to read. Damage leaves all that came before it, and the other files.
func (p *Replay) unreadable(ctx context.Context, err error) error {
	var damage *unpack.DamageError
	var own *fail.Error
	switch {
	case errors.As(err, &own):
		return err
	case errors.As(err, &damage):
		if p.damaged == nil {
			p.damaged = fmt.Errorf("--from: %s: %w", readableName(p.src.name), damage)
		}
		return p.rest(ctx)
	}
	return fail.Usage(fail.ReadHint, "--from: %v", err)
}

// rest takes what is left when nothing goes on.
func (p *Replay) rest(ctx context.Context) error {
	p.packets.End()
	if err := p.take(ctx); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// take plays the events among the packets at hand, until there are no more: its error is never nil. Responses are passed over:
// they are no events.
func (p *Replay) take(ctx context.Context) error {
	for {
		m, err := p.packets.Next()
		if err != nil {
			return err
		}
		p.found++
		if m.Kind() != wire.Event {
			continue
		}
		wanted := p.WantsName(m.Name())
		if !wanted && p.Saw == nil {
			continue
		}
		at := PacketTime(m.Get("Timestamp"))
		p.see(at)
		if !wanted {
			continue
		}
		ev := ami.Event{Message: m, Received: at}
		if err := p.Take(ctx, &ev); err != nil {
			return err
		}
	}
}

// see reports whether the time of an event is of interest, and tells of it.
func (p *Replay) see(at time.Time) bool {
	if p.Holds != nil && !p.Holds(at) {
		return false
	}
	if p.Saw != nil && !at.IsZero() {
		p.Saw(at)
	}
	return true
}

// Verdict says what is wrong with what was read, if anything is.
func (p *Replay) Verdict() error {
	lost := p.packets.Lost()
	switch {
	case p.found == 0 && lost.Packets > 0 && !p.records:
		return fail.Input(lostHint, "--from: nothing could be read: %s", lost)
	case p.found == 0 && !p.records && p.damaged != nil:
		return fail.Input("is the file whole?", "%v", p.damaged)
	case p.found == 0 && p.text && !p.records && !p.Follow:
		return p.notReplayable()
	case p.damaged != nil:
		p.TellLost()
		return &fail.Error{Code: fail.CodeGap, Message: p.damaged.Error(), Hint: "what follows is missing"}
	case lost.Packets > 0:
		return &fail.Error{Code: fail.CodeGap, Message: "--from: " + lost.String(), Hint: lostHint}
	}
	return nil
}

const lostHint = "such a packet is cut off, lacks its beginning, or exceeds a limit; all others were read"

// TellLost notes what is lost beside the error that the run ends with.
func (p *Replay) TellLost() {
	if lost := p.packets.Lost(); lost.Packets > 0 {
		p.run.Note("--from: %s", lost)
	}
}

// notReplayable is the error of a file that holds nothing of what --from reads.
func (p *Replay) notReplayable() error {
	name := readableName(p.Names[len(p.Names)-1])
	if len(p.Names) > 1 {
		return fail.Input(notReplayableHint, "--from: none of the files is a record or a capture")
	}
	return fail.Input(notReplayableHint, "--from: %s is neither a record nor a capture", name)
}

const notReplayableHint = "a record is what --record or -o jsonl wrote, a capture is what a server sent, with or without other text around it"

// readableName is how a file of --from is called.
func readableName(name string) string {
	if name == "-" {
		return "standard input"
	}
	return name
}

// firstByte returns the first byte that is no white space, without taking anything. White space of a buffer's size is taken
// for text.
func firstByte(in *bufio.Reader) (byte, error) {
	for n := 1; ; n++ {
		b, err := in.Peek(n)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return ' ', nil
		case err != nil:
			return 0, err
		}
		if c := b[n-1]; c != ' ' && c != '\r' && c != '\n' && c != '\t' {
			return c, nil
		}
	}
}

// Moment is when an event happened: by the server's clock if it tells, else when it was received.
func Moment(ev *ami.Event) time.Time {
	if at := PacketTime(ev.Get("Timestamp")); !at.IsZero() {
		return at
	}
	return ev.Received
}

// PacketTime reads a Timestamp header (timestampevents=yes): epoch seconds with six decimals.
func PacketTime(s string) time.Time {
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

// record reads JSON lines of type event and gap; others are passed over.
func (p *Replay) record(ctx context.Context, in *bufio.Reader) error {
	r := output.NewRecordReader(in)
	r.Wants = func(_, name string, at time.Time) bool {
		return p.see(at) && p.WantsName(name)
	}
	for {
		ev, err := r.Next()
		var bad *output.RecordError
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, io.EOF):
			if r.Objects() == 0 {
				return p.notReplayable()
			}
			return nil
		case errors.As(err, &bad):
			p.run.Note("--from: %v; it is left out", bad)
			continue
		case err != nil:
			return fail.Usage(fail.ReadHint, "--from: %v", err)
		}
		if err := p.Take(ctx, ev); err != nil {
			return err
		}
		if in.Buffered() == 0 {
			if err := p.Idle(); err != nil {
				return err
			}
		}
	}
}
