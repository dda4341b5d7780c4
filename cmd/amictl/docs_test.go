package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/skip"
)

// A block is a fenced block of a page.
type block struct {
	page    string
	line    int
	section string // the nearest heading
	chapter string // the nearest heading of the second level
	lang    string
	text    string
}

func (b block) String() string { return fmt.Sprintf("%s:%d", b.page, b.line) }

// blocks reads the fenced blocks of a page, whose name is relative to the repository.
func blocks(t *testing.T, page string) (all []block) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", page))
	if err != nil {
		t.Fatal(err)
	}
	var now *block
	section, chapter, n := "", "", 0
	for line := range strings.Lines(string(text)) {
		n++
		lang, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && now == nil:
			now = &block{page: page, line: n, section: section, chapter: chapter, lang: lang}
		case fence:
			all, now = append(all, *now), nil
		case now != nil:
			now.text += line
		case strings.HasPrefix(line, "#"):
			level, title, _ := strings.Cut(strings.TrimSpace(line), " ")
			if section = title; level == "##" {
				chapter = title
			}
		}
	}
	if now != nil {
		t.Fatalf("%s is not closed", now)
	}
	return all
}

// needs finds a program that a test cannot do without. scripts/pages installs all of them, and there a skip is a failure.
func needs(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		skip.Loudly(t, program+" is not here")
	}
	return path
}

// varies is what of an output differs from run to run.
var varies = regexp.MustCompile(`[0-9]+([-:.][0-9]+)*(T[0-9:.]+Z|µs|ms|s)?`)

// alike makes two outputs that differ only in figures and in spaces the same.
func alike(s string) (lines []string) {
	for line := range strings.Lines(s) {
		line = varies.ReplaceAllString(strings.Join(strings.Fields(line), " "), "N")
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// runBlock runs a script of a page, as a reader would, in a folder of its own.
func runBlock(t *testing.T, b block, script string, flags ...string) string {
	t.Helper()
	bash := needs(t, "bash")
	if strings.Contains(script, "jq ") {
		needs(t, "jq")
	}
	dir := t.TempDir()
	args := append([]string{"sim"}, flags...)
	c := exec.CommandContext(t.Context(), "amictl", append(args, "--", bash, "-euo", "pipefail", "-c", script)...) //nolint:gosec // our own pages
	c.Dir = dir
	c.Env = append(os.Environ(), "WEBHOOK="+webhook(t, script), "HOME="+dir, "XDG_CONFIG_HOME=", "AMICTL_OUTPUT=", "AMICTL_TIMEOUT=", "TERM=dumb")
	var stdout, both bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &both
	if err := c.Run(); err != nil {
		t.Errorf("%s: %v\n%s\nstandard output: %s\nstandard error: %s", b, err, script, stdout.String(), both.String())
	}
	return stdout.String()
}

// webhook is the address of a server that takes the messages of a script: each has to be JSON with a text, and one has to come.
func webhook(t *testing.T, script string) string {
	t.Helper()
	if !strings.Contains(script, "$WEBHOOK") {
		return ""
	}
	needs(t, "curl")
	var messages atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var message struct{ Text string }
		if err := json.NewDecoder(r.Body).Decode(&message); err != nil || message.Text == "" {
			t.Errorf("%v: %+v", err, message)
		}
		messages.Add(1)
	}))
	t.Cleanup(func() {
		s.Close()
		if messages.Load() == 0 {
			t.Error("no message came")
		}
	})
	return s.URL
}

// Every recipe of the cookbook runs, and prints what stands under it.
func TestCookbook(t *testing.T) {
	all := blocks(t, "docs/cookbook.md")
	recipes := make(map[string]int)
	for i, b := range all {
		if b.lang != "sh" {
			continue
		}
		recipes[b.chapter]++
		t.Run(strings.ReplaceAll(b.section, " ", "-"), func(t *testing.T) {
			t.Parallel()
			got := runBlock(t, b, prepared(all, b)+b.text, fleet...)
			if i+1 < len(all) && all[i+1].lang == "text" {
				if diff := cmp.Diff(all[i+1].text, got); diff != "" {
					t.Errorf("%s (-page +run):\n%s", b, diff)
				}
			}
		})
	}
	for chapter, least := range map[string]int{"Pipelines": 20, "A whole fleet": 6, "Monitoring": 10, "CI checks": 8} {
		if recipes[chapter] < least {
			t.Errorf("%s has %d recipes, want %d", chapter, recipes[chapter], least)
		}
	}
}

// fleet are the flags of the simulator for the cookbook.
var fleet = []string{"--nodes", "3", "--calls-per-second", "5", "--ring", "200ms", "--talk", "1s"}

// prepared is what stands before a recipe: in the chapter on monitoring its profile, which is made in its first recipe.
func prepared(all []block, b block) string {
	const first = "A profile"
	for _, p := range all {
		if p.section == first && b.section != first && (b.chapter == p.chapter || b.lang == "yaml") && p.lang == "sh" {
			profile, _, _ := strings.Cut(p.text, "\nEOF\n")
			return profile + "\nEOF\nmkdir ci && cp pbx.toml ci\n"
		}
	}
	return ""
}

// inConfiguration is a command of ours in a configuration of somebody else's, to the end of the line, or of its quotes.
var inConfiguration = regexp.MustCompile(`(?m)(?:command_line|CMD|- run:|-|ExecStart=|UserParameter=[a-z.]+,|commands = \[")[ ]*(amictl [^"\n]*(?:"[^"\n]*"[^"\n]*)*?)(?:"\])?$`)

