package scenario

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/apntalk/amictl/pkg/ami/amitest"
)

const small = `about = "x"
[[server]]
name = "pbx1"
`

// What nobody would check is an error when the file is read.
func TestParseRefuses(t *testing.T) {
	action := small + "[[action]]\nname = \"a\"\naction = \"Ping\"\n"
	for _, tt := range []struct{ name, text, want string }{
		{"no about", "[[server]]\nname = \"pbx1\"\n", "about is missing"},
		{"no server", `about = "x"`, "no server"},
		{"not TOML", "about =", "line 1"},
		{"unknown key", small + "colour = 1\n", "unknown key"},
		{"unknown outcome", action + "expect = { repleid = 1 }\n", "unknown key"},
		{"no expectation", action, "add up to 0…0"},
		{"too few outcomes", action + "count = 3\nexpect = { replied = 1, refused = 1 }\n", "add up to 2…2 actions, and there are 3"},
		{"too many outcomes", action + "expect = { replied = 2 }\n", "there are 1"},
		{"message of no refusal", action + "expect = { replied = 1, message = \"no\" }\n", "message is expected of refusals"},
		{"sent of no failure", action + "expect = { replied = 1, sent = \"no\" }\n", "none is expected"},
		{"items of no reply", action + "expect = { timeout = 1, items = 3 }\n", "none is expected"},
		{"on nobody", action + "on = \"pbx2\"\nexpect = { replied = 1 }\n", "names nobody"},
		{"pattern of nobody", action + "on = \"[\"\nexpect = { replied = 1 }\n", "names nobody"},
		{"same name twice", action + "expect = { replied = 1 }\n[[action]]\nname = \"a\"\naction = \"Ping\"\nexpect = { replied = 1 }\n", "used twice"},
		{"bare duration", action + "at = 5\nexpect = { replied = 1 }\n", "not a time"},
		{"bad range", action + "expect = { replied = \"3..1\" }\n", "not a range"},
		{"text for a number", action + "expect = { replied = \"many\" }\n", "not a number"},
		{"bad via", action + "via = \"mail\"\nexpect = { replied = 1 }\n", "via"},
		{"bad field", action + "fields = [\"x\"]\nexpect = { replied = 1 }\n", "not Name: value"},
		{"unknown fault", small + "[[fault]]\ndo = \"explode\"\n", "unknown kind"},
		{"fault on nobody", small + "[[fault]]\non = \"x\"\ndo = \"kick\"\n", "names nobody"},
		{"unknown statistic", small + "[[node]]\non = \"pbx1\"\nexpect = { sesions = 1 }\n", "nobody checks \"sesions\""},
		{"node without expectation", small + "[[node]]\non = \"pbx1\"\n", "nothing is expected"},
		{"unknown ledger field", small + "expect = { loggins = 1 }\n", "nobody checks"},
		{"server twice", small + "[[server]]\nname = \"pbx1\"\n", "used twice"},
		{"server among many", small + "[[server]]\nname = \"pbx\"\ncount = 2\n", "used twice"},
		{"unknown version", small + "version = \"11\"\n", "not one of"},
		{"subscription without expectation", small + "[[subscription]]\nname = \"s\"\n", "nothing is expected"},
		{"lag of nobody", small + "[[subscription]]\nname = \"s\"\nlag = { pbx9 = 1 }\n", "nobody checks"},
		{"answer without answer", small + "[[answer]]\naction = \"X\"\n", "one of text, list and command"},
		{"unknown of the run", small + "[expect]\ntime = 1\n", "nobody checks"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("x", tt.text)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}

// What turns out to have been checked on nothing, or is not so, fails the run.
func TestRunFails(t *testing.T) {
	action := small + "[[action]]\nname = \"a\"\naction = \"Ping\"\n"
	for _, tt := range []struct{ name, text, want string }{
		{"outcome", action + "expect = { refused = 1 }\n", "action a: refused: got 0, want 1"},
		{"vacuous message", action + "expect = { replied = \"0..1\", refused = \"0..1\", message = \"x\" }\n", "nothing that it could be checked on"},
		{"field", action + "expect = { replied = 1, fields = { Ping = \"Pang\" } }\n", `field Ping: got Pong, want "Pang"`},
		{"part of a field", action + "expect = { replied = 1, fields = { Ping = \"Po\" } }\n", "field Ping"},
		{"node", small + "[[node]]\non = \"*\"\nexpect = { sessions = 2 }\n", "node pbx1: sessions: got 1, want 2"},
		{"absent statistic", small + "[[node]]\non = \"*\"\nexpect = { cause = \"x\" }\n", "node pbx1: cause"},
		{"server", small + "expect = { logins = \">=2\" }\n", "server pbx1: logins: got 1"},
		{"lag over nothing", small + "[[subscription]]\nname = \"s\"\nevents = [\"Nothing\"]\nlag = { pbx1 = \"1s\" }\n", "nothing was checked"},
		{"took", small + "[expect]\ntook = \">=1h\"\n", "the run: took"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Parse("x", tt.text)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				r, err := s.Run(context.Background(), amitest.NewNetwork())
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for i := range r.Failures {
					got = append(got, r.Failures[i].String())
				}
				if r.OK() || !strings.Contains(strings.Join(got, "\n"), tt.want) {
					t.Errorf("got %q, want %q among them", got, tt.want)
				}
			})
		})
	}
}

func TestWant(t *testing.T) {
	for _, tt := range []struct {
		want any
		got  any
		met  bool
	}{
		{int64(3), 3, true},
		{int64(3), uint64(4), false},
		{">=3", 3.0, true},
		{">=3", 2, false},
		{"<=2s", int64(3e9), false},
		{"1s..2s", int64(15e8), true},
		{"ready", "ready", true},
		{"read", "ready", false},
		{int64(16), "16", true},
		{"ready", 1, false},
		{int64(0), nil, false},
		{true, "true", true},
	} {
		var w Want
		if err := w.UnmarshalTOML(tt.want); err != nil {
			t.Fatal(err)
		}
		if got := w.met(tt.got); got != tt.met {
			t.Errorf("%v met by %v: %v, want %v", tt.want, tt.got, got, tt.met)
		}
	}
}
