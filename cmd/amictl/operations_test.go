package main

import (
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

// limits are how the guide writes the default of each constant.
var limits = []struct {
	constant string
	value    any
	Text     string
}{
	{"DialTimeout", ami.DefaultDialTimeout, "5s"},
	{"LoginTimeout", ami.DefaultLoginTimeout, "10s"},
	{"ActionTimeout", ami.DefaultActionTimeout, "30s"},
	{"Keepalive", ami.DefaultKeepalive, "15s"},
	{"PingTimeout", ami.DefaultPingTimeout, "10s"},
	{"KeepaliveMisses", ami.DefaultKeepaliveMisses, "3"},
	{"BackoffMin", ami.DefaultBackoffMin, "100ms"},
	{"BackoffMax", ami.DefaultBackoffMax, "30s"},
	{"BreakerAfter", ami.DefaultBreakerAfter, "30s"},
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
	{"Queue", redact.DefaultQueue, "1,024"},
	{"QueueBytes", redact.DefaultQueueBytes, "4MiB"},
	{"CloseTimeout", redact.DefaultCloseTimeout, "2s"},
	{"Banner", wire.DefaultBanner, "256"},
	{"Line", wire.DefaultLine, "1MiB"},
	{"Headers", wire.DefaultHeaders, "1,024"},
	{"Packet", wire.DefaultPacket, "1MiB"},
	{"Answer", wire.DefaultAnswer, "16MiB"},
}

// The operations guide names every default of the library, with its value.
func TestLimitsAreExplained(t *testing.T) {
	known := make(map[string]bool)
	guide := operationsGuide(t)
	for _, l := range limits {
		known["Default"+l.constant] = true
		row := regexp.MustCompile("(?m)^\\|.*`" + l.constant + "`.*$").FindString(guide)
		if !strings.Contains(strings.ReplaceAll(row, " ", ""), l.Text) {
			t.Errorf("the row of %s does not say %s: %s", l.constant, l.Text, row)
		}
		if diff := cmp.Diff(l.value, parseLimit(t, l.Text)); diff != "" {
			t.Errorf("%s (-is +explained):\n%s", l.constant, diff)
		}
	}
	there := make(map[string]bool)
	for _, dir := range []string{"../../pkg/ami", "../../pkg/ami/redact", "../../pkg/ami/wire"} {
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
