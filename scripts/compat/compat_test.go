package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/skip"
)

// A scratch is a repository with one release, v1.2.3.
type scratch struct {
	t   *testing.T
	dir string
}

var first = map[string]string{
	"go.mod":                 "module example.com/m\n\ngo 1.26.0\n",
	"pkg/ami/a.go":           "package ami\n\ntype T struct{ A int }\n\nfunc (T) Do() {}\n",
	"pkg/ami/simtest/s.go":   "package simtest\n\nfunc Free() {}\n",
	"internal/x/x.go":        "package x\n\nfunc Free() {}\n",
	"docs/schema/node.json":  `{"type":"object","properties":{"node":{"type":"string"},"state":{"type":"string","enum":["up","down"]}},"required":["node","state"]}`,
	"docs/schema/reply.json": `{"type":"object","properties":{"fields":{"type":"object","additionalProperties":{"type":"string"}},"events":{"type":"array","items":{"type":"object","properties":{"event":{"type":"string"}}}}}}`,
	"docs/reference.md": "## Global flags\n| flag | what |\n|---|---|\n| `-C, --context NAME` | a name |\n\n## Exit status\n| status | meaning |\n|---|---|\n| 0 | ok |\n| 2 | nothing was sent |\n\n" +
		"## Environment\n| variable | what |\n|---|---|\n| `AMICTL_CONFIG` | the file |\n\n## amictl check\n| flag | what |\n|---|---|\n| `--watch` | go on |\n| `--every TIME` | how often |\n",
	"CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-11-28\n\n### Added\n\n- all\n",
}

func newScratch(t *testing.T) scratch {
	t.Helper()
	s := scratch{t, t.TempDir()}
	for name, text := range first {
		s.write(name, text)
	}
	s.git("init", "-q", "-b", "main")
	s.commit()
	s.git("tag", "v1.2.3")
	return s
}

