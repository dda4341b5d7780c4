package run

import (
	"bytes"
	"iter"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/pkg/output"
)

// A Report is where a report goes: standard output, or a file that is written whole or not at all. It may be written again and
// again.
type Report struct {
	Run   *Run
	Path  string // of --out; "" is standard output
	Again bool   // the next report replaces this one

	headed bool // standard output has the head of CSV
}

// Check refuses a file that cannot be written, and documents behind each other on standard output. A form is one of the
// subcommand's own, else "".
func (s *Report) Check(form Output) error {
	if s.Path != "" {
		return CheckOutput("--out", s.Path)
	}
	switch form {
	case "", OutputNagios:
		form = s.Run.Settings.Output
	}
	switch form {
	case OutputJSON, OutputPrometheus, OutputJUnit, OutputTAP:
		if s.Again {
			return fail.Usage("--out FILE is written anew each time", "--watch has no end, and -o %s is one document", form)
		}
	}
	return nil
}

// Write writes a report.
func (s *Report) Write(text []byte) error {
	if s.Path != "" {
		return ReplaceOutput(s.Path, text)
	}
	_, err := s.Run.Stdout.Write(text)
	return err
}

// clearScreen moves to the top left and clears what is below.
const clearScreen = "\x1b[H\x1b[2J"

// Records writes a report of objects, in the format that the flags ask for.
func (s *Report) Records(several bool, records iter.Seq[output.Record]) error {
	o, err := s.Run.OutputOptions(Records)
	if err != nil {
		return err
	}
	if s.Path != "" {
		o.Terminal, o.Color, o.Width = false, false, 0
		if s.Run.Settings.Output == OutputAuto {
			o.Format = output.JSONLines
		}
	}
	o.Nodes, o.Many = several, several
	var text bytes.Buffer
	if s.Again && s.Run.Redraws(o) {
		text.WriteString(clearScreen)
	}
	p := output.NewPrinter(&text, o)
	for record := range records {
		if err := p.Record(record); err != nil {
			return err
		}
	}
	if !s.Again {
		s.Run.Remember(p)
	}
	if err := p.Close(); err != nil {
		return err
	}
	out := text.Bytes()
	if s.Path == "" && o.Format == output.CSV {
		if s.headed {
			_, out, _ = bytes.Cut(out, []byte("\n"))
		}
		s.headed = true
	}
	return s.Write(out)
}
