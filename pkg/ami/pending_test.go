package ami

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

func idOf(t *callTable, r callRef) string { return string(t.appendID(nil, r)) }

func TestActionIDFitsTheWire(t *testing.T) {
	table := newCallTable(math.MaxUint32)
	id := idOf(&table, callRef{slot: maxPending + internalRoom, gen: 1<<(64-stateBits) - 1})
	if len(id) > wire.MaxActionID {
		t.Errorf("the longest ActionID %q has %d bytes, over %d", id, len(id), wire.MaxActionID)
	}
	for _, c := range id {
		if c <= ' ' || c > '~' {
			t.Errorf("%q holds %q", id, c)
		}
	}
	if _, err := wire.AppendAction(nil, "Ping", []byte(id), nil); err != nil {
		t.Error(err)
	}
}

func TestActionIDsOfSessionsDiffer(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		table := newCallTable(7) // the same node, another session
		if seen[table.prefix] {
			t.Fatalf("prefix %q came twice", table.prefix)
		}
		seen[table.prefix] = true
		if !strings.HasPrefix(table.prefix, "7-") || len(table.prefix) < len("7-")+16 {
			t.Fatalf("prefix %q has too little that cannot be guessed", table.prefix)
		}
	}
}

func TestLookup(t *testing.T) {
	table := newCallTable(1)
	other := newCallTable(1)
	k, r := table.alloc()
	id := idOf(&table, r)
	if _, _, whose := table.lookup(id); whose == idOurs {
		t.Error("a call is found before it was published")
	}
	k.publish(r)
	_, foreignRef := other.alloc()
	far := callRef{slot: pageSlots * 1000, gen: 1}

	for _, tt := range []struct {
		name, id string
		want     idKind
	}{
		{"ours", id, idOurs},
		{"of another session", idOf(&other, foreignRef), idForeign},
		{"empty", "", idForeign},
		{"prefix alone", table.prefix, idForeign},
		{"prefix cut short", table.prefix[:len(table.prefix)-1], idForeign},
		{"no generation", strings.TrimSuffix(id, ".1"), idForeign},
		{"generation guessed", idOf(&table, callRef{slot: r.slot, gen: r.gen + 1}), idStale},
		{"generation 0", idOf(&table, callRef{slot: r.slot, gen: 0}), idStale},
		{"slot of no page", idOf(&table, far), idForeign},
		{"slot of the next page", idOf(&table, callRef{slot: pageSlots, gen: 1}), idForeign},
		{"slot that was never used", idOf(&table, callRef{slot: pageSlots - 1, gen: 1}), idStale},
		{"something behind", id + "x", idForeign},
		{"a third part", id + ".1", idForeign},
		{"a number too long", table.prefix + strings.Repeat("f", 40) + ".1", idForeign},
		{"a negative slot", table.prefix + "-1.1", idForeign},
		{"truncated", id[:len(id)-1], idForeign},
	} {
		got, ref, whose := table.lookup(tt.id)
		if whose != tt.want {
			t.Errorf("%s (%q): %v, want %v", tt.name, tt.id, whose, tt.want)
		}
		switch {
		case tt.want == idOurs:
			if got != k || ref != r {
				t.Errorf("%s: found %v, want %v", tt.name, ref, r)
			}
		case got != nil:
			t.Errorf("%s: a call was found: %v", tt.name, ref)
		case tt.want == idStale && idOf(&table, ref) != tt.id:
			t.Errorf("%s: found %v, which is not %q", tt.name, ref, tt.id)
		}
	}
}

func TestSlotIsReusedUnderANewGeneration(t *testing.T) {
	table := newCallTable(1)
	seen := make(map[string]bool)
	var last string
	for range 100 {
		k, r := table.alloc()
		k.publish(r)
		id := idOf(&table, r)
		if seen[id] {
			t.Fatalf("ActionID %q was given out twice", id)
		}
		seen[id] = true
		if last != "" {
			if _, _, whose := table.lookup(last); whose != idStale {
				t.Fatalf("the ID of a call that is over is %v, want stale", whose)
			}
		}
		if !k.turn(r.gen, slotLive, slotEnding) {
			t.Fatal("a live call cannot be ended")
		}
		if k.turn(r.gen, slotLive, slotEnding) || k.abandon(r.gen) {
			t.Fatal("a call was ended twice")
		}
		table.live--
		table.release(r.slot)
		last = id
	}
	if len(*table.pages.Load()) != 1 {
		t.Errorf("%d pages for one call at a time", len(*table.pages.Load()))
	}
	if table.used != 0 || table.live != 0 {
		t.Errorf("used %d, live %d at rest", table.used, table.live)
	}
}

