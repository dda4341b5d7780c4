package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

func n(value int) flags.Count { return flags.Count{Value: value, Given: true} }

// small is a run of a hundred actions against a server in this process.
func small(out string) *options {
	return &options{here: true, sim: n(1), actions: n(100), concurrency: n(1), maxLag: flags.Duration{Value: 1 << 40, Given: true}, out: out}
}

// A result is written whole, can be shown again, and is no worse than itself.
func TestBench(t *testing.T) {
	out := filepath.Join(t.TempDir(), "result.json")
	r := runtest.New(t, runtest.Setup{Flags: run.Globals{Output: "json", Quiet: true}})
	if err := dispatch(t.Context(), r.Run, small(out)); err != nil {
		t.Fatalf("%v: %s", err, r.Out)
	}
	written, err := os.ReadFile(out)
	if err != nil || string(written) != r.Out.String() || gjson.GetBytes(written, "config.actions").Int() != 100 {
		t.Errorf("the file is not what was printed: %v, %s", err, written)
	}
	for name, test := range map[string]struct {
		options options
		want    string
	}{
		"report":    {options{form: "report", files: []string{out}, given: []string{"markdown"}, markdown: true}, "| "},
		"compare":   {options{form: "compare", files: []string{out, out}}, "p50"},
		"a page":    {options{form: "report", files: []string{out}, html: "-"}, "<html"},
		"a verdict": {options{form: "compare", files: []string{out, out}, failIf: flags.List{"p50>+1%"}}, "PASS"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{})
			if err := dispatch(t.Context(), r.Run, &test.options); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(r.Out.String(), test.want) {
				t.Errorf("%q is not in %s", test.want, r.Out)
			}
		})
	}
}

func TestBenchRefuses(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	for name, test := range map[string]struct {
		options options
		flags   run.Globals
		code    fail.Code
		want    string
	}{
		"another form":         {options{form: "replay"}, run.Globals{}, fail.CodeUsage, `bench takes no argument "replay"`},
		"a run's flag":         {options{form: "report", given: []string{"rate"}}, run.Globals{}, fail.CodeUsage, "--rate does not apply to bench report"},
		"a report's flag":      {options{given: []string{"merge"}}, run.Globals{}, fail.CodeUsage, "--merge does not apply to a run"},
		"a query":              {options{}, run.Globals{Query: "p99"}, fail.CodeUsage, "does not take --query"},
		"a form of others":     {options{}, run.Globals{Output: "csv"}, fail.CodeUsage, "does not fit bench"},
		"no result":            {options{form: "report"}, run.Globals{}, fail.CodeUsage, "needs a FILE"},
		"what is no result":    {options{form: "report", files: []string{"bench_test.go"}}, run.Globals{}, fail.CodeInput, "bench_test.go"},
		"one to compare":       {options{form: "compare", files: []string{"a"}}, run.Globals{}, fail.CodeUsage, "needs two files"},
		"a threshold":          {options{failIf: flags.List{"p98.5>1ms"}}, run.Globals{}, fail.CodeUsage, "threshold"},
		"no weight":            {options{weights: flags.List{"pbx1=0"}}, run.Globals{}, fail.CodeUsage, "is not NODE=N"},
		"simulated and real":   {options{sim: n(2)}, run.Globals{Nodes: flags.List{"pbx1"}}, fail.CodeUsage, "real servers cannot be simulated"},
		"a target of nobody's": {options{confirm: n(1)}, run.Globals{}, fail.CodeUsage, "without real servers"},
		"too many targets":     {options{confirm: n(1)}, run.Globals{Nodes: flags.List{"pbx1"}}, fail.CodeUsage, "all servers are on this host"},
		"a protected one":      {options{}, run.Globals{Nodes: flags.List{"pbx1"}}, fail.CodeUsage, "is protected"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Config: "protect = true", Flags: test.flags})
			runtest.Refused(t, dispatch(t.Context(), r.Run, &test.options), test.code, test.want)
			if n := srv.Ledger().Accepted; n != 0 {
				t.Errorf("the server was dialled %d times", n)
			}
		})
	}
}
