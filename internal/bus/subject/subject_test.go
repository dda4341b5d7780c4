package subject

import (
	"strings"
	"testing"
)

func TestToken(t *testing.T) {
	for name, want := range map[string]string{
		"pbx1": "pbx1", "fra-1_b": "fra-1_b", "pbx1.example.com:5038": "pbx1%2Eexample%2Ecom%3A5038", "": "%", "*": "%2A", ">": "%3E", "a b": "a%20b",
		"%": "%25", "ü": "%C3%BC",
	} {
		if got := Token(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	if got := Events("prod.eu", "pbx1"); got != "ami.ev.prod%2Eeu.pbx1" {
		t.Error(got)
	}
	if got := One("c", "*", "Hangup"); got != "ami.one.c.%2A.Hangup" {
		t.Error(got)
	}
	if got := AllEvents("a.b") + " " + AllOne("a.b"); got != "ami.ev.a%2Eb.* ami.one.a%2Eb.*.*" {
		t.Error(got)
	}
	if got := Action("c", "pbx1", "c.rm", "Ping") + " " + Actions("c", "pbx.1"); got != "ami.act.c.pbx1.c%2Erm.Ping ami.act.c.pbx%2E1.*.*" {
		t.Error(got)
	}
	if user, action, err := UserAndAction("ami.act.c.pbx1.c%2Erm.Ping"); user != "c.rm" || action != "Ping" || err != nil {
		t.Error(user, action, err)
	}
	for _, bad := range []string{"ami.act.c.pbx1.Ping", "ami.ev.c.pbx1.u.Ping", "ami.act.c.pbx1.u.a%2", "ami.act.c.pbx1.u.Ping.x"} {
		if user, action, err := UserAndAction(bad); err == nil {
			t.Errorf("%q is %q of %q", bad, action, user)
		}
	}
	if node, err := Node("ami.ev.c.a%2Eb"); node != "a.b" || err != nil {
		t.Error(node, err)
	}
	for _, bad := range []string{"ami.ev.c", "ami.ev.c.a.b", "ami.one.c.a", "x", "ami.ev.c.", "ami.ev.c.a%2"} {
		if node, err := Node(bad); err == nil {
			t.Errorf("%q is node %q", bad, node)
		}
	}
}

// Names and tokens belong to each other one to one, and no name can become several tokens, or a wildcard.
func FuzzToken(f *testing.F) {
	for _, s := range []string{"", "pbx1", "%", "%41", "a.b", "*", ">", "\x00", "ü", "%2e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		token := Token(s)
		if token == "" || strings.ContainsAny(token, ".*> \t\r\n") {
			t.Errorf("%q becomes %q", s, token)
		}
		if back, err := Name(token); err != nil || back != s {
			t.Errorf("%q becomes %q, and that %q: %v", s, token, back, err)
		}
		if name, err := Name(s); err == nil && Token(name) != s {
			t.Errorf("%q is %q, whose token is %q", s, name, Token(name))
		}
	})
}