func (s scratch) write(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// edit replaces a text, which has to be there.
func (s scratch) edit(name, from, to string) {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil || !strings.Contains(string(text), from) {
		s.t.Fatalf("%s has no %q: %v", name, from, err)
	}
	s.write(name, strings.Replace(string(text), from, to, 1))
}

func (s scratch) git(args ...string) {
	s.t.Helper()
	args = append([]string{"-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"}, args...)
	if _, err := output(s.dir, "git", args...); err != nil {
		s.t.Fatal(err)
	}
}

func (s scratch) commit() {
	s.t.Helper()
	s.git("add", "-A")
	s.git("commit", "-q", "--allow-empty", "-m", "A")
}

// news puts lines into the changelog, above the release.
func (s scratch) news(lines string) {
	s.t.Helper()
	s.edit("CHANGELOG.md", "## [Unreleased]\n", "## [Unreleased]\n\n"+lines+"\n")
}

// apidiff is the real one, which scripts/api builds.
func apidiff(t *testing.T) string {
	t.Helper()
	path := os.Getenv("AMICTL_APIDIFF")
	if path == "" {
		skip.Loudly(t, "AMICTL_APIDIFF does not say where apidiff is; scripts/api does")
	}
	if _, err := exec.LookPath("git"); err != nil {
		skip.Loudly(t, "git is not here")
	}
	return path
}

// What breaks a promise has to be in the changelog, by its name and under the right heading; what adds to them under Added.
func TestPromises(t *testing.T) {
	program := apidiff(t)
	for _, tt := range []struct {
		name string
		edit func(s scratch)
		news string // with which it passes
		says string // what is said without it
	}{
		{"a method is gone", func(s scratch) { s.edit("pkg/ami/a.go", "func (T) Do() {}\n", "") }, "### Removed\n\n- `T.Do`\n", "Go ./pkg/ami.T.Do: removed, but the changelog does not name Do"},
		{"a function is new", func(s scratch) { s.edit("pkg/ami/a.go", "type", "func F() {}\n\ntype") }, "### Added\n\n- `F`\n", "something was added"},
		{"a package is new", func(s scratch) { s.write("pkg/new/n.go", "package new\n") }, "### Added\n\n- `new`\n", "something was added"},
		{"a key is gone", func(s scratch) {
			s.edit("docs/schema/node.json", `"node":{"type":"string"},`, "")
			s.edit("docs/schema/node.json", `"node","state"`, `"state"`)
		}, "### Removed\n\n- `node`\n", "schema node.node: is gone"},
		{"a key may be absent", func(s scratch) { s.edit("docs/schema/node.json", `"node","state"`, `"node"`) }, "### Changed\n\n- `state`\n", "schema node.state: it may be absent"},
		{"a type is another", func(s scratch) {
			s.edit("docs/schema/node.json", `"node":{"type":"string"`, `"node":{"type":"integer"`)
		}, "### Changed\n\n- `node`\n", `its type is "integer"`},
		{"a type within a list is another", func(s scratch) {
			s.edit("docs/schema/reply.json", `"event":{"type":"string"`, `"event":{"type":"number"`)
		}, "### Changed\n\n- `event`\n", "schema reply.events[].event"},
		{"a type of any key is another", func(s scratch) {
			s.edit("docs/schema/reply.json", `"additionalProperties":{"type":"string"`, `"additionalProperties":{"type":"array"`)
		}, "### Changed\n\n- `fields`\n", "schema reply.fields.*"},
		{"a word is new", func(s scratch) { s.edit("docs/schema/node.json", `"up",`, `"up","odd",`) }, "### Added\n\n- `odd`\n", "something was added"},
		{"a word is gone", func(s scratch) { s.edit("docs/schema/node.json", `"up",`, "") }, "### Removed\n\n- `up`, a `state`\n", `it is never "up" any more`},
		{"an object is gone", func(s scratch) { s.git("rm", "-q", "docs/schema/node.json") }, "### Removed\n\n- the object `node`\n", "schema node: is gone"},
		{"a flag is gone", func(s scratch) { s.edit("docs/reference.md", "| `--watch` | go on |\n", "") }, "### Removed\n\n- `check --watch`\n", "flag amictl check --watch: is gone"},
		{"a short flag is gone", func(s scratch) { s.edit("docs/reference.md", "-C, ", "") }, "### Removed\n\n- `-C`\n", "flag Global flags -C: is gone"},
		{"a flag takes a value", func(s scratch) { s.edit("docs/reference.md", "--watch`", "--watch TIME`") }, "### Changed\n\n- `--watch`\n", "takes a value, and was: takes no value"},
		{"a flag is new", func(s scratch) { s.edit("docs/reference.md", "| `--watch`", "| `--more` | x |\n| `--watch`") }, "### Added\n\n- `--more`\n", "something was added"},
		{"a variable is gone", func(s scratch) { s.edit("docs/reference.md", "| `AMICTL_CONFIG` | the file |\n", "") }, "### Removed\n\n- `AMICTL_CONFIG`\n", "variable $AMICTL_CONFIG: is gone"},
		{"a status means something else", func(s scratch) { s.edit("docs/reference.md", "nothing was sent", "it may have run") }, "### Changed\n\n- status 2\n", "exit status exit status 2: it may have run, and was: nothing was sent"},
		{"a subcommand is gone", func(s scratch) { s.edit("docs/reference.md", "## amictl check", "## amictl watch") }, "### Added\n\n- `watch`\n\n### Removed\n\n- `check`, with `--watch` and `--every`\n", "subcommand amictl check: is gone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newScratch(t)
			tt.edit(s)
			s.commit()
			var out strings.Builder
			if err := run(s.dir, program, &out); err == nil || !strings.Contains(err.Error()+out.String(), tt.says) {
				t.Errorf("without news: %v, want %q\n%s", err, tt.says, &out)
			}
			s.news("### Fixed\n\n- something else\n")
			if err := run(s.dir, program, &out); err == nil {
				t.Error("news of something else was enough")
			}
			s.news(tt.news)
			if err := run(s.dir, program, &out); err != nil {
				t.Errorf("with news: %v", err)
			}
		})
	}
}

// What is promised to nobody may change without a word, and so may descriptions.
func TestNoPromises(t *testing.T) {
	program := apidiff(t)
	s := newScratch(t)
	s.edit("pkg/ami/simtest/s.go", "func Free() {}\n", "")
	s.edit("internal/x/x.go", "func Free() {}\n", "")
	s.edit("docs/reference.md", "| go on |", "| do not end |")
	s.edit("docs/schema/node.json", `"node":{`, `"node":{"description":"Its name.",`)
	s.commit()
	var out strings.Builder
	if err := run(s.dir, program, &out); err != nil || !strings.Contains(out.String(), "since v1.2.3: 0 changes, the next version is at least 1.2.4") {
		t.Errorf("%v: %s", err, &out)
	}
}

