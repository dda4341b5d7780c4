package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apntalk/amictl/pkg/output"
)

// man reads every page without a warning, in lines that fit 80 columns, and finds in it what such a page should have.
func TestManReadsThePages(t *testing.T) {
	man := needs(t, "man")
	pages, err := filepath.Glob("../../docs/man/*.1")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	for _, page := range pages {
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			c := exec.CommandContext(t.Context(), man, "--warnings=w", "-l", page)
			c.Env = append(os.Environ(), "MANWIDTH=80", "MANPAGER=cat", "PAGER=cat", "MAN_KEEP_FORMATTING=", "LC_ALL=C.UTF-8")
			var warnings strings.Builder
			c.Stderr = &warnings
			text, err := c.Output()
			if err != nil || warnings.Len() > 0 {
				t.Fatalf("%v: %s", err, warnings.String())
			}
			sections := []string{"NAME", "SYNOPSIS", "EXAMPLES", "EXIT STATUS"}
			if filepath.Base(page) == "amictl.1" {
				sections = append(sections, "COMMANDS", "GLOBAL FLAGS", "ENVIRONMENT", "FILES")
			} else {
				sections = append(sections, "SEE ALSO")
			}
			for _, section := range sections {
				if !strings.Contains("\n"+string(text), "\n"+section+"\n") {
					t.Errorf("there is no %s", section)
				}
			}
			for line := range strings.Lines(string(text)) {
				if w := output.Width(strings.TrimSuffix(line, "\n")); w > 80 {
					t.Errorf("%d columns: %s", w, line)
				}
			}
		})
	}
}
