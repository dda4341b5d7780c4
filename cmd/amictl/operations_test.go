package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/metrics"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/redact"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

func operationsGuide(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The operations guide explains the counters that there are: each of them, and no other.
func TestCountersAreExplained(t *testing.T) {
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
	for _, m := range regexp.MustCompile(`\bami_[a-z_]*[a-z]|end="[a-z_]+"`).FindAllString(operationsGuide(t), -1) {
		explained[m] = true
	}
	want, got := slices.Sorted(maps.Keys(there)), slices.Sorted(maps.Keys(explained))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-there +explained):\n%s", diff)
	}
}

// limits are how the guide writes the default of each constant.
var limits = []struct {
	constant string
	value    any
	text     string
}{
	{"DialTimeout", ami.DefaultDialTimeout, "5s"},
	{"LoginTimeout", ami.DefaultLoginTimeout, "10s"},
	{"ActionTimeout", ami.DefaultActionTimeout, "30s"},
	{"Keepalive", ami.DefaultKeepalive, "15s"},
	{"PingTimeout", ami.DefaultPingTimeout, "10s"},
	{"KeepaliveMisses", ami.DefaultKeepaliveMisses, "3"},
	{"BackoffMin", ami.DefaultBackoffMin, "100ms"},
	{"BackoffMax", ami.DefaultBackoffMax, "30s"},
	{"BreakerFailures", ami.DefaultBreakerFailures, "5"},
	{"BreakerOpen", ami.DefaultBreakerOpen, "30s"},
	{"LoginBackoffMin", ami.DefaultLoginBackoffMin, "30s"},
	{"LoginBackoffMax", ami.DefaultLoginBackoffMax, "10min"},
	{"StableAfter", ami.DefaultStableAfter, "10s"},
	{"Pending", ami.DefaultPending, "4,096"},
	{"WriteBuffer", ami.DefaultWriteBuffer, "1MiB"},
	{"ListItems", ami.DefaultListItems, "100,000"},
	{"ListBytes", ami.DefaultListBytes, "64MiB"},
	{"Unauthorized", ami.DefaultUnauthorized, "64KiB"},
	{"RingEvents", ami.DefaultRingEvents, "8,192"},
	{"RingBytes", ami.DefaultRingBytes, "8MiB"},
	{"Budget", ami.DefaultBudget, "1GiB"},
	{"MaxDials", ami.DefaultMaxDials, "64"},
	{"RedialRate", ami.DefaultRedialRate, "50"},
	{"LogQueue", redact.DefaultQueue, "1,024"},
	{"LogQueueBytes", redact.DefaultQueueBytes, "4MiB"},
	{"LogCloseTimeout", redact.DefaultCloseTimeout, "2s"},
	{"Banner", wire.DefaultBanner, "256"},
	{"Line", wire.DefaultLine, "1MiB"},
	{"Headers", wire.DefaultHeaders, "1,024"},
	{"ResponseHeaders", wire.DefaultResponseHeaders, "65,536"},
	{"Packet", wire.DefaultPacket, "1MiB"},
	{"Output", wire.DefaultOutput, "16MiB"},
}

// The operations guide names every default of the library, with its value.
func TestLimitsAreExplained(t *testing.T) {
	known := make(map[string]bool)
	guide := operationsGuide(t)
	for _, l := range limits {
		known["Default"+l.constant] = true
		row := regexp.MustCompile("(?m)^\\|.*`" + l.constant + "`.*$").FindString(guide)
		if !strings.Contains(strings.ReplaceAll(row, " ", ""), l.text) {
			t.Errorf("the row of %s does not say %s: %s", l.constant, l.text, row)
		}
		if diff := cmp.Diff(l.value, parseLimit(t, l.text)); diff != "" {
			t.Errorf("%s (-is +explained):\n%s", l.constant, diff)
		}
	}
	there := make(map[string]bool)
	for _, dir := range []string{"../../pkg/ami", "../../pkg/ami/wire"} {
		for _, name := range constants(t, dir) {
			there[name] = true
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(there)), slices.Sorted(maps.Keys(known))); diff != "" {
		t.Errorf("defaults (-there +known):\n%s", diff)
	}
}

// constants lists the constants of a package whose names begin with Default.
func constants(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", dir, err)
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok {
				for _, id := range v.Names {
					if strings.HasPrefix(id.Name, "Default") {
						names = append(names, id.Name)
					}
				}
			}
			return true
		})
	}
	return names
}

// parseLimit reads a default as the guide writes it, without the space before its unit.
func parseLimit(t *testing.T, s string) any {
	t.Helper()
	if d, err := time.ParseDuration(strings.TrimSuffix(s, "in")); err == nil { // 10min is 10m
		return d
	}
	number, size := strings.ReplaceAll(s, ",", ""), 1
	for unit, n := range map[string]int{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if rest, ok := strings.CutSuffix(number, unit); ok {
			number, size = rest, n
		}
	}
	n, err := strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	return n * size
}
