package run

import (
	"fmt"
	"strings"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/pkg/output"
)

// Remember has NoteLeft tell what a printer left out.
func (r *Run) Remember(p *output.Printer) { r.printers = append(r.printers, p) }

// NoteLeft tells which columns of tables did not fit, and which of --fields held nothing: a name may be mistyped.
func (r *Run) NoteLeft() {
	for _, p := range r.printers {
		r.noteLeft(p)
	}
}

func (r *Run) noteLeft(p *output.Printer) {
	if empty := p.Empty(); len(empty) > 0 {
		r.Note("nothing printed has a value for %s; spell names as the server does", strings.Join(empty, ", "))
	}
	if left := p.Left(); len(left) > 0 {
		more := ""
		if n := len(left) - mostLeft; n > 1 {
			left, more = left[:mostLeft], fmt.Sprintf(" and %d more", n)
		}
		r.Note("left out to fit the terminal: %s%s; -o wide shows all, --fields chooses", strings.Join(left, ", "), more)
	}
}

// mostLeft is how many columns are named that did not fit.
const mostLeft = 10

// A Stream is the kind of output that a subcommand makes.
type Stream uint8

const (
	Answers     Stream = iota // what servers answer to one action
	ManyAnswers               // what they answer to many, or piece by piece
	Endless                   // it may never end: no JSON document
	CommandText               // text unless another format is asked for
	Records                   // objects of our own: no raw
)

// Printer returns the printer that the flags ask for, on standard output.
func (r *Run) Printer(kind Stream, severalNodes, many bool) (*output.Printer, error) {
	o, err := r.OutputOptions(kind)
	if err != nil {
		return nil, err
	}
	o.Nodes, o.Many = severalNodes, many
	o.Gather = kind == Answers && severalNodes && many
	p := output.NewPrinter(r.Stdout, o)
	r.Remember(p)
	return p, nil
}

// NeedsFields is the error of a table that has to be begun before it is known what columns it has.
func NeedsFields(example string) error {
	return fail.Usage("such as --fields "+example, "-o csv needs --fields here: what comes later may have other columns")
}

// OutputOptions is what the flags say of the output.
func (r *Run) OutputOptions(kind Stream) (output.Options, error) {
	name := r.Settings.Output
	o := output.Options{Query: r.Flags.Query, Terminal: IsTerminal(r.Stdout)}
	if r.Flags.Fields != "" {
		for f := range strings.SplitSeq(r.Flags.Fields, ",") {
			o.Fields = append(o.Fields, strings.TrimSpace(f))
		}
	}
	if o.Query != "" && r.Flags.Output != "" {
		return o, fail.Usage("leave one of them out", "--query and --output do not go together")
	}
	if name == OutputAuto {
		name = OutputJSONLines
		if o.Terminal && o.Query == "" {
			name = OutputTable
		}
		if kind == CommandText && o.Query == "" {
			name = OutputRaw
		}
	}
	formats := map[Output]output.Format{
		OutputJSONLines: output.JSONLines, OutputJSON: output.JSONDocument, OutputTable: output.TableText, OutputWide: output.TableText,
		OutputCSV: output.CSV, OutputRaw: output.Raw, OutputNone: output.None,
	}
	f, ok := formats[name]
	switch {
	case !ok:
		return o, fail.Usage("see --help", "output format %q does not fit this subcommand", name)
	case f == output.JSONDocument && kind == Endless:
		return o, fail.Usage("-o jsonl prints one object a line", "-o json is one document, and this has no end")
	case f == output.CSV && len(o.Fields) == 0 && kind != Records && kind != Answers:
		return o, NeedsFields("node,event,Channel")
	case f == output.Raw && kind == Records:
		return o, fail.Usage("-o jsonl is for programs", "-o raw is for what a server sends; this is not")
	}
	o.Format = f
	o.Wide = name == OutputWide
	o.Width = r.Columns()
	o.Color = r.color(o.Terminal)
	o.Palette = r.hasPalette()
	return o, nil
}
