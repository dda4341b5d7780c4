package web

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/apntalk/amictl/internal/objects"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// partsNamed returns the part of a name, all of "", none if there is no such part.
func partsNamed(name string) []*objects.Part {
	if name == "" {
		return objects.Parts
	}
	at := slices.IndexFunc(objects.Parts, func(p *objects.Part) bool { return p.Name == name })
	if at < 0 {
		return nil
	}
	return objects.Parts[at : at+1]
}

// An encoder writes records as `amictl state -o jsonl` does.
type encoder struct {
	buf     bytes.Buffer
	printer *output.Printer
}

func newEncoder() *encoder {
	e := &encoder{}
	e.printer = output.NewPrinter(&e.buf, output.Options{})
	return e
}

// record returns a record as JSON, until the next call.
func (e *encoder) record(r output.Record) []byte {
	e.buf.Reset()
	_ = e.printer.Record(r) // a buffer takes everything
	_ = e.printer.Flush()
	return bytes.TrimSuffix(e.buf.Bytes(), []byte("\n"))
}

// checkWhere refuses a condition that none of the parts can meet.
func checkWhere(where *ami.Where, asked []*objects.Part) *failure {
	if m := objects.Wrong(where, asked); m != nil {
		return badRequest(cmp.Or(m.Instead, "the objects themselves show their keys"), "%.100s", m.What)
	}
	return nil
}