// A release is compared with the one before it, and its number has to be high enough.
func TestVersionNumber(t *testing.T) {
	program := apidiff(t)
	for _, tt := range []struct{ version, news, says string }{
		{"1.3.0", "### Removed\n\n- `--watch`\n", "the changelog's version is 1.3.0, and has to be at least 2.0.0"},
		{"2.0.0", "### Removed\n\n- `--watch`\n", ""},
	} {
		s := newScratch(t)
		s.edit("docs/reference.md", "| `--watch` | go on |\n", "")
		s.edit("CHANGELOG.md", "## [Unreleased]\n", "## [Unreleased]\n\n## ["+tt.version+"] - 2026-12-01\n\n"+tt.news+"\n")
		s.commit()
		s.git("tag", "v"+tt.version)
		var out strings.Builder
		switch err := run(s.dir, program, &out); {
		case tt.says == "" && (err != nil || !strings.Contains(out.String(), "since v1.2.3")):
			t.Errorf("%s: %v: %s", tt.version, err, &out)
		case tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)):
			t.Errorf("%s: got %v, want %s", tt.version, err, tt.says)
		}
	}
}

// Before the first release, and at it, there is nothing to compare with, and that is said.
func TestNoRelease(t *testing.T) {
	s := newScratch(t)
	s.git("tag", "-d", "v1.2.3")
	for _, tag := range []string{"", "v1.2.3"} {
		if tag != "" {
			s.git("tag", tag)
		}
		var out strings.Builder
		if err := run(s.dir, "no-such-apidiff", &out); err != nil || !strings.Contains(out.String(), "PROMISES NOT COMPARED") {
			t.Errorf("tag %q: %v: %s", tag, err, &out)
		}
	}
}

// A release has its changelog.
func TestReleaseInChangelog(t *testing.T) {
	s := newScratch(t)
	s.git("tag", "-d", "v1.2.3")
	s.git("tag", "v1.2.4")
	var out strings.Builder
	if err := run(s.dir, "no-such-apidiff", &out); err == nil || !strings.Contains(err.Error(), "this is the release v1.2.4, and the changelog does not begin with it") {
		t.Errorf("got %v", err)
	}
}

func TestLeast(t *testing.T) {
	broken, added := []change{{breaking: true}}, []change{{}}
	for _, tt := range []struct {
		tag     string
		changes []change
		want    string
	}{
		{"v1.2.3", nil, "1.2.4"},
		{"v1.2.3", added, "1.3.0"},
		{"v1.2.3", broken, "2.0.0"},
		{"v0.2.3", broken, "0.2.4"},
		{"v1.0.0-rc.1", broken, "1.0.0"},
		{"v10.9.9", added, "10.10.0"},
	} {
		if got := least(tt.changes, tt.tag); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.tag, got, tt.want)
		}
	}
}

// The changelog of this repository has the form that is read.
func TestChangelog(t *testing.T) {
	text, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	n := newsSince(string(text), "no such version")
	if len(n.items["Added"]) < 10 || n.version != "" && numbers(n.version) == [3]int{} {
		t.Errorf("%d things were added, the version is %q", len(n.items["Added"]), n.version)
	}
	if wrong := judge(nil, n, "v0.0.0"); len(wrong) > 0 {
		t.Error(wrong)
	}
}

// The reference of this repository is read.
func TestReference(t *testing.T) {
	text, err := os.ReadFile("../../docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	all := readReference(string(text))
	got := make(map[string]promise)
	for _, name := range []string{"amictl check --every", "Global flags -C", "exit status 3", "$AMICTL_CONFIG", "amictl bus info"} {
		got[name] = all[name]
	}
	want := map[string]promise{
		"amictl check --every": {"flag", "--every", "takes a value"},
		"Global flags -C":      {"flag", "-C", "takes a value"},
		"exit status 3":        {"exit status", "3", "cannot connect, or a timeout with nothing sent: nothing was executed, safe to retry"},
		"$AMICTL_CONFIG":       {"variable", "AMICTL_CONFIG", ""},
		"amictl bus info":      {"subcommand", "bus info", ""},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(promise{})); diff != "" || len(all) < 200 {
		t.Errorf("%d promises (-want +got):\n%s", len(all), diff)
	}
}
