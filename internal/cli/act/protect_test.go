package act

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/cli/config"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
)

// names are what the name server of these tests knows.
var names = map[string][]string{
	"pbx22.example":  {"192.0.2.22", "2001:db8::22"},
	"voice.example":  {"192.0.2.22"},
	"six.example":    {"2001:db8::22"},
	"other.example":  {"192.0.2.99"},
	"mapped.example": {"::ffff:192.0.2.22"},
	"here.example":   {"198.51.100.7"},
}

func testLookup(asked *atomic.Int64) *lookup {
	l := newLookup()
	l.own = func() []netip.Addr {
		return []netip.Addr{netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("fe80::1%eth0")}
	}
	l.resolve = func(_ context.Context, host string) (all []netip.Addr, err error) {
		asked.Add(1)
		for _, s := range names[host] {
			all = append(all, netip.MustParseAddr(s))
		}
		if len(all) == 0 {
			err = errors.New("no such host")
		}
		return all, err
	}
	return l
}

// protection is what protects one node at an address when prod has one server. It is "" if nothing does.
func protection(t *testing.T, prod, addr string) (refusal, notes string, asked int64) {
	t.Helper()
	cfg := &config.File{Contexts: map[string]*config.Context{
		"prod": {Protect: true, Nodes: map[string]*config.Node{"pbx22": {URL: prod}}},
		"lab":  {Nodes: map[string]*config.Node{"pbx22": {URL: "ami://x"}}},
	}}
	var stderr strings.Builder
	r := run.New(nil, nil, nil, &stderr, func(string) (string, bool) { return "", false })
	r.Settings = &run.Settings{Config: cfg, Context: "lab"}
	var n atomic.Int64
	p := protectedBy(r, []ami.Config{{Name: "free", Addr: "203.0.113.1:5038"}, {Name: "pbx22", Addr: addr}}, testLookup(&n))
	action := ami.NewAction("QueuePause")
	if err := p.Refusal(r, &action, ""); err != nil {
		refusal = err.Error()
		if status := fail.Classify(err).Exit; status != fail.ExitUsage {
			t.Errorf("status %d", status)
		}
	}
	if err := p.Refusal(r, &action, "free"); err != nil {
		t.Errorf("another node is refused: %v", err)
	}
	reads := ami.NewAction("CoreStatus")
	if err := p.Refusal(r, &reads, ""); err != nil {
		t.Errorf("an action that only reads is refused: %v", err)
	}
	return refusal, stderr.String(), n.Load()
}

// A protected server is one whatever it is called.
func TestProtectedServers(t *testing.T) {
	for _, tt := range []struct {
		prod, addr string
		same       bool
	}{
		{"ami://pbx22.example", "pbx22.example:5038", true},
		{"ami://PBX22.Example.", "pbx22.example:5038", true},
		{"ami://pbx22.example", "192.0.2.22:5038", true},
		{"ami://192.0.2.22", "pbx22.example:5038", true},
		{"ami://pbx22.example", "voice.example:5038", true},
		{"ami://pbx22.example", "[2001:DB8:0::22]:5038", true},
		{"ami://[2001:db8::22]", "six.example:5038", true},
		{"ami://192.0.2.22", "mapped.example:5038", true},
		{"ami://192.0.2.22", "[::ffff:192.0.2.22]:5038", true},
		{"amis://pbx22.example", "192.0.2.22:5038", true},
		{"ami://pbx22.example", "voice.example:5039", true},
		{"ami://pbx22.example", "voice.example:6038", false},
		{"amis://pbx22.example:6039", "voice.example:6038", false},
		{"amis://pbx22.example:6039", "voice.example:6039", true},
		{"ami://pbx22.example", "other.example:5038", false},
		{"ami://localhost", "127.0.0.1:5038", true},
		{"ami://127.0.0.1", "[::1]:5038", true},
		{"ami://[::1]", "localhost:5038", true},
		{"ami://localhost", "127.9.9.9:5038", true},
		{"ami://0.0.0.0", "localhost:5038", true},
		{"ami://localhost", "198.51.100.7:5038", true},
		{"ami://127.0.0.1", "here.example:5038", true},
		{"ami://[fe80::1]", "localhost:5038", true},
		{"ami://127.0.0.1:5038", "127.0.0.1:15038", false},
	} {
		refusal, _, _ := protection(t, tt.prod, tt.addr)
		if (refusal != "") != tt.same {
			t.Errorf("%s and %s: %q", tt.prod, tt.addr, refusal)
		}
		if want := "pbx22 is also in the protected context prod, and QueuePause may change something; nothing was sent"; tt.same && refusal != want {
			t.Error(cmp.Diff(want, refusal))
		}
	}
}

// No name server is asked for what is known without one, and one that does not know is no reason to be silent.
func TestProtectionAsksForWhatItMust(t *testing.T) {
	cfg := &config.File{}
	r := run.New(nil, nil, nil, nil, nil)
	r.Settings = &run.Settings{Config: cfg}
	var n atomic.Int64
	if p := protectedBy(r, []ami.Config{{Name: "a", Addr: "nowhere.example:5038"}}, testLookup(&n)); len(p.nodes) > 0 || n.Load() > 0 {
		t.Errorf("without a protected context: %v, %d lookups", p.nodes, n.Load())
	}
	if _, notes, asked := protection(t, "ami://192.0.2.1", "192.0.2.2:5038"); asked > 0 || notes != "" {
		t.Errorf("addresses alone: %d lookups, %q", asked, notes)
	}
	if refusal, notes, _ := protection(t, "ami://gone.example", "192.0.2.22:5038"); refusal != "" || !strings.Contains(notes, "gone.example") {
		t.Errorf("a name that nobody knows: %q, %q", refusal, notes)
	}
}

// The refusal names the node, and what the other context calls it.
func TestProtectionNamesTheNode(t *testing.T) {
	cfg := &config.File{Contexts: map[string]*config.Context{
		"lab":  {Nodes: map[string]*config.Node{"x": {URL: "ami://192.0.2.1"}}},
		"prod": {Protect: true, Nodes: map[string]*config.Node{"pbx1": {URL: "ami://192.0.2.1"}, "pbx2": {URL: "ami://192.0.2.2"}}},
	}}
	action := ami.NewAction("Originate")
	for _, tt := range []struct {
		context string
		node    ami.Config
		want    string
	}{
		{"lab", ami.Config{Name: "x", Addr: "192.0.2.1:5038"}, "x is also in the protected context prod, as pbx1, and Originate may change something; nothing was sent"},
		{"prod", ami.Config{Name: "pbx2", Addr: "192.0.2.2:5038"}, "context prod is protected and Originate may change something; nothing was sent"},
		{"prod", ami.Config{Name: "192.0.2.2:5038", Addr: "192.0.2.2:5038"}, "192.0.2.2:5038 is also in the protected context prod, as pbx2, and Originate may change something; nothing was sent"},
	} {
		r := run.New(nil, nil, nil, nil, nil)
		r.Settings = &run.Settings{Config: cfg, Context: tt.context}
		var n atomic.Int64
		err := protectedBy(r, []ami.Config{tt.node}, testLookup(&n)).Refusal(r, &action, "")
		if err == nil || err.Error() != tt.want {
			t.Errorf("%v, want %s", err, tt.want)
		}
	}
}
