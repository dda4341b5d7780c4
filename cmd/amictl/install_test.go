package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Each page is for users, and comes with a release, or for who works on amictl or with its library.
func TestPagesOfReleases(t *testing.T) {
	list, err := os.ReadFile("../../packaging/docs")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	for _, page := range pages {
		name := filepath.Base(page)
		if listed, ours := strings.Contains("\n"+string(list), "\n"+name+"\n"), name == "DESIGN.md" || name == "library.md"; listed == ours {
			t.Errorf("%s is in packaging/docs: %v", name, listed)
		}
	}
}

// What make install runs puts everything in its place: a program that runs, a man page for each command, and completion.
func TestInstall(t *testing.T) {
	bash := needs(t, "bash")
	binary, err := exec.LookPath("amictl")
	if err != nil {
		t.Fatal(err)
	}
	prefix := t.TempDir()
	c := exec.CommandContext(t.Context(), bash, "../../scripts/install")
	c.Env = append(os.Environ(), "PREFIX="+prefix, "DESTDIR=", "BINARY="+binary)
	if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "put "+prefix+"/bin into PATH") || !strings.Contains(string(out), "fpath=("+prefix+"/share/zsh/site-functions $fpath)") {
		t.Fatalf("%v: %s", err, out)
	}
	pages, err := filepath.Glob("../../docs/man/*.1")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	want := []string{
		"share/bash-completion/completions/amictl", "share/bash-completion/completions/amictld", "share/zsh/site-functions/_amictl",
		"share/fish/vendor_completions.d/amictl.fish", "share/fish/vendor_completions.d/amictld.fish", "share/man/man1/amictld.1",
		"share/doc/amictl/serve.md", "share/doc/amictl/grafana/amictl-serve.json",
	}
	for _, page := range pages {
		want = append(want, "share/man/man1/"+filepath.Base(page))
	}
	for _, name := range want {
		if st, err := os.Stat(filepath.Join(prefix, name)); err != nil || st.Size() == 0 {
			t.Errorf("%s: %v, or it is empty", name, err)
		}
	}
	if out, err := exec.CommandContext(t.Context(), filepath.Join(prefix, "bin/amictl"), "version", "--query", "type").CombinedOutput(); err != nil || string(out) != "version\n" { //nolint:gosec // the test's own
		t.Errorf("%v: %s", err, out)
	}
}
