package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A test that fails anyway is left out alone: of scripts the one, of other subtests all that belong together.
func TestCatchersAreLeftOutAlone(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "fails")
	for _, tt := range []struct{ output, catcher, name, pattern string }{
		{"--- FAIL: TestScript (1.00s)\n    --- FAIL: TestScript/send.x (0.10s)\n", "TestScript/send.x", "TestScript/send.x", `^TestScript$/^send\.x$`},
		{"--- FAIL: TestTable (1.00s)\n    --- FAIL: TestTable/row (0.10s)\n", "TestTable", "TestTable", "^TestTable$"},
		{"running tests:\n\tTestSlow (9s)\n", "TestSlow (hangs)", "TestSlow", "^TestSlow$"},
		{"=== RUN   TestLast\nfatal error: all goroutines are asleep\n", "TestLast (crashes)", "TestLast", "^TestLast$"},
	} {
		if err := os.WriteFile(bin, []byte("#!/bin/sh\ncat <<'END'\n"+tt.output+"END\nexit 1\n"), 0o700); err != nil { //nolint:gosec // it is to run
			t.Fatal(err)
		}
		l := newLab(t.TempDir())
		catcher, _ := l.test(bin, ".", "", time.Minute, true)
		name := testName(catcher)
		l.leaveOut(name)
		l.leaveOut(name)
		if catcher != tt.catcher || name != tt.name || len(l.broken) != 1 || l.broken[0] != tt.pattern {
			t.Errorf("%q: %q, of %q; left out: %q", tt.output, catcher, name, l.broken)
		}
	}
}
