package bench_test

import (
	"bytes"
	"testing"

	"github.com/apntalk/amictl/pkg/bench"
	"github.com/apntalk/amictl/pkg/bench/benchsim"
)

// launch runs a load against simulated nodes in this process.
func launch(t *testing.T, cfg bench.Config) *bench.Result {
	t.Helper()
	cfg.Target = "simulator"
	l := bench.Launch{
		Config: cfg, Seed: 1, ID: "test", Version: "test",
		Simulate: func(s bench.SimSpec) (bench.Simulator, error) { return benchsim.Here(s) },
	}
	res, err := l.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if testing.Verbose() {
		var b bytes.Buffer
		_ = res.WriteTable(&b)
		t.Log("\n" + b.String())
	}
	return res
}

func TestClosedLoopByCount(t *testing.T) {
	res := launch(t, bench.Config{Nodes: 4, Actions: 5000})
	if res.Total.Sent != 5000 || res.Total.Ended.Total() != 5000 || res.Verdict != bench.Measured {
		t.Errorf("sent %d, ended %d, verdict %s %v", res.Total.Sent, res.Total.Ended.Total(), res.Verdict, res.Reasons)
	}
}

