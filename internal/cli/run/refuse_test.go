package run_test

import (
	"testing"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
)

// How records are printed is asked for in vain where none are.
func TestRefuseOutput(t *testing.T) {
	for text, set := range map[string]func(*run.Globals){
		"--output is for records, and none are printed here": func(g *run.Globals) { g.Output = "json" },
		"--fields is for records, and none are printed here": func(g *run.Globals) { g.Fields = "node" },
		"--query is for records, and none are printed here":  func(g *run.Globals) { g.Query = "node" },
	} {
		r := &run.Run{}
		set(&r.Flags)
		runtest.Refused(t, r.RefuseOutput("a hint"), fail.CodeUsage, text)
	}
	if err := (&run.Run{}).RefuseOutput("a hint"); err != nil {
		t.Errorf("without such a flag: %v", err)
	}
}
