package run

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/pkg/output"
)

var kinds = map[string]Stream{"answers": Answers, "many": ManyAnswers, "endless": Endless, "text": CommandText, "records": Records}

// Which format each kind of output has into a pipe, and what of it is refused.
func TestFormats(t *testing.T) {
	all := []string{"answers", "many", "endless", "text", "records"}
	for _, tt := range []struct {
		args  []string
		kinds []string
		want  output.Format
		wrong string // text of the error
	}{
		{nil, []string{"answers", "many", "endless", "records"}, output.JSONLines, ""},
		{nil, []string{"text"}, output.Raw, ""},
		{[]string{"-o", "auto"}, []string{"text"}, output.Raw, ""},
		{[]string{"--query", "x"}, all, output.JSONLines, ""},
		{[]string{"-o", "table"}, all, output.TableText, ""},
		{[]string{"-o", "wide"}, all, output.TableText, ""},
		{[]string{"-o", "jsonl"}, all, output.JSONLines, ""},
		{[]string{"-o", "none"}, all, output.None, ""},
		{[]string{"-o", "json"}, []string{"answers", "many", "text", "records"}, output.JSONDocument, ""},
		{[]string{"-o", "json"}, []string{"endless"}, 0, "-o json is one document, and this has no end"},
		{[]string{"-o", "csv"}, []string{"answers", "records"}, output.CSV, ""},
		{[]string{"-o", "csv"}, []string{"many", "endless", "text"}, 0, "-o csv needs --fields here"},
		{[]string{"-o", "csv", "--fields", "A"}, all, output.CSV, ""},
		{[]string{"-o", "raw"}, []string{"answers", "many", "endless", "text"}, output.Raw, ""},
		{[]string{"-o", "raw"}, []string{"records"}, 0, "-o raw is for what a server sends; this is not"},
		{[]string{"--query", "x", "-o", "jsonl"}, all, 0, "--query and --output do not go together"},
		{[]string{"-o", "nagios"}, all, 0, `output format "nagios" does not fit this subcommand`},
		{[]string{"-o", "prometheus"}, all, 0, `output format "prometheus" does not fit`},
	} {
		for _, kind := range tt.kinds {
			m := resolved(t, nil, tt.args...)
			o, err := m.OutputOptions(kinds[kind])
			switch {
			case tt.wrong != "":
				refused(t, err, fail.CodeUsage, tt.wrong)
			case err != nil || o.Format != tt.want:
				t.Errorf("%q, %s: %v, %v; want %v", tt.args, kind, o.Format, err, tt.want)
			case o.Wide != (len(tt.args) == 2 && tt.args[1] == "wide"):
				t.Errorf("%q: wide is %t", tt.args, o.Wide)
			case o.Terminal || o.Width != 0 || o.Color:
				t.Errorf("%q: a file became a terminal: %+v", tt.args, o)
			}
		}
	}
}

