package metrics_test

import (
	"bytes"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/metrics"
	"github.com/apntalk/amictl/pkg/ami"
)

func prometheus(t *testing.T, s ami.ClusterStats) string {
	t.Helper()
	var b bytes.Buffer
	if err := metrics.Write(&b, metrics.Of(&s)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Whatever is counted is shown: each figure of a snapshot changes the text.
func TestPrometheusShowsEveryFigure(t *testing.T) {
	fresh := func() *ami.ClusterStats {
		return &ami.ClusterStats{Nodes: []ami.NodeStats{{Node: "pbx"}}, Subscriptions: []ami.SubscriptionStats{{}}}
	}
	zero := prometheus(t, *fresh())
	figures := 0
	try := func(path string, of func(*ami.ClusterStats) reflect.Value) {
		kind := of(fresh()).Type()
		for i := range kind.NumField() {
			s := fresh()
			f := of(s).Field(i)
			switch f.Kind() {
			case reflect.Uint64:
				f.SetUint(7919)
			case reflect.Int, reflect.Int64:
				f.SetInt(7919)
				if f.Type() == reflect.TypeFor[time.Duration]() {
					f.SetInt(int64(7919 * time.Second))
				}
			case reflect.Bool:
				f.SetBool(true)
			default:
				continue // names, texts, and what is walked on its own
			}
			name := path + kind.Field(i).Name
			if name == "Ready" {
				continue // the sum of ami_node_up
			}
			figures++
			if text := prometheus(t, *s); text == zero || f.Kind() != reflect.Bool && !strings.Contains(text, " 7919\n") {
				t.Errorf("%s is not shown", name)
			}
		}
	}
	try("", func(s *ami.ClusterStats) reflect.Value { return reflect.ValueOf(s).Elem() })
	try("Nodes.", func(s *ami.ClusterStats) reflect.Value { return reflect.ValueOf(s).Elem().Field(0).Index(0) })
	try("Nodes.Ledger.", func(s *ami.ClusterStats) reflect.Value { return reflect.ValueOf(&s.Nodes[0].Ledger).Elem() })
	try("Subscriptions.", func(s *ami.ClusterStats) reflect.Value { return reflect.ValueOf(&s.Subscriptions[0]).Elem() })
	if figures < 45 {
		t.Errorf("only %d figures were tried", figures)
	}
}

// The text is what Prometheus reads (exposition format 0.0.4): each family once, help and type before its samples, no
// sample twice, counters named so, and whatever a node is called stays inside its quotes.
func TestPrometheusFormat(t *testing.T) {
	text := prometheus(t, ami.ClusterStats{
		Nodes:             []ami.NodeStats{{Node: "pbx1", Ledger: ami.Ledger{Rejected: 10}, PingLast: 1500 * time.Microsecond}, {Node: "a \"b\"\\\nami_node_up 1"}},
		Subscriptions:     []ami.SubscriptionStats{{Offered: 3, PeakEvents: 5}, {Offered: 4, PeakEvents: 2}},
		PastSubscriptions: ami.SubscriptionStats{Offered: 100, PeakEvents: 1},
		Ledger:            ami.Ledger{Rejected: 12},
	})
	help := regexp.MustCompile(`^# HELP (ami_[a-z_]+) [A-Z].*\.$`)
	kind := regexp.MustCompile(`^# TYPE (ami_[a-z_]+) (counter|gauge)$`)
	sample := regexp.MustCompile(`^((ami_[a-z_]+)(\{[a-z]+="([^"\\\n]|\\[\\"n])*"(,[a-z]+="[a-z_-]+")?\})?) [0-9.e+-]+$`)
	seen, family := map[string]bool{}, ""
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		if m := help.FindStringSubmatch(line); m != nil {
			if family = m[1]; seen["# "+family] {
				t.Errorf("%s comes twice", family)
			}
			seen["# "+family] = true
		} else if m := kind.FindStringSubmatch(line); m != nil {
			if m[1] != family || strings.HasSuffix(family, "_total") != (m[2] == "counter") {
				t.Errorf("%q behind %s", line, family)
			}
		} else if m := sample.FindStringSubmatch(line); m != nil {
			if m[2] != family || seen[m[1]] {
				t.Errorf("%q in %s", line, family)
			}
			seen[m[1]] = true
		} else {
			t.Errorf("what is %q?", line)
		}
	}
	for _, want := range []string{`ami_ping_seconds{node="pbx1"} 0.0015`, `ami_node_up{node="a \"b\"\\\nami_node_up 1"} 0`, "ami_events_offered_total 107", "ami_events_queued_peak 5", "ami_actions_unrouted_total 2"} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("%s is not there", want)
		}
	}
}
