package tomlfile

import (
	"errors"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
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
ring = 1s`
	places := Places(text)
	want := map[string]Place{
		"title": {2, 9}, "banner": {3, 13}, "list": {4, 8}, "long": {7, 8}, "deep.dotted key.x": {11, 23}, "server": {13, 1}, "server.warn": {14, 10},
		"queue[0]": {15, 1}, "queue[0].name": {16, 8}, "queue[0].warn": {17, 8}, "queue[0].inline": {18, 10},
		"queue[1]": {19, 1}, "queue[1].name": {20, 8}, "queue[1].warn": {21, 11}, "queue[1].part[0]": {22, 1}, "queue[1].part[0].of": {23, 6},
		"call": {24, 1}, "call.ring": {25, 8},
	}
	if diff := cmp.Diff(want, places); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for key, want := range map[string]Place{
		"queue[1].warn": {21, 11}, "queue[0].inline.warn": {18, 10}, "list[1]": {4, 8}, "queue[0].nosuch": {15, 1}, "nosuch": {1, 1},
	} {
		if got := At(places, key); got != want {
			t.Errorf("%s is at %v, want %v", key, got, want)
		}
	}
}

// Windows' line ends are no part of a key.
func TestPlacesWithCarriageReturns(t *testing.T) {
	want := map[string]Place{"a": {1, 5}, "t": {2, 1}, "t.b": {3, 5}}
	if diff := cmp.Diff(want, Places("a = 1\r\n[t]\r\nb = 2\r\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A mistake is told with its place.
func TestExplain(t *testing.T) {
	_, err := Decode("a = 1\nb = \"x\n", new(map[string]any))
	if !errors.As(err, new(toml.ParseError)) || !strings.HasPrefix(Explain(err), "line 2, column ") {
		t.Errorf("%v is explained as %s", err, Explain(err))
	}
}

// A text of any shape is gone through, and a key that the decoder sees at the top has a place in the text.
func FuzzPlaces(f *testing.F) {
	f.Add("a.b = 1\n[t]\nc = '''\n]'''\n[[q]]\nx = [1,\n2]\n")
	f.Add("\"a\\u0062\" = 1 # x\n[ t . \"u.v\" ]\ny={z=1}")
	f.Add("=\n[\n[[\n.\n'")
	f.Fuzz(func(t *testing.T, text string) {
		places := Places(text)
		var into map[string]any
		if _, err := Decode(text, &into); err != nil {
			return
		}
		lines := strings.Count(text, "\n") + 1
		for key, p := range places {
			if p.Line < 1 || p.Line > lines || p.Column < 1 {
				t.Errorf("%q in %q is at %v", key, text, p)
			}
		}
		for key, v := range into {
			if _, plain := v.(int64); plain && !strings.ContainsAny(key, "\"\\'") && places[key] == (Place{}) {
				t.Errorf("%q in %q has no place: %v", key, text, places)
			}
		}
	})
}
