package health

import (
	"bytes"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/metrics"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/google/go-cmp/cmp"
)

// What a server says cannot spoil a scrape.
func TestPrometheusLabelsAreUTF8(t *testing.T) {
	var b strings.Builder
	if err := metrics.Write(&b, promFamilies([]checkup{{node: "a", version: "2\xff2\"\n", banner: "\xc3"}})); err != nil {
		t.Fatal(err)
	}
	if want := `version="2` + "\uFFFD" + `2\"\n",banner="` + "\uFFFD" + `"`; !strings.Contains(b.String(), want) {
		t.Errorf("%s does not hold %s", b.String(), want)
	}
}

func TestMinReadyBeyondAllIntegers(t *testing.T) {
	for _, s := range []string{"1e300", "99999999999999999999", "Inf"} {
		if n, err := parseMinReady(s, 5); err == nil {
			t.Errorf("%s: %d", s, n)
		}
	}
}

// The operations guide explains the counters that there are: each of them, and no other.
func TestCountersAreExplained(t *testing.T) {
	guide, err := os.ReadFile("../../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	node := ami.NodeStats{Node: "pbx1"}
	if err := metrics.Write(&b, promFamilies([]checkup{{node: "pbx1", stats: node}})); err != nil {
		t.Fatal(err)
	}
	there, explained := make(map[string]bool), make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+)`).FindAllStringSubmatch(b.String(), -1) {
		there[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`end="[a-z_]+"`).FindAllString(b.String(), -1) {
		there[m] = true
	}
	for _, m := range regexp.MustCompile(`\bami_[a-z_]*[a-z]|end="[a-z_]+"`).FindAllString(string(guide), -1) {
		explained[m] = true
	}
	want, got := slices.Sorted(maps.Keys(there)), slices.Sorted(maps.Keys(explained))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-there +explained):\n%s", diff)
	}
}
