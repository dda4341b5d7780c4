package tomlfile

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const things = `title = "x"
names = ["a", "b"]
one = "c"
days = 3
[server]
warn = "w"
[[queue]]
name = "q"
[[queue]]
wran = 1
`

func TestTable(t *testing.T) {
	file, err := ReadTable("f.toml", things+"[call]\nring = \"1s\"\n")
	if err != nil {
		t.Fatal(err)
	}
	queues, short := file.Children("queue")
	calls, _ := file.Children("call")
	got := []any{
		file.Text("title"), file.Text("none"), file.Texts("names"), file.Texts("one"), file.Whole("days", 1), file.Whole("none", 7),
		file.Child("server").Text("warn"), file.Child("none") == nil, queues[0].Text("name"), short, calls[0].At("ring"), queues[1].At("name"),
	}
	want := []any{
		"x", "",
		[]string{"a", "b"},
		[]string{"c"},
		3, 7, "w", true, "q",
		[]bool{false, false},
		"f.toml, line 12, column 8: call.ring", "f.toml, line 9, column 1: queue[1].name",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if m := file.Mistake(); m != nil {
		t.Errorf("a mistake: %v", m)
	}
	hint := func(key string, asked []string) string { return key + " of " + strings.Join(asked, " ") }
	queues[0].Done(hint)
	queues[1].Text("warn")
	queues[1].Done(hint)
	queues[1].Wrong("warn", "", "a second mistake")
	if diff := cmp.Diff(&TableError{"f.toml, line 10, column 8", "unknown key wran", "wran of warn"}, file.Mistake()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTableOfStrings(t *testing.T) {
	file, err := ReadTable("f.toml", `queues = ["a", {name = "b", x = 1}]`)
	if err != nil {
		t.Fatal(err)
	}
	queues, short := file.Children("queues")
	if len(queues) != 2 || !short[0] || short[1] || queues[0].Text("name")+queues[1].Text("name") != "ab" {
		t.Errorf("%v, %v", queues, short)
	}
}

// What is there in another kind is a mistake, with its place.
func TestTableOfOtherKinds(t *testing.T) {
	for want, read := range map[string]func(t *Table){
		"f.toml, line 4, column 8: days: it is no text":                      func(t *Table) { t.Text("days") },
		"f.toml, line 4, column 8: days: it is neither":                      func(t *Table) { t.Texts("days") },
		"f.toml, line 1, column 9: title: it is not a whole number":          func(t *Table) { t.Whole("title", 1) },
		"f.toml, line 1, column 9: title: it is no table":                    func(t *Table) { t.Child("title") },
		"f.toml, line 1, column 9: title: it is not an array of tables":      func(t *Table) { t.Children("title") },
		"f.toml, line 6, column 8: server.warn: it is not a whole number":    func(t *Table) { t.Child("server").Whole("warn", 1) },
		"f.toml, line 10, column 8: queue[1].wran: it is no text":            func(t *Table) { q, _ := t.Children("queue"); q[1].Text("wran") },
		"f.toml, line 5, column 1: server.none: such a one is needed, by us": func(t *Table) { t.Child("server").Wrong("none", "", "such a one is needed, by %s", "us") },
	} {
		file, err := ReadTable("f.toml", things)
		if err != nil {
			t.Fatal(err)
		}
		read(file)
		if m := file.Mistake(); m == nil || !strings.HasPrefix(m.Error(), want) {
			t.Errorf("%v, want %s", m, want)
		}
	}
}
