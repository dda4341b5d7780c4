package web

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/skip"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// promtool runs Prometheus' own checks. Where there is none the test is skipped.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	program, err := exec.LookPath("promtool")
	if err != nil {
		skip.Loudly(t, "there is no promtool, which the rules and queries are tried with")
	}
	if out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

const prometheusDocs = "../../../docs/prometheus/"

// Each alert fires for what it is for, and not for what looks like it.
func TestAlertRules(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(prometheusDocs + "amictl-serve.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile(prometheusDocs + "amictl-serve.rules.test.yml")
	if err != nil {
		t.Fatal(err)
	}
	var queries []string
	for _, m := range regexp.MustCompile(`(?m)^ +expr: (?:\|\n)?((?:.+\n)(?: {12}.*\n)*)`).FindAllStringSubmatch(string(text), -1) {
		queries = append(queries, m[1])
	}
	names := regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(string(text), -1)
	if len(names) < 10 || len(queries) != len(names) {
		t.Fatalf("%d alerts and %d expressions were found", len(names), len(queries))
	}
	for _, m := range names {
		if !strings.Contains(string(tests), "alertname: "+m[1]+"\n") {
			t.Errorf("nothing tries the alert %s", m[1])
		}
	}
	holdQueries(t, queries)
	promtool(t, "check", "rules", prometheusDocs+"amictl-serve.rules.yml")
	promtool(t, "test", "rules", prometheusDocs+"amictl-serve.rules.test.yml")
}

// Each query of the dashboard is one, and asks for what /metrics has.
func TestDashboard(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/grafana/amictl-serve.json")
	if err != nil || !json.Valid(text) {
		t.Fatalf("the dashboard is no JSON: %v", err)
	}
	var queries []string
	for _, panel := range gjson.GetBytes(text, "panels").Array() {
		for _, target := range panel.Get("targets").Array() {
			queries = append(queries, target.Get("expr").String())
		}
	}
	if len(queries) < 30 {
		t.Fatalf("only %d queries were found", len(queries))
	}
	for _, q := range gjson.GetBytes(text, "templating.list.#.query.query").Array() {
		m := regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`).FindStringSubmatch(q.String())
		if m == nil {
			t.Fatalf("the variable's query is %s", q)
		}
		queries = append(queries, fmt.Sprintf("sum by (%s) (%s)", m[2], m[1]))
	}
	rules := "groups:\n- name: dashboard\n  rules:\n"
	for i := range queries {
		queries[i] = strings.NewReplacer("$__rate_interval", "1m", "$node", ".*").Replace(queries[i])
		rules += fmt.Sprintf("  - record: query:%d\n    expr: %q\n", i, queries[i])
	}
	holdQueries(t, queries)
	file := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", file)
}

// holdQueries fails the test unless the metrics of some queries are there, with the labels that the queries ask for.
func holdQueries(t *testing.T, queries []string) {
	t.Helper()
	f := open(t, setup{server: busy})
	waited := f.servers[0].Dial("", amitest.Channel{Name: "PJSIP/in"}) // so that a wait is counted, and requests are
	f.servers[0].JoinQueue("support", waited.Uniqueid)
	f.servers[0].Hangup(waited.Uniqueid, 16)
	f.eventually("the wait is counted", func() bool { return strings.Contains(f.ask(try{path: "/metrics"}), "amictl_queue_wait_seconds_count") })
	f.ask(try{path: "/v1/nothing", status: 404})
	f.ask(try{method: "POST", path: "/v1/actions", body: `{}`, status: 403})
	labels := make(map[string][]string)
	for line := range strings.Lines(f.ask(try{path: "/metrics"})) {
		m := regexp.MustCompile(`^(\w+)(?:\{(.*)\})? `).FindStringSubmatch(line)
		if m == nil {
			continue
		}
		labels[m[1]] = append(labels[m[1]], "")
		for _, l := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(m[2], -1) {
			labels[m[1]] = append(labels[m[1]], l[1])
		}
	}
	for _, q := range queries {
		var asked []string
		for _, m := range regexp.MustCompile(`\b((?:ami|amictl|go|process)_\w+)(?:\{([^}]*)\})?`).FindAllStringSubmatch(q, -1) {
			if labels[m[1]] == nil {
				t.Errorf("%s is not in /metrics: %s", m[1], q)
			}
			for _, l := range regexp.MustCompile(`(\w+)\s*[=!]~?`).FindAllStringSubmatch(m[2], -1) {
				if !slices.Contains(labels[m[1]], l[1]) {
					t.Errorf("%s has no label %s: %s", m[1], l[1], q)
				}
			}
			asked = append(asked, labels[m[1]]...)
		}
		for _, m := range regexp.MustCompile(`by \(([^)]*)\)`).FindAllStringSubmatch(q, -1) {
			for l := range strings.SplitSeq(m[1], ", ") {
				if l != "instance" && l != "job" && !slices.Contains(asked, l) { // these two are Prometheus' own
					t.Errorf("there is no label %s: %s", l, q)
				}
			}
		}
	}
}

// /metrics is what promtool takes.
func TestPromtoolMetrics(t *testing.T) {
	t.Parallel()
	f := open(t, setup{nodes: 2, server: busy, options: Options{EndpointMetrics: true}})
	file := filepath.Join(t.TempDir(), "metrics")
	if err := os.WriteFile(file, []byte(f.ask(try{path: "/metrics"})), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("promtool"); err != nil {
		promtool(t) // says that it is skipped
	}
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	c := exec.CommandContext(t.Context(), "promtool", "check", "metrics")
	c.Stdin = in
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
