package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// Whatever a line of `send -` holds, it is an action that can be sent or a refusal.
func FuzzParseLine(f *testing.F) {
	f.Add(`{"action":"Hangup","fields":{"Channel":"PJSIP/100-1"},"id":"7","node":"pbx1","timeout":"5s"}`)
	f.Add(`{"action":"Originate","fields":{"Variable":["A=1","B=2"],"Async":true,"Timeout":30000}}`)
	f.Add(`{"action":"Ping","action":"Ping"}`)
	f.Add(`{"action":"Ping","fields":{"A":"b\r\nAction: Hangup"}}`)
	f.Add(`{"action":null}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, text string) {
		r := parseLine(1, text)
		if r.err != nil {
			if code := classify(r.err).Code; code != codeInput {
				t.Errorf("%q is refused as %s", text, code)
			}
			return
		}
		packet, err := wire.AppendAction(nil, r.action.Name, []byte("1"), r.action.Fields)
		if err != nil {
			t.Errorf("%q is accepted and cannot be sent: %v", text, err)
		}
		if n := strings.Count(string(packet), "\r\n"); n != len(r.action.Fields)+3 {
			t.Errorf("%q makes %d lines of %d headers", text, n, len(r.action.Fields))
		}
	})
}

// Arguments are arranged or refused as usage, never a panic; what stood behind `--` is not among them.
func FuzzArrange(f *testing.F) {
	f.Add("send Ping -o json --node x")
	f.Add("--node x tail Hangup --where Cause=16")
	f.Add("originate --context=lab -c PJSIP/1")
	f.Add("bench report --help")
	f.Add("-x --= --")
	a := newApp(nil, strings.NewReader(""), nil, &strings.Builder{}, func(string) (string, bool) { return "", false })
	root := a.commands()
	f.Fuzz(func(t *testing.T, text string) {
		line, err := arrange(root, strings.Fields(text))
		if err != nil {
			if code := classify(err).Code; code != codeUsage {
				t.Errorf("%q is refused as %s: %v", text, code, err)
			}
			return
		}
		if line.command == nil {
			t.Errorf("%q names no command", text)
		}
	})
}

func FuzzNodeURL(f *testing.F) {
	f.Add("ami://admin@127.0.0.1:5038")
	f.Add("amis://u@[::1]")
	f.Add("ami://u:hunter2@host")
	f.Add("ami://u%3ap@host:70000/x?y#z")
	f.Fuzz(func(t *testing.T, s string) {
		u, err := parseNodeURL(s)
		if err == nil && (u.addr == "" || strings.ContainsAny(u.addr, "@/?#")) {
			t.Errorf("%q has the address %q", s, u.addr)
		}
	})
}

func FuzzHealthRule(f *testing.F) {
	f.Add("ping>50ms")
	f.Add("calls!=0")
	f.Add("uptime<=1h")
	f.Add("x=")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := parseHealthRule(s)
		if err != nil {
			return
		}
		h := newCheckup("x")
		if text, met := r.met(&h); met {
			t.Errorf("%q is met by a node of which nothing is known: %s", s, text)
		}
	})
}

func FuzzParseMoment(f *testing.F) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	f.Add("09:30")
	f.Add("10m")
	f.Add("2026-11-23T12:00:00Z")
	f.Fuzz(func(t *testing.T, s string) {
		if got, err := parseMoment("--since", s, now); err == nil && s != "" && got.IsZero() && !strings.HasPrefix(s, "0001") {
			t.Errorf("%q is the zero time", s)
		}
	})
}

// A profile that is accepted can be checked: all that it says to match compiles, and a call has somebody to call.
func FuzzProfile(f *testing.F) {
	f.Add("modules = [\"a\"]\n[[command]]\nrun = \"x\"\nexpect = \"(\"\n[call]\nchannel = \"x\"\nexten = \"1\"\n")
	f.Add("[[command]]\nrun = \"core show uptime\"\nexpect = \"up.*\"\nreject = \"down\"\n")
	f.Add("[[command]]\nrun = \"  \"\n")
	f.Add("[call]\nchannel = \"x\"\napplication = \"Echo\"\nring = \"3s\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseProfile("x", text)
		if err != nil {
			if code := classify(err).Code; code != codeConfig && code != codeUsage {
				t.Errorf("%q is refused as %s: %v", text, code, err)
			}
			return
		}
		if p.banner == nil {
			t.Error("no banner to compare with")
		}
		for _, c := range p.Commands {
			if strings.TrimSpace(c.Run) == "" {
				t.Errorf("%q runs nothing", text)
			}
			if _, err := regexp.Compile(c.Expect); err != nil {
				t.Errorf("%q expects what cannot be: %v", text, err)
			}
		}
		if c := p.Call; c != nil && (c.Channel == "" || c.ring <= 0) {
			t.Errorf("%q calls %q for %v", text, c.Channel, c.ring)
		}
	})
}

// Whatever a configuration holds: it is refused as one, without repeating a secret that stands in it, or every secret in
// it is a reference.
func FuzzConfig(f *testing.F) {
	f.Add("[contexts.x]\n", "\n[contexts.x.nodes.a]\nurl = \"ami://127.0.0.1\"\n")
	f.Add("context = \"lab\"\n[contexts.lab]\n", "\nuser = \"a\"\n[contexts.lab.nodes.b]\nurl = \"x\"\nlabels = { a = \"b\" }\n")
	f.Add("[contexts.lab.nodes.b]\n", "")
	f.Add("[contexts.lab]\nuser = ", "\n")
	f.Add("[contexts.lab]\n", "junk")
	f.Add("[contexts.'", "']\n")
	path := filepath.Join(f.TempDir(), "config.toml")
	load := func(t *testing.T, text string) (*config, error) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return loadConfig(path)
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		if leak([]byte(before+after)) != "" {
			return
		}
		for _, secret := range []string{`"env:X"`, "'''" + canary + "'''"} {
			c, err := load(t, before+"secret = "+secret+after)
			if err != nil {
				if code := classify(err).Code; code != codeConfig {
					t.Errorf("refused as %s: %v", code, err)
				}
				if how := leak([]byte(err.Error())); how != "" {
					t.Errorf("the error holds the secret %s: %v", how, err)
				}
				continue
			}
			for name, ctx := range c.Contexts {
				held := []string{ctx.Secret}
				for _, n := range ctx.Nodes {
					held = append(held, n.Secret)
				}
				for _, s := range held {
					if s != "" && !isReference(s) {
						t.Errorf("context %q holds the secret %q", name, s)
					}
				}
			}
		}
	})
}
