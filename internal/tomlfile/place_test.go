package tomlfile

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Where a value stands is where its text is, whatever is in the strings, comments and arrays before it.
func TestPlaces(t *testing.T) {
	const text = `# [[not]] "a header
title = "ä"   # = no
banner    = '[x]'
list = [ "]", # ]
  'b',
]
long = """
[[no]]
key = 1
"""
deep."dotted key".x = 1

[server]
  warn = "calls>1"
[[queue]]
name = "a"
warn = "x"
inline = { warn = 1, b = [1, 2] }
[[ queue ]]
name = "b"
 warn =   "y"
[[queue.part]]
of = "b"
[call]
ring = 1`
	places := placesOf(t, text)
	want := map[string]Place{
		"title": {2, 9}, "banner": {3, 13}, "list": {4, 8}, "long": {7, 8}, "deep.dotted key.x": {11, 23}, "server": {13, 1}, "server.warn": {14, 10},
		"queue[0]": {15, 1}, "queue[0].name": {16, 8}, "queue[0].warn": {17, 8}, "queue[0].inline": {18, 10},
		"queue[1]": {19, 1}, "queue[1].name": {20, 8}, "queue[1].warn": {21, 11}, "queue[1].part[0]": {22, 1}, "queue[1].part[0].of": {23, 6},
		"call": {24, 1}, "call.ring": {25, 8},
	}
	if diff := cmp.Diff(want, places); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is within an array or an inline table, and what is not there at all, is where that stands which is around it.
func TestPlacesOfWhatIsAround(t *testing.T) {
	file, err := ReadTable("f", "a = 1\n[[queue]]\nname = \"a\"\ninline = { warn = 1, deep.x = 2 }\nlist = [\n  { x = 1 } ]\n")
	if err != nil {
		t.Fatal(err)
	}
	queues, _ := file.Children("queue")
	list, _ := queues[0].Children("list")
	for got, want := range map[string]string{
		queues[0].Child("inline").At("warn"):               "f, line 4, column 10: queue[0].inline.warn",
		queues[0].Child("inline").Child("deep").At("x"):    "f, line 4, column 10: queue[0].inline.deep.x",
		queues[0].Child("inline").Child("deep").At("none"): "f, line 4, column 10: queue[0].inline.deep.none",
		list[0].At("x"):        "f, line 5, column 8: queue[0].list[0].x",
		queues[0].At("nosuch"): "f, line 2, column 1: queue[0].nosuch",
		file.At("nosuch"):      "f, line 1, column 1: nosuch",
		file.At(""):            "f, line 1, column 1",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// placesOf are the places of a text's tables and values by their keys, but for what is within values.
func placesOf(t *testing.T, text string) map[string]Place {
	t.Helper()
	root, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]Place)
	var add func(name string, n *node)
	add = func(name string, n *node) {
		if n.kind == tables {
			for i, element := range n.list {
				add(fmt.Sprintf("%s[%d]", name, i), element)
			}
			return
		}
		if name != "" && (n.kind != aTable || n.made == headed || n.made == repeated || n.made == inlined) {
			all[name] = placeIn(text, n.at)
		}
		if n.kind == aTable && n.made != inlined {
			for key, v := range n.table {
				add(strings.Trim(name+"."+key, "."), v)
			}
		}
	}
	add("", root)
	return all
}

// Windows' line ends are no part of a key.
func TestPlacesWithCarriageReturns(t *testing.T) {
	want := map[string]Place{"a": {1, 5}, "t": {2, 1}, "t.b": {3, 5}}
	if diff := cmp.Diff(want, placesOf(t, "a = 1\r\n[t]\r\nb = 2\r\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A mistake is told with its place, whoever finds it.
func TestMistakes(t *testing.T) {
	type known struct {
		Text  string            `toml:"text"`
		Small int8              `toml:"small"`
		Big   uint64            `toml:"big"`
		On    bool              `toml:"on"`
		Share float64           `toml:"share"`
		List  []string          `toml:"list"`
		Table map[string]string `toml:"table"`
		Sub   *known            `toml:"sub"`
		Span  upper             `toml:"span"`
		Own   odd               `toml:"own"`
	}
	for text, want := range map[string]string{
		"a = 1\nb = \"x\n":          "line 2, column 7: ",
		"a\nb = = 1":                "line 1, column 2: ",
		"\ufeffa\n":                 "line 1, column 2: ",
		"ä = 1":                     "line 1, column 1: ",
		"a = 1\x00":                 "it has bytes that are 0",
		"a = \"\xff\"":              "line 1, column 6: ",
		"text = 1":                  "line 1, column 8: incompatible types: this is of type integer, and has to be of type string",
		"\n small = 128":            "line 2, column 10: 128 is out of range",
		"big = -1":                  "line 1, column 7: -1 is out of range",
		"big = 9223372036854775808": "line 1, column 7: 9223372036854775808 is out of range",
		"share = 1e999":             "line 1, column 9: 1e999 is out of range",
		"small = 1.0":               "line 1, column 9: incompatible types: this is of type float, and has to be of type integer",
		"on = 'true'":               "line 1, column 6: incompatible types: this is of type string, and has to be of type boolean",
		"share = 'x'":               "line 1, column 9: incompatible types: this is of type string, and has to be of type float",
		"list = 'x'":                "line 1, column 8: incompatible types: this is of type string, and has to be of type array",
		"list = ['x', 2]":           "line 1, column 8: incompatible types: this is of type integer, and has to be of type string",
		"[[table]]":                 "line 1, column 1: incompatible types: this is of type array of tables, and has to be of type table",
		"[sub]\nsub = 2020-01-01":   "line 2, column 7: incompatible types: this is of type time, and has to be of type table",
		"span = 'a'":                "line 1, column 8: not in capitals",
		"span = ['A']":              "line 1, column 8: incompatible types: this is of type array, and has to be of type text",
		"own = {}":                  "line 1, column 7: map[] is not odd",
		"a = 1\n'a' = 2":            "line 2, column 1: a is defined already",
		"[x]\n[x.'y z']\n[x.'y z']": "line 3, column 1: \"y z\" is defined already",
		"x = {}\n[x.y]":             "line 2, column 1: x is defined already, and is no table",
		"t = 2020-12-01T1:00:00Z":   "line 1, column 5: there is no time 2020-12-01T1:00:00Z",
		"t = 2020-13-01":            "line 1, column 5: there is no time 2020-13-01",
	} {
		_, err := Decode(text, new(known))
		if err == nil || !strings.HasPrefix(Explain(err), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// upper is text that reads itself, and odd a number.
type upper string

func (u *upper) UnmarshalText(b []byte) error {
	if *u = upper(b); strings.ToUpper(string(b)) != string(b) {
		return errors.New("not in capitals")
	}
	return nil
}

type odd int64

func (o *odd) UnmarshalTOML(v any) error {
	n, ok := v.(int64)
	if *o = odd(n); !ok || n%2 == 0 {
		return fmt.Errorf("%v is not odd", v)
	}
	return nil
}
