package main

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// mostExposed is the most that systemd may find a service exposed, of 10.
const mostExposed = 2.0

// The units of docs/ are as closed as systemd can make them.
func TestUnits(t *testing.T) {
	analyze := needs(t, "systemd-analyze")
	units, err := filepath.Glob("../../docs/systemd/*.service")
	if err != nil || len(units) == 0 {
		t.Fatalf("no units: %v", err)
	}
	level := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)
	for _, unit := range units {
		out, err := exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--no-pager", unit).CombinedOutput() //nolint:gosec // the test's own
		m := level.FindSubmatch(out)
		if err != nil || m == nil {
			t.Errorf("%s: %v: %s", unit, err, out)
			continue
		}
		if exposed, err := strconv.ParseFloat(string(m[1]), 64); err != nil || exposed > mostExposed {
			t.Errorf("%s: the exposure level is %s, over %v", unit, m[1], mostExposed)
		}
	}
}
