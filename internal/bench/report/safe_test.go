package report

import (
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/bench"
)

// hostile is text that would do something to whoever reads it.
const hostile = "\x1b]0;title\x07\x1b[2J|\\|`x` <script>\r\n## head\ttab\u202e\u009b31m\xff"

// poison puts hostile text behind every text of a result.
func poison(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + hostile)
	case reflect.Pointer:
		if !v.IsNil() {
			poison(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			poison(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				poison(v.Field(i))
			}
		}
	}
}

// Nothing in a result, whoever wrote it, reaches a terminal, a page or a table as anything but text.
func TestReportsOfAHostileResult(t *testing.T) {
	res, other := sample(t, 1, true), sample(t, 2, true)
	c, err := Compare(res, other, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int{}
	count := func(text string) int { return strings.Count(text, "\n") }
	for _, hostile := range []bool{false, true} {
		if hostile {
			histograms := res.Histograms
			poison(reflect.ValueOf(res).Elem())
			poison(reflect.ValueOf(c).Elem())
			res.Histograms = histograms
		}
		for name, write := range map[string]func(w io.Writer) error{
			"table":    func(w io.Writer) error { return Table(w, res, 0, false) },
			"markdown": func(w io.Writer) error { return Markdown(w, res) },
			"html":     func(w io.Writer) error { return HTML(w, res) },
			"compare":  func(w io.Writer) error { return c.WriteTable(w, false) },
		} {
			var b strings.Builder
			if err := write(&b); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			text := b.String()
			if !hostile {
				rows[name] = count(text)
				continue
			}
			for _, bad := range []string{"\x1b", "\x07", "\r", "\u202e", "\u009b", "\xff", "<script", "\n## head", "\t"} {
				if bad == "\t" && name == "html" || bad == "<script" && name != "html" { // Markdown has it in a code span alone
					continue
				}
				if strings.Contains(text, bad) {
					t.Errorf("%s holds %q", name, bad)
				}
			}
			if name != "html" && count(text) != rows[name] {
				t.Errorf("%s has %d lines, and %d without hostile names", name, count(text), rows[name])
			}
			if !strings.Contains(text, `x1b]0;title`) {
				t.Errorf("%s does not show what is there: %.200s", name, text)
			}
			if name == "markdown" {
				cells(t, text)
			}
		}
	}
}

// cells wants each row of a table in Markdown to have as many cells as its head.
func cells(t *testing.T, text string) {
	t.Helper()
	want := 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			want = 0
			continue
		}
		n := 0
		for i := 0; i < len(line); i++ {
			switch line[i] {
			case '\\':
				i++
			case '|':
				n++
			}
		}
		if want == 0 {
			want = n
		}
		if n != want {
			t.Errorf("%d marks, and %d in the head: %s", n, want, line)
		}
	}
}

// What is safe stays as it is, and the original is not touched.
func TestSafeIsACopy(t *testing.T) {
	res := sample(t, 1, false)
	if diff := cmp.Diff(res, safe(res)); diff != "" {
		t.Error(diff)
	}
	res.Nodes[0].Node = "a\x1b"
	copied := safe(res)
	if res.Nodes[0].Node != "a\x1b" || copied.Nodes[0].Node != `a\x1b` {
		t.Errorf("%q, %q", res.Nodes[0].Node, copied.Nodes[0].Node)
	}
	if safe((*bench.Result)(nil)) != nil {
		t.Error("nothing became something")
	}
}