func TestZombieKeepsItsSlot(t *testing.T) {
	table := newCallTable(1)
	k, r := table.alloc()
	k.publish(r)
	if !k.abandon(r.gen) {
		t.Fatal("a live call cannot be abandoned")
	}
	if k.abandon(r.gen) || k.turn(r.gen, slotLive, slotEnding) {
		t.Fatal("a call was ended twice")
	}
	for range 3 * pageSlots {
		k2, r2 := table.alloc()
		k2.publish(r2)
		if r2.slot == r.slot {
			t.Fatal("the slot of a call that the server has not answered was given to another")
		}
	}
	if _, got, whose := table.lookup(idOf(&table, r)); whose != idOurs || got != r {
		t.Errorf("the answer to an abandoned call is %v, want ours (to be counted as late)", whose)
	}
}

func TestPagesGrow(t *testing.T) {
	table := newCallTable(1)
	if table.pages.Load() != nil {
		t.Error("an idle session holds pages")
	}
	ids := make(map[string]callRef)
	for range 10 * pageSlots {
		k, r := table.alloc()
		k.publish(r)
		ids[idOf(&table, r)] = r
	}
	if len(ids) != 10*pageSlots || table.peak != 10*pageSlots {
		t.Errorf("%d different IDs, peak %d, want %d", len(ids), table.peak, 10*pageSlots)
	}
	for id, want := range ids {
		if _, r, whose := table.lookup(id); whose != idOurs || r != want {
			t.Errorf("%q is %v (%v), want %v", id, r, whose, want)
		}
	}
	n := 0
	table.each(func(*call, callRef, uint64) { n++ })
	if n != len(ids) {
		t.Errorf("each saw %d calls, want %d", n, len(ids))
	}
}

func TestCutHex(t *testing.T) {
	for _, tt := range []struct {
		in   string
		n    uint64
		rest string
		ok   bool
	}{
		{"0", 0, "", true},
		{"1f.2", 0x1f, "2", true},
		{"ff", 0xff, "", true},
		{"", 0, "", false},
		{".1", 0, "1", false},
		{"1F", 0, "", false}, // never written by us
		{"g", 0, "", false},
		{"1 ", 0, "", false},
		{"0123456789abcdef0", 0, "", false},
	} {
		n, rest, ok := cutHex(tt.in)
		if ok != tt.ok || ok && (n != tt.n || rest != tt.rest) {
			t.Errorf("cutHex(%q) = %d, %q, %v; want %d, %q, %v", tt.in, n, rest, ok, tt.n, tt.rest, tt.ok)
		}
	}
	for _, n := range []uint64{0, 1, 15, 16, 1 << 40, 1<<60 - 1} {
		if got, _, ok := cutHex(fmt.Sprintf("%x", n)); !ok || got != n {
			t.Errorf("cutHex(%x) = %x, %v", n, got, ok)
		}
	}
}

func TestAppendHex(t *testing.T) {
	for shift := range 64 {
		for _, n := range []uint64{1<<shift - 1, 1 << shift, 0x9876543210abcdef >> shift} {
			if got, want := string(appendHex(nil, n)), strconv.FormatUint(n, 16); got != want {
				t.Errorf("%d is %q, want %q", n, got, want)
			}
		}
	}
}

// An item that was read before its call's time was up is not handed out behind the end.
func TestNoItemBehindTheEnd(t *testing.T) {
	b := &Batch[uint64]{Items: true}
	c := &Conn{cfg: &Config{Name: "pbx", Limits: Limits{ListItems: 10, ListBytes: 1000}}, stats: &counters{}, calls: newCallTable(1)}
	k, r := c.calls.alloc()
	k.to = receiver{queue: &b.queue, slot: b.values.put(7), items: true}
	k.publish(r)
	if live, known := c.hear(k, r); !live || !known {
		t.Fatal(live, known)
	}
	k.list = &list{}
	c.collect(k, r, Event{})
	c.mu.Lock()
	e, ok := c.giveUp(k, r, &c.stats.timedOut)
	c.mu.Unlock()
	if !ok {
		t.Fatal("the call had ended")
	}
	e.to.deliver(nil, ErrTimeout, "pbx")
	c.collect(k, r, Event{})
	if item, ok := b.Poll(); !ok || item.Item == nil {
		t.Errorf("%+v, want the first item", item)
	}
	if end, ok := b.Poll(); !ok || end.Item != nil || end.Err == nil {
		t.Errorf("%+v, want the end", end)
	}
	if more, ok := b.Poll(); ok {
		t.Errorf("%+v behind the end", more)
	}
}
