package bench

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseMix(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want []string // name action weight
		err  string
	}{
		{in: "ping=8,corestatus=1,command=1", want: []string{"ping Ping 8", "corestatus CoreStatus 1", "command Command 1"}},
		{in: " Ping , command=3", want: []string{"ping Ping 1", "command Command 3"}},
		{in: "pign=8", err: `"pign=8" is not a known action`},
		{in: "ping=0", err: "whole weight"},
		{in: "ping=1.5", err: "whole weight"},
		{in: "ping=-1", err: "whole weight"},
		{in: "ping,ping=2", err: "named twice"},
		{in: "", err: "not a known action"},
	} {
		m, err := parseMix(tt.in)
		if tt.err != "" {
			var me *MixError
			if !errors.As(err, &me) || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("ParseMix(%q): error %v, want a *MixError with %q", tt.in, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("ParseMix(%q): %v", tt.in, err)
			continue
		}
		var got []string
		for _, k := range m.Kinds() {
			got = append(got, k.Name+" "+k.Action+" "+string(rune('0'+k.Weight)))
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("ParseMix(%q): -want +got\n%s", tt.in, d)
		}
	}
}

func TestReadMix(t *testing.T) {
	m, err := ReadMix(strings.NewReader(`[
		{"name":"ring","action":"Originate","weight":3,"timeout":"40s","await_originate":true,
		 "fields":{"Channel":"Local/{{.N}}@{{ .Node }}","ChannelId":"amictl-{{.Run}}-{{.N}}","Variable":["A=1","B=2"],"Async":"true","At":"{{.T}}"}},
		{"action":"Ping"}]`))
	if err != nil {
		t.Fatal(err)
	}
	k := m.Kinds()[0]
	got := k.Fields(nil, &vars{Node: "pbx1", Run: "ab12", N: 42, T: time.Millisecond})
	want := []field{
		{Name: "Channel", Value: "Local/42@pbx1"},
		{Name: "ChannelId", Value: "amictl-ab12-42"},
		{Name: "Variable", Value: "A=1"},
		{Name: "Variable", Value: "B=2"},
		{Name: "Async", Value: "true"},
		{Name: "At", Value: "1000000"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("fields: -want +got\n%s", d)
	}
	if k.Timeout != 40*time.Second || k.Weight != 3 || !k.Await {
		t.Errorf("kind: timeout %s, weight %d, await %v", k.Timeout, k.Weight, k.Await)
	}
	if p := m.Kinds()[1]; p.Name != "Ping" || p.Weight != 1 || len(p.Fields(nil, &vars{})) != 0 {
		t.Errorf("second kind: %+v", p)
	}
}

func TestReadMixRefuses(t *testing.T) {
	for in, want := range map[string]string{
		`{}`:                                   "",
		`[]`:                                   "is empty",
		`[{"action":"Ping","wieght":2}]`:       "wieght",
		`[{"weight":2}]`:                       "no action",
		`[{"action":"Ping","weight":0}]`:       "weight from 1",
		`[{"action":"Ping","fields":{"A":1}}]`: "not a string",
		`[{"action":"Ping","fields":["A"]}]`:   "not an object",
		`[{"action":"Ping","fields":{"A":"{{.Nod}}"}}]`:    "{{.Nod}}",
		`[{"action":"Ping","fields":{"A":"{{.N"}}]`:        "no }}",
		`[{"action":"Ping","timeout":"-1s"}]`:              "negative",
		`[{"action":"Ping"},{"action":"Ping","weight":2}]`: "named twice",
	} {
		_, err := ReadMix(strings.NewReader(in))
		var me *MixError
		if !errors.As(err, &me) || !strings.Contains(err.Error(), want) {
			t.Errorf("ReadMix(%s): error %v, want a *MixError with %q", in, err, want)
		}
	}
}

func TestMixChoosesByWeightAndSeed(t *testing.T) {
	m, err := parseMix("ping=8,corestatus=1,command=1")
	if err != nil {
		t.Fatal(err)
	}
	const n = 100_000
	var got [3]float64
	same := 0
	for i := range uint64(n) {
		c := m.Choose(7, i)
		got[c]++
		if c != m.Choose(7, i) {
			t.Fatalf("action %d: another choice the second time", i)
		}
		if c == m.Choose(8, i) {
			same++
		}
	}
	for i, want := range []float64{0.8, 0.1, 0.1} {
		if share := got[i] / n; math.Abs(share-want) > 0.005 {
			t.Errorf("kind %d: share %.4f, want about %.1f", i, share, want)
		}
	}
	// Independent seeds agree by chance alone: 0.8² + 2·0.1² = 0.66.
	if share := float64(same) / n; math.Abs(share-0.66) > 0.01 {
		t.Errorf("another seed made the same choice in %.3f of all, want about 0.66", share)
	}
}

func TestFixedFieldsCostNoAllocation(t *testing.T) {
	m, err := parseMix("command")
	if err != nil {
		t.Fatal(err)
	}
	room, v := make([]field, 0, 4), vars{Node: "pbx1"}
	k := &m.Kinds()[0]
	if n := testing.AllocsPerRun(100, func() { room = k.Fields(room[:0], &v) }); n != 0 {
		t.Errorf("%v allocations for headers without marks", n)
	}
}
