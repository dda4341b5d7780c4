package scenario_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/apntalk/amictl/internal/scenario"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

const folder = "../../testdata/scenarios"

// Every scenario of the repository holds, in virtual time on an in-memory network.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(folder, "*.toml"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d scenarios, want 20 at least: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".toml"), func(t *testing.T) {
			s, err := scenario.Load(file)
			if err != nil {
				t.Fatal(err)
			}
			if s.Expects() == 0 {
				t.Fatal("it expects nothing")
			}
			synctest.Test(t, func(t *testing.T) { run(t, s) })
		})
	}
}

func run(t *testing.T, s *scenario.Scenario) {
	t.Helper()
	r, err := s.Run(context.Background(), amitest.NewNetwork())
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.Failures {
		t.Error(r.Failures[i].String())
	}
	t.Logf("%d checks, %d actions, %d events, %v of virtual time", r.Checks, r.Actions, r.Events, r.Took)
}
