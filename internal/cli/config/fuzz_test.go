package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/canary"
	"github.com/apntalk/amictl/internal/cli/fail"
)

func FuzzNodeURL(f *testing.F) {
	f.Add("ami://admin@127.0.0.1:5038")
	f.Add("amis://u@[::1]")
	f.Add("ami://u:hunter2@host")
	f.Add("ami://u%3ap@host:70000/x?y#z")
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseURL(s)
		if err == nil && (u.Addr == "" || strings.ContainsAny(u.Addr, "@/?#")) {
			t.Errorf("%q has the address %q", s, u.Addr)
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
	load := func(t *testing.T, text string) (*File, error) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return Load(path)
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		if canary.Leak([]byte(before+after)) != "" {
			return
		}
		for _, secret := range []string{`"env:X"`, "'''" + canary.Secret + "'''"} {
			c, err := load(t, before+"secret = "+secret+after)
			if err != nil {
				if code := fail.Classify(err).Code; code != fail.CodeConfig {
					t.Errorf("refused as %s: %v", code, err)
				}
				if how := canary.Leak([]byte(err.Error())); how != "" {
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
					if s != "" && !IsReference(s) {
						t.Errorf("context %q holds the secret %q", name, s)
					}
				}
			}
		}
	})
}
