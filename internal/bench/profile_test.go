package bench

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestProfilesLeaveMostNodesAlone(t *testing.T) {
	count := func(p *profile, n int) map[string]int {
		m := map[string]int{}
		for i := range n {
			m[p.Node(i, n).Name]++
		}
		return m
	}
	for _, tt := range []struct {
		name string
		n    int
		want map[string]int
	}{
		{profileEven, 50, map[string]int{"": 50}},
		{profileOneSlow, 50, map[string]int{"": 49, "slow": 1}},
		{profileOneFlooding, 50, map[string]int{"": 49, "flooding": 1}},
		{profileOneStalled, 50, map[string]int{"": 49, "stalled": 1}},
		{profileOneStalled, 2, map[string]int{"": 1, "stalled": 1}},
		{profileOneStalled, 1, map[string]int{"": 1}},
		{profileFlapping, 50, map[string]int{"": 45, "flapping": 5}},
		{profileFlapping, 3, map[string]int{"": 2, "flapping": 1}},
		{profileStorm, 8, map[string]int{"": 8}},
		{profileMixed, 50, map[string]int{"": 46, "slow": 1, "flooding": 1, "stalled": 1, "flapping": 1}},
		{profileMixed, 5, map[string]int{"": 1, "slow": 1, "flooding": 1, "stalled": 1, "flapping": 1}},
		{profileMixed, 8, map[string]int{"": 4, "slow": 1, "flooding": 1, "stalled": 1, "flapping": 1}},
		{profileMixed, 3, map[string]int{"": 2, "slow": 1}},
	} {
		p, err := profileByName(tt.name)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(tt.want, count(p, tt.n)); d != "" {
			t.Errorf("%s of %d: -want +got\n%s", tt.name, tt.n, d)
		}
	}
}

func TestProfileByNameRefuses(t *testing.T) {
	_, err := profileByName("one-slwo")
	var ce *ConfigError
	if !errors.As(err, &ce) {
		t.Errorf("error %v, want a *ConfigError", err)
	}
}

func TestConfigRefusesContradictions(t *testing.T) {
	good := Config{}
	good.Defaults()
	if err := good.Validate(); err != nil {
		t.Fatalf("the defaults are refused: %v", err)
	}
	for setting, set := range map[string]func(*Config){
		"workload":    func(c *Config) { c.Workload = "nothing" },
		"nodes":       func(c *Config) { c.Nodes = 0 },
		"sessions":    func(c *Config) { c.Sessions = 0 },
		"window":      func(c *Config) { c.Window = -1 },
		"concurrency": func(c *Config) { c.Rate = 10 },
		"rate":        func(c *Config) { c.Rate = -1 },
		"timeout":     func(c *Config) { c.Timeout = 0 },
		"duration":    func(c *Config) { c.WarmUp = -1 },
		"weight":      func(c *Config) { c.Weights = Weights{"a": 0} },
		"profile":     func(c *Config) { c.Profile = "x" },
	} {
		c := good
		set(&c)
		var ce *ConfigError
		if err := c.Validate(); !errors.As(err, &ce) || ce.Setting != setting {
			t.Errorf("%s: error %v", setting, err)
		}
	}
}

func TestCallersShareSessions(t *testing.T) {
	for _, tt := range []struct{ concurrency, sessions, window, want int }{
		{8, 1, 256, 8}, {8, 4, 256, 2}, {9, 4, 256, 3}, {1, 4, 256, 1}, {1000, 1, 256, 256},
	} {
		c := Config{Concurrency: tt.concurrency, Sessions: tt.sessions, Window: tt.window}
		if got := c.Callers(); got != tt.want {
			t.Errorf("%+v: %d callers", tt, got)
		}
	}
}
