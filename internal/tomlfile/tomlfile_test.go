package tomlfile

import (
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// zeros is a device that never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestReadIsBounded(t *testing.T) {
	if _, err := Read(zeros{}); !errors.Is(err, ErrTooLong) {
		t.Errorf("a device without end: %v", err)
	}
	whole := strings.Repeat("#", MostBytes)
	if text, err := Read(strings.NewReader(whole)); err != nil || text != whole {
		t.Errorf("%d bytes: %d, %v", MostBytes, len(text), err)
	}
	if _, err := Read(io.MultiReader(strings.NewReader(whole), strings.NewReader("x"))); !errors.Is(err, ErrTooLong) {
		t.Errorf("one byte more: %v", err)
	}
}

// A key that is not there in that spelling is unknown, in whatever it stands; names are anybody's.
func TestUnknownKeys(t *testing.T) {
	type thing struct {
		Name  string           `toml:"name"`
		Other map[string]any   `toml:"other"`
		Parts []thing          `toml:"part"`
		By    map[string]thing `toml:"by"`
		Own   string           `toml:"-"`
		One   *thing           `toml:"one"`
	}
	for text, want := range map[string]string{
		"name = 'a'\n[other]\nName = 1\n[by.Name]\nname = 'b'\n[[part]]\none.name = 'c'\n": "",
		"Name = 'a'":                   "Name",
		"name = 'a'\nNAME = 'b'":       "NAME",
		"own = 'a'":                    "own",
		"[by.Name]\nName = 'b'\nx = 1": "by.Name.Name by.Name.x",
		"[[part]]\nname = 'b'\n[[part]]\none = { naMe = 'c' }\n[oTher]\n": "part.one.naMe oTher",
		"[Other.a.b]\n[by.x.by.y.parts.z]":                                "Other by.x.by.y.parts",
	} {
		unknown, err := Decode(text, new(thing))
		var got []string
		for _, key := range unknown {
			got = append(got, key.String())
			if len(key.Known) == 0 || slices.Contains(key.Known, key.Last()) {
				t.Errorf("%s: its table is said to have %q", key, key.Known)
			}
		}
		if strings.Join(got, " ") != want || err != nil {
			t.Errorf("%q has %q, want %q, %v", text, got, want, err)
		}
	}
}

// What nests too deeply is refused, cheaply, wherever the nesting is.
func TestDeepTextIsRefused(t *testing.T) {
	const n = 50_000
	for name, text := range map[string]string{
		"dotted key":               strings.Repeat("a.", n) + "a = 1\n",
		"spaced dotted key":        strings.Repeat("a . ", n) + "a = 1\n",
		"quoted dotted key":        strings.Repeat(`"a.b".`, n) + "a = 1\n",
		"table":                    "[" + strings.Repeat("a.", n) + "a]\n",
		"array of tables":          "[[" + strings.Repeat("'x'.", n) + "a]]\n",
		"arrays":                   "a = " + strings.Repeat("[", n) + strings.Repeat("]", n) + "\n",
		"arrays in lines":          "a = " + strings.Repeat("[\n", n) + strings.Repeat("]\n", n),
		"inline tables":            "a = " + strings.Repeat("{ a = ", n) + "1" + strings.Repeat("}", n) + "\n",
		"key in an inline table":   "a = { " + strings.Repeat("b.", n) + "b = 1 }\n",
		"arrays and tables":        "a = " + strings.Repeat("[{ a = ", n),
		"behind a string":          "x = \"\\\"[\" \n" + strings.Repeat("a.", n) + "a = 1\n",
		"behind a string of lines": "x = '''\n'\n''' \n" + strings.Repeat("a.", n) + "a = 1\n",
		"behind a comment":         "# \"\n" + strings.Repeat("a.", n) + "a = 1\n",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Decode(text, new(map[string]any))
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrTooDeep) {
			t.Errorf("%s: %v", name, err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
			t.Errorf("%s: it took %d bytes to refuse it", name, took)
		}
	}
}

// What a person writes is not deep, whatever is in its strings and comments.
func TestOrdinaryTextIsDecoded(t *testing.T) {
	deep := strings.Repeat("[{.", 1000)
	text := `# ` + deep + `
a.b."c.d".'e.f' = "` + deep + `" # ` + deep + `
list = [ 1.5, 2.5, [ 3.5, { x.y = 4.5 } ] ] # ]
lines = """
` + deep + ` "" \""" "
"""
literal = '` + deep + `\'
literals = '''
'` + deep + `''
'''
[[t.u]]
when = 2026-11-23T12:00:00.123Z
`
	var got map[string]any
	if _, err := Decode(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(deep, got["a"].(map[string]any)["b"].(map[string]any)["c.d"].(map[string]any)["e.f"]); diff != "" {
		t.Error(diff)
	}
	many := "x = { a.b.c = [1.5, 2.5] }\n"
	for i := 1; i < 1000; i++ {
		many += "[t." + strings.Repeat("y", i) + "]\nv = 1.5\n"
	}
	if _, err := Decode(many, &got); err != nil {
		t.Error(err)
	}
}

// A text of any shape is decoded or refused; neither takes much. What is decoded, another decoder takes too, and finds the same in
// it. That one takes some texts that are no TOML, such as those that add to an inline table.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{
		strings.Repeat("a.", 20) + "a = 1",
		"a = '''''' \n[" + strings.Repeat("b.", 17) + "]",
		`a = "\"` + strings.Repeat("[", 20),
		"[a.b]\nx = [1, -2_000, 0x1F, 0o7, 0b1]\n[a]\ny.z = [1.5, 1e3, -0.0, inf, -nan]\n[a.c]\nb = {}\n",
		"[[q]]\nn = 'a'\n[q.t]\nx = true\n[[q.r]]\ny = \"\\u00e4\\n\"\n[[q]]\n[[q.r]]\ny = \"\"\"\n\\\n  z\"\"\"\n",
		"t = [1979-05-27T07:32:00Z, 1979-05-27 07:32:00.5-07:00, 1979-05-27T07:32, 1979-05-27, 07:32:00]",
		"a.b = {c.d = [{e = 1}, {}], 'f g' = \"h\"}\na.'' = 1\n",
		"a = {b = 1}\n[a.c]\n", "a = 1\na = 2\n", "[a]\n[[a]]\n", "a = [1]\n[[a]]\n", "a.b = 1\n[a]\n", "[a.b]\n[a]\nb.c = 1\n", "[[a.b]]\n[a]\nb.c = 1",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var into, other map[string]any
		if _, err := Decode(text, &into); err != nil {
			return
		}
		if depth := depthOf(into); depth > 2*(mostParts+1)*(mostNested+1) {
			t.Errorf("%q has the depth %d", text, depth)
		}
		if _, err := toml.Decode(text, &other); err != nil {
			t.Errorf("%q is taken, but %v", text, err)
		}
		clock := func(a, b time.Time) bool { return a.Format(time.DateTime) == b.Format(time.DateTime) } // a local one has a zone there
		if diff := cmp.Diff(other, into, cmp.Comparer(clock), cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("%q (-other +here):\n%s", text, diff)
		}
	})
}

func depthOf(v any) (depth int) {
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			depth = max(depth, depthOf(e))
		}
		return depth + 1
	case []any:
		for _, e := range v {
			depth = max(depth, depthOf(e))
		}
		return depth + 1
	}
	return 0
}