// A query may stand beside a format that the configuration has.
func TestQueryWinsOverTheConfiguration(t *testing.T) {
	m := resolved(t, map[string]string{"AMICTL_OUTPUT": "table"}, "--query", "x")
	if o, err := m.OutputOptions(Answers); err != nil || o.Query != "x" {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestFieldsOfFlags(t *testing.T) {
	m := resolved(t, nil, "--fields", "node, Channel ,Uniqueid")
	o, err := m.OutputOptions(Answers)
	if diff := cmp.Diff([]string{"node", "Channel", "Uniqueid"}, o.Fields); diff != "" || err != nil {
		t.Errorf("%v: %s", err, diff)
	}
	if o, _ := resolved(t, nil).OutputOptions(Answers); o.Fields != nil {
		t.Errorf("nobody chose %q", o.Fields)
	}
}

func TestColorsIntoAFile(t *testing.T) {
	for _, tt := range []struct {
		vars          map[string]string
		args          []string
		color, bright bool
	}{
		{nil, nil, false, false},
		{map[string]string{"TERM": "xterm-256color"}, []string{"--color", "always"}, true, true},
		{map[string]string{"TERM": "xterm", "COLORTERM": "truecolor", "NO_COLOR": "1"}, []string{"--color", "always"}, true, true},
		{map[string]string{"TERM": "dumb"}, []string{"--color", "always"}, true, false},
		{map[string]string{"TERM": "xterm"}, []string{"--color", "never"}, false, false},
	} {
		m := resolved(t, tt.vars, tt.args...)
		o, err := m.OutputOptions(Answers)
		if err != nil || o.Color != tt.color || m.Colors() != tt.color || o.Palette != tt.bright {
			t.Errorf("%v %q: %+v, %v", tt.vars, tt.args, o, err)
		}
	}
}

func TestPrinterKnowsTheNodes(t *testing.T) {
	for _, tt := range []struct {
		kind                  Stream
		several, many, gather bool
	}{
		{Answers, true, true, true},
		{Answers, true, false, false},
		{Answers, false, true, false},
		{ManyAnswers, true, true, false},
	} {
		p, err := resolved(t, nil).Printer(tt.kind, tt.several, tt.many)
		if err != nil {
			t.Fatal(err)
		}
		if o := p.Options(); o.Nodes != tt.several || o.Many != tt.many || o.Gather != tt.gather {
			t.Errorf("%+v: %+v", tt, o)
		}
	}
	if p, err := resolved(t, nil, "-o", "nagios").Printer(Answers, false, false); p != nil || err == nil {
		t.Errorf("%v, %v", p, err)
	}
}

// printed prints one record with these columns as the run wants it, on a terminal of so many columns, and returns what is
// told of what was left out.
func printed(t *testing.T, m *memoryRun, width int, record output.Record) string {
	t.Helper()
	o, err := m.OutputOptions(Records)
	if err != nil {
		t.Fatal(err)
	}
	o.Width = width
	p := output.NewPrinter(&m.out, o)
	m.Remember(p)
	if err := p.Record(record); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	m.err.Reset()
	m.NoteLeft()
	return m.err.String()
}

// columns is a record of so many wide columns.
func columns(n int) (r output.Record) {
	for i := range n {
		r = append(r, output.Pair{Key: fmt.Sprintf("column%02d", i), Value: strings.Repeat("x", 30)})
	}
	return r
}

// What did not fit a terminal is told: ten columns by name, and the number of the rest if there is more than one of them.
func TestNoteLeft(t *testing.T) {
	if note := printed(t, resolved(t, nil, "-o", "table"), 0, columns(14)); note != "" {
		t.Errorf("all of it is there, and it says %q", note)
	}
	const fit = 4 // of these fit 40 columns, cut
	for _, tt := range []struct {
		left, named int
		more        string
	}{{1, 1, ""}, {10, 10, ""}, {11, 11, ""}, {12, 10, " and 2 more"}, {13, 10, " and 3 more"}} {
		note := printed(t, resolved(t, nil, "-o", "table"), 40, columns(fit+tt.left))
		if !strings.HasPrefix(note, "amictl: left out to fit the terminal: column04") || strings.Count(note, ", column") != tt.named-1 {
			t.Errorf("%d do not fit: %q", tt.left, note)
		}
		if !strings.HasSuffix(note, fmt.Sprintf("column%02d%s; -o wide shows all, --fields chooses\n", fit+tt.named-1, tt.more)) {
			t.Errorf("%d do not fit: %q", tt.left, note)
		}
	}
}

// A name in --fields may be mistyped: one that held nothing is told.
func TestNoteEmptyFields(t *testing.T) {
	record := output.Record{{Key: "node", Value: "pbx1"}}
	if note := printed(t, resolved(t, nil, "-o", "csv", "--fields", "node"), 0, record); note != "" {
		t.Errorf("it says %q", note)
	}
	want := "amictl: nothing printed has a value for Chanel, x; spell names as the server does\n"
	if note := printed(t, resolved(t, nil, "-o", "csv", "--fields", "Chanel,node,x"), 0, record); note != want {
		t.Errorf("it says %q", note)
	}
	if note := printed(t, resolved(t, nil, "-q", "-o", "csv", "--fields", "x"), 0, record); note != "" {
		t.Errorf("with --quiet it says %q", note)
	}
}

// records are these nodes' as a report has them.
func records(nodes ...string) func(func(output.Record) bool) {
	return func(yield func(output.Record) bool) {
		for _, n := range nodes {
			if !yield(output.Record{{Key: "node", Value: n}}) {
				return
			}
		}
	}
}

// A document that is written again and again on standard output is none; in a file it is a new one each time.
func TestReportCheck(t *testing.T) {
	file, folder := filepath.Join(t.TempDir(), "f"), t.TempDir()
	for _, tt := range []struct {
		output Output // of the flags
		form   Output // the subcommand's own
		path   string
		again  bool
		wrong  string
	}{
		{OutputJSON, "", "", false, ""},
		{OutputJSON, "", "", true, "-o json is one document"},
		{OutputJSON, OutputNagios, "", true, "-o json is one document"},
		{OutputJSON, OutputPrometheus, "", true, "-o prometheus is one document"},
		{OutputAuto, OutputJUnit, "", true, "-o junit is one document"},
		{OutputAuto, OutputTAP, "", true, "-o tap is one document"},
		{OutputAuto, OutputTAP, "", false, ""},
		{OutputJSONLines, "", "", true, ""},
		{OutputNagios, OutputNagios, "", true, ""},
		{OutputJSON, "", file, true, ""},
		{OutputAuto, OutputTAP, file, true, ""},
		{OutputAuto, "", folder, false, "--out: " + folder + " is a folder"},
	} {
		m := resolved(t, nil)
		m.Settings.Output = tt.output
		err := (&Report{Run: m.Run, Path: tt.path, Again: tt.again}).Check(tt.form)
		if tt.wrong != "" {
			refused(t, err, fail.CodeUsage, tt.wrong)
		} else if err != nil {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

func TestReportOfRecords(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string // of two reports
	}{
		{nil, `{"node":"a"}` + "\n" + `{"node":"b"}` + "\n" + `{"node":"c"}` + "\n"},
		{[]string{"-o", "csv"}, "node\na\nb\nc\n"}, // its head stands once
		{[]string{"-o", "csv", "--fields", "node"}, "node\na\nb\nc\n"},
		{[]string{"-o", "none"}, ""},
	} {
		for _, again := range []bool{false, true} {
			m := resolved(t, nil, tt.args...)
			report := &Report{Run: m.Run, Again: again}
			for _, nodes := range [][]string{{"a", "b"}, {"c"}} {
				if err := report.Records(len(nodes) > 1, records(nodes...)); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(tt.want, m.out.String()); diff != "" {
				t.Errorf("%q, again %t: %s", tt.args, again, diff)
			}
		}
	}
	refused(t, (&Report{Run: resolved(t, nil, "-o", "raw").Run}).Records(false, records("a")), fail.CodeUsage, "-o raw")
}

// A file is whole each time: it has the head of CSV again, and a document that is an array where there are several nodes.
func TestReportInAFile(t *testing.T) {
	for _, tt := range []struct {
		args    []string
		several bool
		want    string
	}{
		{[]string{"-o", "csv"}, true, "node\nb\n"},
		{nil, true, `{"node":"b"}` + "\n"},
		{[]string{"-o", "json"}, true, "[\n  {\n    \"node\": \"b\"\n  }\n]\n"},
		{[]string{"-o", "json"}, false, "{\n  \"node\": \"b\"\n}\n"},
	} {
		m := resolved(t, nil, tt.args...)
		path := filepath.Join(t.TempDir(), "report")
		report := &Report{Run: m.Run, Path: path, Again: true}
		for _, node := range []string{"a", "b"} {
			if err := report.Records(tt.several, records(node)); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(path)
		if diff := cmp.Diff(tt.want, string(text)); diff != "" || err != nil || m.out.Len() > 0 {
			t.Errorf("%q: %v, %q on standard output, %s", tt.args, err, m.out.String(), diff)
		}
	}
}

// What a report left out is told at the end of a run, and not of each round that replaces the one before.
func TestReportTellsWhatIsEmpty(t *testing.T) {
	for again, want := range map[bool]string{false: "amictl: nothing printed has a value for x; spell names as the server does\n", true: ""} {
		m := resolved(t, nil, "-o", "csv", "--fields", "x")
		if err := (&Report{Run: m.Run, Again: again}).Records(false, records("a")); err != nil {
			t.Fatal(err)
		}
		if m.NoteLeft(); m.err.String() != want {
			t.Errorf("again %t: it says %q", again, m.err.String())
		}
	}
}
