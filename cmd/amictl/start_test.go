package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/skip"
)

// buildProgram builds a program as `make build` does, and copies it, as an installation does: Linux maps a file that a linker has just
// written page by page, and one that was written in order by larger pieces, which is up to a millisecond less for each start.
func buildProgram(t testing.TB, what string) (path string) {
	t.Helper()
	dir := t.TempDir()
	built, path := filepath.Join(dir, "built.exe"), filepath.Join(dir, "program.exe")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-tags=urfave_cli_no_template", "-ldflags=-s -w", "-o", built, what)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s cannot be built: %v\n%s", what, err, out)
	}
	program, err := os.ReadFile(built)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, program, 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	return path
}

// What amictl does before main, each of its thousands of starts pays for. The figures are those of the allocator, so that they do not
// depend on the machine; what they may be at most leaves room for a new version of Go, not for another table of ours.
func TestStartMakesLittle(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		skip.Loudly(t, "it builds amictl")
	}
	cmd := exec.CommandContext(t.Context(), buildProgram(t, "."), "version")
	cmd.Env = []string{"HOME=" + t.TempDir(), "GODEBUG=inittrace=1"}
	var trace strings.Builder
	cmd.Stderr = &trace
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	bytes, allocations := 0, 0
	ours := make(map[string]int)
	for _, m := range regexp.MustCompile(`(?m)^init (\S+) .* clock, (\d+) bytes, (\d+) allocs$`).FindAllStringSubmatch(trace.String(), -1) {
		size, _ := strconv.Atoi(m[2])
		count, _ := strconv.Atoi(m[3])
		bytes, allocations = bytes+size, allocations+count
		if strings.HasPrefix(m[1], "github.com/apntalk/") {
			ours[m[1]] = size
		}
	}
	t.Logf("%d bytes in %d allocations before main", bytes, allocations)
	if bytes < 1000 || len(ours) == 0 {
		t.Fatalf("this is no trace:\n%s", trace.String())
	}
	if bytes > 130_000 || allocations > 700 {
		t.Errorf("%d bytes in %d allocations before main:\n%s", bytes, allocations, trace.String())
	}
	for name, size := range ours {
		if size > 4<<10 {
			t.Errorf("%s makes %d bytes before main: tables that are not always used are made when they are first asked for (sync.OnceValue)", name, size)
		}
	}
}

// Some packages cost each start a tenth of a millisecond or more, and the templates keep every exported method in the program.
func TestStartLinksLittle(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-tags=urfave_cli_no_template", "-deps", ".").Output()
	if err != nil {
		skip.Loudly(t, "go list: "+err.Error())
	}
	linked := strings.Fields(string(out))
	if !slices.Contains(linked, "github.com/apntalk/amictl/internal/cli") {
		t.Fatalf("this is no list: %s", out)
	}
	for _, heavy := range []string{
		"text/template", "html/template", "net/http", "expvar", "go/ast", "database/sql/driver", "golang.org/x/text/transform", "github.com/BurntSushi/toml",
		"github.com/gdamore/tcell/v2", "github.com/nats-io/nats.go", "github.com/prometheus/client_golang/prometheus", "github.com/klauspost/compress/s2",
	} {
		if slices.Contains(linked, heavy) {
			t.Errorf("amictl links %s: what needs it belongs into amictld, or can do without", heavy)
		}
	}
}
