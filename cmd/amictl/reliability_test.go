package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every test and fuzz target that docs/RELIABILITY.md names is there; "TestRedact…" stands for all that begin so.
func TestReliabilityNamesWhatExists(t *testing.T) {
	page, err := os.ReadFile("../../docs/RELIABILITY.md")
	if err != nil {
		t.Fatal(err)
	}
	var declared strings.Builder
	err = filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		declared.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)\\w+)(…?)`").FindAllStringSubmatch(string(page), -1)
	for _, m := range named {
		end := "("
		if m[2] != "" {
			end = ""
		}
		if !strings.Contains(declared.String(), "\nfunc "+m[1]+end) {
			t.Errorf("docs/RELIABILITY.md names %s, which is not there", m[1])
		}
	}
	if len(named) < 50 {
		t.Errorf("only %d tests are named", len(named))
	}
}
