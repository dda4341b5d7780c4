package amiprom_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/apntalk/amictl/internal/metrics"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amiprom"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// scrape returns what a Prometheus server would get, over HTTP.
func scrape(t *testing.T, collectors ...prometheus.Collector) string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collectors...)
	server := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError}))
	defer server.Close()
	answer, err := http.Get(server.URL) //nolint:noctx // the server is this test's own
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v\n%s", answer.Status, err, text)
	}
	return string(text)
}

// A program's own scrape: a cluster with a node that is ready and one that is down.
func TestScrapeOfACluster(t *testing.T) {
	server := amitest.NewServer()
	defer server.Close()
	cluster := ami.NewCluster(ami.ClusterConfig{})
	defer cluster.Close()
	config := ami.Config{Name: "up", Addr: server.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret)}
	node, err := cluster.Add(config)
	if err != nil {
		t.Fatal(err)
	}
	config.Name, config.Addr = "a \"b\"\\\n\xff", "127.0.0.1:1"
	if _, err := cluster.Add(config); err != nil {
		t.Fatal(err)
	}
	if err := node.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := node.Do(t.Context(), ami.NewAction("Ping")); err != nil {
			t.Fatal(err)
		}
	}
	text := scrape(t, amiprom.NewCollector(cluster.Stats))
	for _, want := range []string{
		`ami_node_up{node="up"} 1`,
		`ami_node_up{node="a \"b\"\\\n` + "\uFFFD" + `"} 0`,
		`ami_node_state{node="up",state="ready"} 1`,
		`ami_actions_ended_total{end="replied",node="up"} 3`,
		`ami_budget_cap_bytes 1.073741824e+09`,
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
}

// full is a snapshot in which each family has a sample.
func full() ami.ClusterStats {
	return ami.ClusterStats{Nodes: []ami.NodeStats{{Node: "pbx1"}, {Node: "pbx2"}}, Subs: []ami.SubscriptionStats{{Offered: 7}}}
}

// A scrape has the same families, of the same kinds, as what the command line writes.
func TestSameFamiliesAsTheCommandLine(t *testing.T) {
	s := full()
	var b strings.Builder
	if err := metrics.Write(&b, metrics.Of(&s)); err != nil {
		t.Fatal(err)
	}
	types := func(text string) []string {
		set := map[string]bool{}
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "# ") {
				set[line] = true
			}
		}
		return slices.Sorted(maps.Keys(set))
	}
	got, want := types(scrape(t, amiprom.NewCollector(full))), types(b.String())
	if diff := cmp.Diff(want, got); diff != "" || len(want) < 90 {
		t.Errorf("of %d (-text +scrape):\n%s", len(want), diff)
	}
}

// The names and kinds are what Prometheus' own linter accepts.
func TestLint(t *testing.T) {
	text := scrape(t, amiprom.NewCollector(full))
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		return // it is the same linter
	}
	check := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	check.Stdin = strings.NewReader(text)
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

// Two clusters share a registry by a label of their own.
func TestTwoClusters(t *testing.T) {
	one := amiprom.NewCollector(full)
	text := scrape(t,
		prometheus.WrapCollectorWith(prometheus.Labels{"cluster": "east"}, one),
		prometheus.WrapCollectorWith(prometheus.Labels{"cluster": "west"}, one))
	for _, want := range []string{`ami_node_up{cluster="east",node="pbx1"} 0`, `ami_events_offered_total{cluster="west"} 7`} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
}
