package tail

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apntalk/amictl/internal/capture"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/unpack"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A replay takes events from files: records, which are JSON lines, and captures, which is what a server sent, within other
// text or not.
type replay struct {
	*tailer
	src     source
	packets *capture.Reader
	found   int  // packets in captures
	records bool // there was a record
	text    bool // there was more than blank lines
	damaged error
}

// replay reads the files of --from.
func (t *tailer) replay(ctx context.Context) error {
	p := &replay{tailer: t, packets: capture.NewReader()}
	p.src = source{run: t.run, names: t.options.from, follow: t.options.follow, until: t.options.span.until}
	if err := p.src.check(); err != nil {
		return err
	}
	if err := t.beginRecord(); err != nil {
		return err
	}
	ctx, cancel := t.options.limit(ctx)
	defer cancel()
	defer t.watchStats(func() {})()
	defer t.tellTimeless()
	defer p.src.end()
	err := p.files(ctx)
	if errors.Is(err, errEnough) {
		err = nil
	}
	if err = notOver(ctx, err); err != nil {
		p.tellLost()
		return err
	}
	return p.verdict()
}

// files reads one file after the other.
func (p *replay) files(ctx context.Context) error {
	for {
		text, fresh, err := p.src.open(ctx, p.flush)
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
func (p *replay) one(ctx context.Context, text *bufio.Reader) error {
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
		return p.replayRecord(ctx, text)
	}
	p.packets.Open(text, readableName(p.src.name))
	for {
		if err := p.take(ctx); !errors.Is(err, wire.ErrMore) {
			return err
		}
		if err := p.flush(); err != nil { // a pipe may pause here
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
func (p *replay) unreadable(ctx context.Context, err error) error {
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
func (p *replay) rest(ctx context.Context) error {
	p.packets.End()
	if err := p.take(ctx); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// take plays the events among the packets at hand, until there are no more: its error is never nil. Responses are passed over:
// they are no events.
func (p *replay) take(ctx context.Context) error {
	for {
		m, err := p.packets.Next()
		if err != nil {
			return err
		}
		p.found++
		if m.Kind() != wire.Event || !p.wants("", &m) {
			continue
		}
		ev := ami.Event{Message: m, Received: packetTime(m.Get("Timestamp"))} // borrowed: it is not kept
		if err := p.play(ctx, &ev); err != nil {
			return err
		}
	}
}

// verdict says what is wrong with what was read, if anything is.
func (p *replay) verdict() error {
	lost := p.packets.Lost()
	switch {
	case p.found == 0 && lost.Packets > 0 && !p.records:
		return fail.Input(lostHint, "--from: nothing could be read: %s", lost)
	case p.found == 0 && !p.records && p.damaged != nil:
		return fail.Input("is the file whole?", "%v", p.damaged)
	case p.found == 0 && p.text && !p.records && !p.options.follow:
		return p.notReplayable()
	case p.damaged != nil:
		p.tellLost()
		return &fail.Error{Code: fail.CodeGap, Message: p.damaged.Error(), Hint: "what stands behind that is missing"}
	case lost.Packets > 0:
		return &fail.Error{Code: fail.CodeGap, Message: "--from: " + lost.String(), Hint: lostHint}
	}
	return nil
}

const lostHint = "such a packet is cut off, has lost its beginning, or is over a limit; all others were read"

// tellLost notes what is lost beside the error that the run ends with.
func (p *replay) tellLost() {
	if lost := p.packets.Lost(); lost.Packets > 0 {
		p.run.Note("--from: %s", lost)
	}
}

// notReplayable is the error of a file that holds nothing of what --from reads.
func (t *tailer) notReplayable() error {
	name := readableName(t.options.from[len(t.options.from)-1])
	if len(t.options.from) > 1 {
		return fail.Input(notReplayableHint, "--from: none of the files is a record or a capture")
	}
	return fail.Input(notReplayableHint, "--from: %s is neither a record nor a capture", name)
}

const notReplayableHint = "a record is what --record or -o jsonl wrote, a capture is what a server sent, other text around it or not"

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
