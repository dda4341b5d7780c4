package ami_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The design's table of files names each file of the engine, and none that is not there.
func TestDesignNamesEveryFile(t *testing.T) {
	page, err := os.ReadFile("../../docs/DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(page), "### Where a change goes (pkg/ami)")
	table, _, ok2 := strings.Cut(table, "###")
	if !ok || !ok2 {
		t.Fatal("there is no table of files")
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{"doc.go": true}
	for _, m := range regexp.MustCompile("`([a-z_]+\\*?[a-z_.]*)`").FindAllStringSubmatch(table, -1) {
		found := false
		for _, f := range files {
			if ok, _ := filepath.Match(m[1], f); ok && !strings.HasSuffix(f, "_test.go") {
				named[f], found = true, true
			}
		}
		if !found {
			t.Errorf("the table names %s, which is not there", m[1])
		}
	}
	for _, f := range files {
		if !named[f] && !strings.HasSuffix(f, "_test.go") {
			t.Errorf("the table does not name %s", f)
		}
	}
}
