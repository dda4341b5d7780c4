package scenario

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever a file holds, it is a scenario or refused by name; and what is accepted with a key that nobody knows added to
// it is refused: nothing stands in a file that nobody checks.
func FuzzParse(f *testing.F) {
	f.Add(small + "[[action]]\nname = \"a\"\naction = \"Ping\"\nexpect = { replied = 1 }\n")
	f.Add(small + "[[fault]]\nat = \"1s\"\ndo = \"kick\"\n[expect]\ntook = \"1s..2s\"\n")
	files, err := filepath.Glob("../../testdata/scenarios/*.toml")
	if err != nil || len(files) == 0 {
		f.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse("x", text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "scenario x: ") {
				t.Errorf("refused as %q", err)
			}
			return
		}
		if s.About == "" || len(s.Servers) == 0 {
			t.Errorf("accepted with about %q and %d servers", s.About, len(s.Servers))
		}
		for _, more := range []string{"\n[nonsense]\nx = 1\n", "\n[[server]]\nname = \"zz\"\nnonsense = 1\n"} {
			if _, err := Parse("x", text+more); err == nil {
				t.Errorf("accepted with %q", more)
			}
		}
	})
}
