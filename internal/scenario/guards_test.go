package scenario_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
)

// A guard is one thing of the engine that scenarios test, and how to switch it off in its source.
type guard struct {
	name string

	About     string   `toml:"about"`
	Scenarios []string `toml:"scenarios"`
	Edits     []struct {
		File    string `toml:"file"`
		Find    string `toml:"find"`
		Replace string `toml:"replace"`
	} `toml:"edit"`
}

const root = "../.."

// quickGuards are switched off at every go test; the others too with AMICTL_PROVE=1, which takes some minutes.
var quickGuards = map[string]bool{"no-made-up-success": true}

// TestScenariosCanFail switches off, one at a time, the guards that the scenarios test, and wants the scenarios to fail.
// Every scenario has its guard, and every guard is still to be found in the source.
func TestScenariosCanFail(t *testing.T) {
	guards := loadGuards(t)
	guarded := make(map[string]string)
	for _, g := range guards {
		for _, s := range g.Scenarios {
			guarded[s] = g.name
			if _, err := os.Stat(filepath.Join(folder, s+".toml")); err != nil {
				t.Errorf("guard %s: %v", g.name, err)
			}
		}
	}
	files, _ := filepath.Glob(filepath.Join(folder, "*.toml"))
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".toml"); guarded[name] == "" {
			t.Errorf("scenario %s has no guard that shows it fail", name)
		}
	}
	for _, g := range guards {
		t.Run(g.name, func(t *testing.T) {
			overlay := g.overlay(t)
			if os.Getenv("AMICTL_PROVE") == "" && (!quickGuards[g.name] || testing.Short()) {
				t.Logf("%s: its rule applies; AMICTL_PROVE=1 switches it off and runs %s", g.About, strings.Join(g.Scenarios, ", "))
				return
			}
			g.prove(t, overlay)
		})
	}
}

func loadGuards(t *testing.T) (guards []*guard) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "testdata/guards/*.toml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no guards: %v", err)
	}
	for _, f := range files {
		g := &guard{name: strings.TrimSuffix(filepath.Base(f), ".toml")}
		meta, err := toml.DecodeFile(f, g)
		if err != nil {
			t.Fatal(err)
		}
		if u := meta.Undecoded(); len(u) > 0 || g.About == "" || len(g.Scenarios) == 0 || len(g.Edits) == 0 {
			t.Fatalf("%s: unknown keys %v, or about, scenarios or edit is missing", f, u)
		}
		guards = append(guards, g)
	}
	return guards
}

// overlay writes the source without the guard, and the file for go build -overlay. A rule that does not apply exactly
// once is an error: the source has moved on and the guard must be found again.
func (g *guard) overlay(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	texts := make(map[string]string)
	for _, e := range g.Edits {
		path, err := filepath.Abs(filepath.Join(root, e.File))
		if err != nil {
			t.Fatal(err)
		}
		if texts[path] == "" {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			texts[path] = string(b)
		}
		if n := strings.Count(texts[path], e.Find); n != 1 {
			t.Fatalf("%s: found %d times, want once:\n%s", e.File, n, e.Find)
		}
		texts[path] = strings.Replace(texts[path], e.Find, e.Replace, 1)
	}
	replace := make(map[string]string)
	for path, text := range texts {
		changed := filepath.Join(dir, fmt.Sprintf("%d.go", len(replace)))
		if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[path] = changed
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// prove builds the scenarios' test without the guard, which must compile, and runs each scenario, which must fail.
func (g *guard) prove(t *testing.T, overlay string) {
	binary := filepath.Join(t.TempDir(), "scenario.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", overlay, "-o", binary, ".") //nolint:gosec // our own paths
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("without the guard it does not compile, which proves nothing: %v\n%s", err, out)
	}
	for _, s := range g.Scenarios {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		run := exec.CommandContext(ctx, binary, "-test.run", "^TestScenarios$/^"+s+"$", "-test.count=1", "-test.timeout=60s") //nolint:gosec // our own paths
		out, err := run.CombinedOutput()
		cancel()
		if err == nil {
			t.Errorf("%s holds without its guard (%s):\n%s", s, g.About, out)
			continue
		}
		if !strings.Contains(string(out), "TestScenarios/"+s+" (") {
			t.Errorf("%s did not fail, it did not run: %v\n%s", s, err, out)
		}
		t.Logf("%s: %s\n%s", s, g.About, firstLines(string(out), 6))
	}
}

func firstLines(s string, n int) string {
	lines := strings.SplitAfterN(s, "\n", n+1)
	return strings.Join(lines[:min(n, len(lines))], "")
}
