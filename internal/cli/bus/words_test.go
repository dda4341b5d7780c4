package bus

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/bus"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/output"
)

// since is when a bridge took a node.
var since = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// line is an object as programs get it, behind its type and cluster, which it has to have.
func line(t *testing.T, typ string, r output.Record) string {
	t.Helper()
	var b strings.Builder
	p := output.NewPrinter(&b, output.Options{Format: output.JSONLines})
	if err := errors.Join(p.Record(r), p.Close()); err != nil {
		t.Fatal(err)
	}
	text, ok := strings.CutPrefix(strings.TrimSuffix(b.String(), "\n"), `{"type":"`+typ+`","cluster":"c",`)
	if !ok {
		t.Errorf("it begins %s", b.String())
	}
	return text
}

// cell is how a table shows a key.
func cell(r output.Record, key string) output.Pair {
	for _, f := range r {
		if f.Key == key {
			return f
		}
	}
	return output.Pair{}
}

// A node that nobody owns has neither bridge nor time, and one without standbys none.
func TestNodeRecord(t *testing.T) {
	standbys := []bus.Standby{{Bridge: "b", Node: "pbx", Since: since}, {Bridge: "c", Node: "pbx", Why: "no session"}}
	for want, r := range map[string]output.Record{
		`"node":"pbx","batches":3}`: nodeRecord("c", &bus.NodeInfo{Node: "pbx", Batches: 3, Since: since}, nil),
		`"node":"pbx","bridge":"a","since":"2026-01-02T03:04:05.000000Z","batches":3,"standbys":[{"bridge":"b","in_step":true,"since":"2026-01-02T03:04:05.000000Z"},{"bridge":"c","in_step":false,"reason":"no session"}]}`: nodeRecord("c", &bus.NodeInfo{Node: "pbx", Batches: 3, Bridge: "a", Since: since}, standbys),
	} {
		if diff := cmp.Diff(want, line(t, "bus-node", r)); diff != "" {
			t.Error(diff)
		}
	}
	for n, want := range map[int]output.Pair{1: {Text: "b", Tone: output.Good}, 2: {Text: "b, c (out of step: no session)", Tone: output.Bad}} {
		if got := standbysPair(standbys[:n]); got.Text != want.Text || got.Tone != want.Tone {
			t.Errorf("%d standbys: %q, %v", n, got.Text, got.Tone)
		}
	}
}

func TestDurableRecord(t *testing.T) {
	for text, d := range map[string]*bus.DurableInfo{"all": {Name: "crm", Behind: 7}, "pbx1, fra-*": {Name: "crm", Nodes: []string{"pbx1", "fra-*"}, Behind: 7}} {
		r := durableRecord("c", d)
		if got := cell(r, "nodes").Text; got != text {
			t.Errorf("it reads %q, want %q", got, text)
		}
		if got := line(t, "bus-durable", r); !strings.HasPrefix(got, `"durable":"crm","nodes":[`) || !strings.HasSuffix(got, `],"behind":7}`) {
			t.Errorf("it is %s", got)
		}
	}
}

// What is wrong with a node's packets is bad; gaps are no fault.
func TestLedgerRecord(t *testing.T) {
	well := ledgerRecord("c", &bus.Ledger{Node: "pbx", Batches: 1, Packets: 2, Sessions: 3, Owners: 4, Gaps: 5, Dropped: 6})
	if got := line(t, "bus-ledger", well); got != `"node":"pbx","batches":1,"packets":2,"sessions":3,"owners":4,"gaps":5,"dropped":6,"faults":[]}` {
		t.Errorf("it is %s", got)
	}
	ill := ledgerRecord("c", &bus.Ledger{Node: "pbx", Faults: []string{"a", "b"}})
	if f := cell(ill, "faults"); f.Text != "a; b" || f.Tone != output.Bad || cell(well, "faults").Tone != output.Good {
		t.Errorf("the faults are %+v", f)
	}
}

func TestMoveRecord(t *testing.T) {
	for whole, tone := range map[bool]output.Tone{true: output.Good, false: output.Bad} {
		r := moveRecord("c", &bus.Moved{Node: "pbx", From: "a", To: "b", Whole: whole, Took: 1500 * time.Microsecond})
		if got := cell(r, "whole").Tone; got != tone {
			t.Errorf("whole: %t has tone %v", whole, got)
		}
		if got := line(t, "bus-move", r); !strings.HasPrefix(got, `"node":"pbx","from":"a","to":"b","whole":`) || !strings.HasSuffix(got, `"move_us":1500}`) {
			t.Errorf("it is %s", got)
		}
	}
}

func TestWordsOfAStream(t *testing.T) {
	for bytes, want := range map[int64]string{-1: "any number", 0: "0 MiB", 1 << 20: "1 MiB", 10 << 30: "10240 MiB"} {
		if got := limit(bytes); got != want {
			t.Errorf("%d bytes are %q", bytes, got)
		}
	}
	if got := stamp(since); got != "2026-01-02T03:04:05Z" {
		t.Errorf("it is from %q", got)
	}
	if got := stamp(time.Time{}); got != "now" {
		t.Errorf("without a batch it is from %q", got)
	}
}

// A name that is wrong is a mistake of the command line, with the names that would be right; the rest may pass.
func TestWhyANodeIsNotMoved(t *testing.T) {
	for reason, test := range map[bus.MoveReason]struct {
		names []string
		code  fail.Code
		hint  string
	}{
		bus.MoveNoNode:   {[]string{"pbx1"}, fail.CodeUsage, "did you mean pbx1?"},
		bus.MoveNoBridge: {[]string{"fra", "ber"}, fail.CodeUsage, "there is fra, ber"},
		bus.MoveThere:    {nil, fail.CodeUsage, "`amictl bus info` shows which bridge has which node"},
		bus.MoveUnknown:  {nil, fail.CodeTimeout, "`amictl bus info` shows which bridge has it"},
		bus.MoveNoOwner:  {nil, fail.CodeConnect, "a bridge takes it within seconds"},
		bus.MoveAway:     {nil, fail.CodeConnect, "the node is where it was"},
		bus.MoveBusy:     {nil, fail.CodeConnect, "the node is where it was"},
		bus.MoveFailed:   {nil, fail.CodeConnect, "the node is where it was"},
	} {
		err := notMoved(&bus.MoveError{Reason: reason, What: "it is not moved", Names: test.names}, "pbx2", "zzzzzz")
		runtest.Refused(t, err, test.code, "it is not moved")
		if hint := fail.Classify(err).Hint; !strings.HasPrefix(hint, test.hint) {
			t.Errorf("%s: the hint is %q", reason, hint)
		}
	}
	err := notMoved(&bus.MoveError{Reason: bus.MoveNoBridge}, "pbx1", "b")
	if hint := fail.Classify(err).Hint; hint != "no other bridge of the cluster is alive" {
		t.Errorf("without another bridge the hint is %q", hint)
	}
}

// A durable that is another one, or is read already, is told of by its flag; other errors stay as they are.
func TestErrorsOfADurable(t *testing.T) {
	runtest.Refused(t, ofDurable(&bus.DurableError{What: "it reads other nodes"}, "crm"), fail.CodeUsage, "--durable: it reads other nodes")
	runtest.Refused(t, ofDurable(bus.ErrInUse, "crm"), fail.CodeConnect, "--durable crm: another process reads with this name")
	mine := errors.New("mine")
	if got := ofDurable(mine, "crm"); got != mine { //nolint:errorlint // the very same
		t.Errorf("another error is %v", got)
	}
}
