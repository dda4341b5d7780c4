package query

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestModifierEnds(t *testing.T) {
	for path, want := range map[string]int{
		"@reverse": 8, "@reverse.0": 8, "@reverse|0": 8, "@nosuch": 0, "@nosuch:x": 0, "@": 0,
		"@this:":              5,
		"@this:.a":            8, // gjson takes the dot for the argument's
		"@this:x|y":           7,
		"@this:x.y|z":         9,
		`@pretty:{"w":1}.x`:   15,
		`@pretty:["|"]|x`:     13,
		`@this:"a|b"|x`:       11,
		`@this:a{"|"}b|x`:     13,
		`@this:a[b|c](|)"|"d`: 19,
		`@this:a[b`:           9,
	} {
		if got := modifier(path); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
}

func TestBalanced(t *testing.T) {
	for text, want := range map[string]int{
		`{}`: 2, `{}x`: 2, `[{(a)}]b`: 7, `"a]"b`: 4, `["]"]x`: 5, `["\"]"]x`: 7, `[\]]x`: 4, `"\\"x`: 4, `"a\"b"x`: 6,
		`[`: -1, `[a`: -1, `"a`: -1, `[\`: -1, `"\`: -1, `["a]`: -1, ``: -1,
	} {
		size, ok := balanced(text)
		if ok != (want >= 0) || ok && size != want || size > len(text) {
			t.Errorf("%s: %d, %v, want %d", text, size, ok, want)
		}
	}
}

func TestSelectors(t *testing.T) {
	for list, want := range map[string][]selector{
		"a":               {{path: "a"}},
		"":                {{}},
		"a,b":             {{path: "a"}, {path: "b"}},
		`a\,b,c`:          {{path: `a\,b`}, {path: "c"}},
		"x:a,:b":          {{name: "x", path: "a", named: true}, {path: "b", named: true}},
		"x:y:a":           {{name: "x", path: "y:a", named: true}},
		`"x,y":a`:         {{name: `"x,y"`, path: "a", named: true}},
		`"x\",y":a`:       {{name: `"x\",y"`, path: "a", named: true}},
		"[a,b:c],{d,e},f": {{path: "[a,b:c]"}, {path: "{d,e}"}, {path: "f"}},
		"a.#(b,c),d":      {{path: "a.#(b,c)"}, {path: "d"}},
		"a.@x:1,b":        {{path: "a.@x:1"}, {path: "b"}},
		"a|@x:1,n:b":      {{path: "a|@x:1"}, {name: "n", path: "b", named: true}},
		"@x:1":            {{name: "@x", path: "1", named: true}},
		"a@x:1":           {{name: "a@x", path: "1", named: true}},
	} {
		if diff := cmp.Diff(want, selectors(list), cmp.AllowUnexported(selector{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", list, diff)
		}
	}
}

func TestNameOf(t *testing.T) {
	for path, want := range map[string]string{
		"a": "a", "a.b": "b", "a|b": "b", `a\.b`: `a\.b`, ".a": "a", "a.": "", "a.#": "_", "a.b[0]": "_", "a.\x1f": "_", "a. ": " ", "a.!b": "_", "": "",
	} {
		if got := nameOf(path); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}

func TestEscapeCommas(t *testing.T) {
	for path, want := range map[string]string{
		"a": "a", "a,b": `a\,b`, `a\,b`: `a\,b`, "[a,b]": "[a,b]", "[a,b],c": `[a,b]\,c`, "f(a,b).{c,d},e": `f(a,b).{c,d}\,e`, `"a,b",c`: `"a,b"\,c`, `"a,`: `"a,`, `,\`: `\,\`,
	} {
		if got := escapeCommas(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// What cannot be read, and what needs nothing, stays as it is.
func TestRewriteLeaves(t *testing.T) {
	for _, path := range []string{
		"", "a", "..", "..a", "..#", "a.b|c", `a\.b`, `a\`, "@reverse", "@this:x|y", "#(a==1)", "#(a==1)#.b", "#[a==1]", "[a", "[a]b", "{a}b", "#(a>1", "!", "!true.a", `!"a.b".c`, "!1.5", "{a,b.c}", "a.[b]x",
		"#(a.#(b==1)#)", `#(a=="(")`, `#(a=="\"")`, "#(a>x)", "#(\\", "a..b",
	} {
		if got := rewrite(path); got != path {
			t.Errorf("%s became %s", path, got)
		}
	}
	for path, want := range map[string]string{
		"[a]":             "[[:a]].@" + columns,
		"[a,b].1":         "[[:a],[:b]].@" + columns + ".1",
		"a.[b]|0":         "a.[[:b]].@" + columns + "|0",
		"#(a>1)":          "#([:a].@" + ordered + `:"gt 1")`,
		"#(a<=1)#.b":      "#([:a].@" + ordered + `:"le 1")#.b`,
		"#(>1)#":          "@" + each + `:"gt 1"`,
		"#(>1)#.a":        "@" + each + `:"gt 1".#.a`,
		"#(>1)":           "@" + first + `:"gt 1"`,
		"{x:[a]}":         "{x:[[:a]].@" + columns + "}",
		"{[a]}":           `{"_":[[:a]].@` + columns + "}",
		"#(a.#(b>1)==2)":  "#(a.#([:b].@" + ordered + `:"gt 1")==2)`,
		`#(a\,b.c,d>1)`:   `#([:a\,b.c\,d].@` + ordered + `:"gt 1")`,
		`#(a.[b](c)d>=1)`: `#([:a.[b](c)d].@` + ordered + `:"ge 1")`,
	} {
		if got := rewrite(path); got != want {
			t.Errorf("%s became %s, want %s", path, got, want)
		}
	}
}