// The commands that configurations of other programs run do what they are to.
func TestCookbookConfigurations(t *testing.T) {
	all := blocks(t, "docs/cookbook.md")
	ran := 0
	for _, b := range all {
		if b.lang == "sh" || b.lang == "text" || b.lang == "" {
			continue
		}
		for _, m := range inConfiguration.FindAllStringSubmatch(b.text, -1) {
			ran++
			line := strings.NewReplacer("/etc/amictl/", "", "$HOSTNAME$", "pbx1").Replace(m[1])
			t.Run(fmt.Sprintf("%s-%d", strings.ReplaceAll(b.section, " ", "-"), ran), func(t *testing.T) {
				t.Parallel()
				if got := runBlock(t, b, prepared(all, block{chapter: "Monitoring"})+line, fleet...); got == "" && !strings.Contains(line, "-o none") && !strings.Contains(line, "wait --ready") {
					t.Errorf("%s: %s printed nothing", b, line)
				}
			})
		}
	}
	if ran < 10 {
		t.Errorf("only %d commands were found", ran)
	}
}

// The lines that replace well-known scripts run as they stand, against a server.
func TestMigratedScripts(t *testing.T) {
	text, err := os.ReadFile("../../docs/migration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "## From scripts that many have")
	table, _, _ = strings.Cut(table, "\n## ")
	ran := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.ReplaceAll(line, `\|`, "\x00"), "|")
		if len(cells) < 4 || !strings.HasPrefix(strings.TrimSpace(cells[3]), "`amictl") {
			continue
		}
		ran++
		command := strings.Trim(strings.TrimSpace(strings.ReplaceAll(cells[3], "\x00", "|")), "`")
		t.Run(fmt.Sprint(ran), func(t *testing.T) {
			t.Parallel()
			runBlock(t, block{page: "docs/migration.md"}, "amictl check --init --out pbx.toml\n"+command, "--calls-per-second", "5", "--ring", "200ms", "--talk", "1s")
		})
	}
	if ran < 10 {
		t.Errorf("only %d lines were run", ran)
	}
}

// Transcripts in the pages are what the commands print, but for figures. `…` at the end of a line stands for its rest,
// a line that is only `…` for any number of lines.
func TestTranscripts(t *testing.T) {
	ran := 0
	for _, page := range []string{"README.md", "docs/migration.md", "docs/operations.md"} {
		for _, b := range blocks(t, page) {
			switch {
			case b.lang == "console":
				ran++
				t.Run(b.String(), func(t *testing.T) { t.Parallel(); transcript(t, b) })
			case b.lang == "sh" && !strings.Contains(b.text, "go run"): // what needs the repository has tests of its own
				ran++
				t.Run(b.String(), func(t *testing.T) { t.Parallel(); runBlock(t, b, b.text) })
			}
		}
	}
	if ran < 2 {
		t.Errorf("only %d blocks were run", ran)
	}
}

func transcript(t *testing.T, b block) {
	script := "set +e\n"
	var want strings.Builder
	for line := range strings.Lines(b.text) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			script += "{ " + strings.TrimSpace(command) + "; } 2>&1\n"
			continue
		}
		want.WriteString(line)
	}
	got := alike(runBlock(t, b, script+"true\n"))
	for i, line := range alike(want.String()) {
		if i >= len(got) {
			t.Fatalf("%s: %q was not printed", b, line)
		}
		start, cut := strings.CutSuffix(line, "…")
		if got[i] != line && !(cut && strings.HasPrefix(got[i], start)) {
			t.Errorf("%s:\npage: %s\nrun:  %s", b, line, got[i])
		}
	}
	if extra := len(got) - len(alike(want.String())); extra > 0 {
		t.Errorf("%s: %d lines more were printed: %q", b, extra, got[len(got)-extra:])
	}
}

// The programs of the library's guide are those that are compiled and run.
func TestLibraryGuide(t *testing.T) {
	files := []string{"example_dialer_test.go", "state/example_test.go", "example_server_test.go"}
	for _, b := range blocks(t, "docs/library.md") {
		if b.lang != "go" {
			continue
		}
		if len(files) == 0 {
			t.Fatalf("%s is of no file", b)
		}
		want, err := os.ReadFile(filepath.Join("../../pkg/ami", files[0]))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), b.text); diff != "" {
			t.Errorf("%s is not pkg/ami/%s (-file +page):\n%s", b, files[0], diff)
		}
		files = files[1:]
	}
	if len(files) > 0 {
		t.Errorf("not in the guide: %v", files)
	}
}

// The scripts of the pages are clean, where shellcheck is.
func TestShellcheck(t *testing.T) {
	check := needs(t, "shellcheck")
	for _, page := range []string{"README.md", "docs/cookbook.md", "docs/migration.md", "docs/operations.md"} {
		for _, b := range blocks(t, page) {
			if b.lang != "sh" {
				continue
			}
			c := exec.CommandContext(t.Context(), check, "--shell=bash", "-")
			c.Stdin = strings.NewReader(b.text)
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", b, err, out)
			}
		}
	}
	c := exec.CommandContext(t.Context(), check, "--shell=bash", "-")
	_, script, _ := runApp(t, nil, strings.NewReader(""), "completion", "bash")
	c.Stdin = strings.NewReader(script)
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("completion bash: %v\n%s", err, out)
	}
}
