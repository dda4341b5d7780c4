package config

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Edits at the same time are all made.
func TestConfigEditsAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	const edits = 20
	var all sync.WaitGroup
	for i := range edits {
		all.Go(func() {
			if err := EditConfig(path, func(text string) (string, error) { return text + fmt.Sprintf("[contexts.c%d]\nuser = \"u\"\n", i), nil }); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	c, err := Load(path)
	if err != nil || len(c.Contexts) != edits {
		t.Errorf("%d contexts, %v", len(c.Contexts), err)
	}
	before, _ := os.ReadFile(path)
	if err := EditConfig(path, func(string) (string, error) { return "context = 1\ncontext = 2", nil }); err == nil {
		t.Error("a broken configuration was written")
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Error("the configuration is another one")
	}
}

// The line that names the context is found however it is written.
func TestContextLine(t *testing.T) {
	for _, text := range []string{
		"context = \"a\"\r\n\r\n[contexts.a]\r\n[contexts.b]\r\n", "\"context\" = \"a\"\n[contexts.a]\n[contexts.b]\n",
		"'context'='a'\n[contexts.a]\n[contexts.b]\n", "\ufeffcontext = \"a\"\n[contexts.b]\n", "\ufeff[contexts.b]\n", "[contexts.b]\n", "",
	} {
		path := filepath.Join(t.TempDir(), "config.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := EditConfig(path, func(text string) (string, error) { return WithContextLine(text, "b"), nil }); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if c, err := Load(path); err != nil || c.Context != "b" {
			t.Errorf("%q: context %q, %v", text, c.Context, err)
		}
	}
}
