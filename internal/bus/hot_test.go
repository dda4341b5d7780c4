package bus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/bus/batch"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

func marksOf(text string) (all []mark) {
	for _, c := range text {
		all = append(all, mark(c))
	}
	return all
}

// What is stored last ends at one place in what was heard, or nobody knows where.
func TestEndOf(t *testing.T) {
	for name, tt := range map[string]struct {
		heard, last string
		end, places int
	}{
		"at the end":                            {"abcdef", "def", 6, 1},
		"in the middle":                         {"abcdef", "bc", 3, 1},
		"nothing is stored":                     {"abc", "", 0, 0},
		"nothing was heard":                     {"", "abc", 0, 0},
		"stored, and not heard":                 {"abc", "cd", 0, 0},
		"heard, and not stored":                 {"abxcd", "bcd", 0, 0},
		"the first were not heard":              {"cdef", "abcd", 2, 1},
		"only the last was heard":               {"def", "abcd", 1, 1},
		"the same again":                        {"abxab", "ab", 0, 2},
		"the same again, behind another":        {"abxcb", "cb", 5, 1},
		"the same again and again":              {"aaaaa", "aaa", 0, 2},
		"one of what comes again and again":     {"a", "aa", 0, 2},
		"two of what comes again":               {"abab", "abab", 0, 2},
		"again, where it may have begun before": {"abcab", "xab", 0, 2},
		"each of it twice":                      {"aabbccddeeffgghhiijjkk", "aabbccddeeffgghhii", 18, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if end, places := endOf(marksOf(tt.heard), marksOf(tt.last)); end != tt.end || places != tt.places {
				t.Errorf("behind %d, at %d places, want %d and %d", end, places, tt.end, tt.places)
			}
		})
	}
}

// However little of a stream is stored and heard, and however alike its events are, they end nowhere else than where they do.
func TestEndOfAtRandom(t *testing.T) {
	for seed := range uint64(20_000) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		all := make([]mark, 1+rnd.IntN(60))
		for i := range all {
			all[i] = mark(rnd.IntN(1 + int(seed%9)))
		}
		stored := 1 + rnd.IntN(len(all))
		from, heard := rnd.IntN(stored), stored+rnd.IntN(len(all)-stored+1) // both have the last event that is stored
		back := 1 + rnd.IntN(stored)
		if end, places := endOf(all[from:heard], all[stored-back:stored]); places == 0 || places == 1 && end != stored-from {
			t.Fatalf("seed %d: of %v were heard %d to %d, and stored to %d, the last %d of which end at %d, at %d places", seed, all, from, heard, stored, back, from+end, places)
		}
	}
}

// A memory keeps what came last, in events and in bytes.
func TestMemory(t *testing.T) {
	event := func(n int) heard {
		ev := anEvent(fmt.Sprintf("Event: A\r\nPrivilege: call,all\r\nN: %d\r\n\r\n", n))
		m, ok := markOf(ev)
		return heard{*ev, m, ok}
	}
	first := event(1)
	size := len(first.event.Text())
	for name, m := range map[string]*memory{"events": {events: 3, bytes: 1000}, "bytes": {events: 1000, bytes: 3*size + 1}} {
		for n := range 9 {
			m.add(event(n))
		}
		var left []string
		rest := m.behind(0)
		for i := range rest {
			left = append(left, rest[i].Get("N"))
		}
		if got := strings.Join(left, ""); got != "678" || m.size != 3*size {
			t.Errorf("%s: %s is left, %d bytes", name, got, m.size)
		}
		if rest = m.behind(2); len(rest) != 1 || rest[0].Get("N") != "8" {
			t.Errorf("%s: behind the second stand %d", name, len(rest))
		}
	}
}

// numberedEvent is the text of an event.
func numberedEvent(n int) string {
	return fmt.Sprintf("Event: A\r\nPrivilege: call,all\r\nN: %d\r\n\r\n", n)
}

// putEvents publishes a batch for each of some numbered events.
func putEvents(t *testing.T, p *publisher, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		if err := p.publish(t.Context(), aBatch(numberedEvent(n))); err != nil {
			t.Fatal(err)
		}
	}
}

// wantHindsight reaches back for a number of events, and wants the last of those from one to another, at least so many.
func wantHindsight(t *testing.T, p *publisher, what string, reach, least, from, to int, over bool) {
	t.Helper()
	last, err := p.lastMessage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h := &hindsight{chain: &p.chain}
	if err := errors.Join(h.add(last), h.reach(t.Context(), reach)); err != nil {
		t.Fatal(err)
	}
	var all []mark
	for n := from; n < to; n++ {
		m, _ := markOf(anEvent(numberedEvent(n)))
		all = append(all, m)
	}
	if n := len(h.marks); n < least || n > len(all) || string(packMarks(h.marks)) != string(packMarks(all[len(all)-n:])) || h.over != over {
		t.Errorf("%s: %d marks, over: %v; want the last of %d, %d at least", what, len(h.marks), h.over, len(all), least)
	}
}

// A hindsight finds the last batches of a node among any number of another's, up to a gap.
func TestHindsight(t *testing.T) {
	js := withJetStream(t, aBus(t))
	ctx := t.Context()
	p, err := owning(ctx, js, batch.Owner{Bridge: "a", Epoch: 1, Time: time.Now()}, leaseOurs)
	if err != nil {
		t.Fatal(err)
	}
	other := newPublisher(js, "c", "other", quiet())
	other.confirm = leaseOurs
	if _, err := other.takeOver(ctx, batch.Owner{Bridge: "a", Epoch: 1, Time: time.Now()}, nil); err != nil {
		t.Fatal(err)
	}
	wantHindsight(t, p, "a gap alone", 10, 0, 0, 0, true)
	putEvents(t, p, 0, 3)
	putEvents(t, other, 0, 200)
	putEvents(t, p, 3, 4)
	wantHindsight(t, p, "all behind the gap", 10, 4, 0, 4, true)
	wantHindsight(t, p, "as many as are asked for, and what comes with them", 2, 2, 0, 4, true)
	putEvents(t, p, 4, 300) // more than are read at once, behind a long way without any
	putEvents(t, other, 0, 300)
	putEvents(t, p, 300, 302)
	wantHindsight(t, p, "far back", 100, 100, 0, 302, false)
	wantHindsight(t, p, "all of it", 1000, 302, 0, 302, true)
	next := newPublisher(js, "c", "pbx", quiet())
	next.confirm = leaseOurs
	if _, err := next.takeOver(ctx, batch.Owner{Bridge: "b", Epoch: 2, Time: time.Now()}, standsAt(p.id(p.number))); err != nil {
		t.Fatal(err)
	}
	wantHindsight(t, p, "beyond an owner who knew what came before", 1000, 302, 0, 302, true)
	p = next
	putEvents(t, p, 302, 304)
	wantHindsight(t, p, "behind him too", 304, 304, 0, 304, true)
	gap := gapOf("pbx", ami.GapOverflow, 3)
	var w batch.Writer
	w.Add(anEvent("Event: A\r\nPrivilege: call,all\r\n\r\n"))
	w.Add(&gap)
	w.Add(anEvent("Event: A\r\nPrivilege: call,all\r\nN: 304\r\n\r\n"))
	if err := p.publish(ctx, w.Batch(nil)); err != nil {
		t.Fatal(err)
	}
	putEvents(t, p, 305, 307)
	wantHindsight(t, p, "behind a gap within a batch", 1000, 3, 304, 307, true)
}

// lines is a log that may be written and read at once.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A hot bridge goes on behind the last batch of an owner, also of one who goes on writing, and where it cannot, there is a gap, and the log
// says why.
func TestHot(t *testing.T) {
	whole := func(ev *ami.Event) []*ami.Event { return []*ami.Event{ev} }
	own := anEvent("Event: Status\r\nPrivilege: Call\r\nChannel: x\r\n\r\n")
	for name, tt := range map[string]struct {
		settings amitest.Settings
		events   int // HotEvents
		stores   func(*ami.Event) []*ami.Event
		cause    string // "": it goes on without a gap
	}{
		"while he goes on": {settings: amitest.Settings{Timestamps: true}, stores: whole},
		"no Timestamp":     {stores: whole, cause: "no Timestamp"},
		"more came since than is remembered": {
			settings: amitest.Settings{Timestamps: true}, events: 50, cause: "not heard here",
			stores: func(ev *ami.Event) []*ami.Event {
				if n, _ := strconv.Atoi(ev.Get("N")); n > 100 {
					return nil
				}
				return []*ami.Event{ev}
			},
		},
		"what was his own stands between": {
			settings: amitest.Settings{Timestamps: true},
			stores: func(ev *ami.Event) []*ami.Event {
				item := own.Clone()
				item.Session, item.Seq, item.Received = ev.Session, ev.Seq, ev.Received
				return []*ami.Event{&item, ev, &item}
			},
		},
		"he sees other events": {
			settings: amitest.Settings{Timestamps: true}, cause: "not heard here",
			stores: func(ev *ami.Event) []*ami.Event {
				if n, _ := strconv.Atoi(ev.Get("N")); n%3 == 0 {
					return nil
				}
				return []*ami.Event{ev}
			},
		},
		"a gap of his behind all events": {
			settings: amitest.Settings{Timestamps: true}, cause: "behind the last gap",
			stores: func(ev *ami.Event) []*ami.Event {
				gap := gapOf("pbx", ami.GapOverflow, 1)
				return []*ami.Event{&gap}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHot(t, tt.settings, tt.events, tt.stores)
			h.judge(tt.cause)
		})
	}
}

// hot is a bridge that stands by, and the owner.
type hot struct {
	t   *testing.T
	url string
	log lines
}

func newHot(t *testing.T, settings amitest.Settings, events int, stores func(*ami.Event) []*ami.Event) *hot {
	t.Helper()
	unhurried(t)
	h := &hot{t: t, url: aBus(t)}
	srv := amitest.NewServer(amitest.WithName("pbx"), amitest.WithSettings(settings))
	t.Cleanup(srv.Close)
	js := withJetStream(t, h.url)
	if _, err := acquire(t.Context(), js, "c", "pbx", "silent/1", 0, nil); err != nil {
		t.Fatal(err)
	}
	p, err := owning(t.Context(), js, batch.Owner{Bridge: "silent", Epoch: 1, Time: time.Now()}, leaseOurs)
	if err != nil {
		t.Fatal(err)
	}
	session, err := ownSession(quiet())(configsOf(srv)[0], ami.SubscribeOptions{Packets: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := session.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	run(t, Options{Conn: dial(t, h.url), Cluster: "c", Name: "b", Nodes: func() []ami.Config { return configsOf(srv) }, Hot: true, HotEvents: events, Log: slog.New(slog.NewTextHandler(&h.log, nil))})
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	t.Cleanup(func() { cancel(); all.Wait(); session.End() })
	eventually(t, "the bridge stands by", func() bool { return srv.Ledger().Logins == 2 })
	all.Go(func() {
		for n := 1; ctx.Err() == nil; n++ {
			srv.EmitEvent("UserEvent", "N", strconv.Itoa(n))
			if time.Sleep(time.Millisecond); n%50 == 0 { // a bridge on a busy host needs a while in which nothing is stored
				time.Sleep(200 * time.Millisecond)
			}
		}
	})
	all.Go(func() {
		for {
			ev, err := session.Events.NextBorrowed(ctx)
			if err != nil {
				return
			}
			var w batch.Writer
			for _, ev := range stores(ev) {
				w.Add(ev)
			}
			if w.Records() > 0 && p.publish(ctx, w.Batch(nil)) != nil {
				return // it is another's now
			}
		}
	})
	return h
}

// judge reads until the bridge has gone on for a while, and wants events to be whole, or a gap where one has to be.
func (h *hot) judge(cause string) {
	h.t.Helper()
	c, err := Read(h.t.Context(), dial(h.t, h.url), ReadOptions{Cluster: "c", Start: Start{All: true}})
	if err != nil {
		h.t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	owner, last, since, gaps, own := "", 0, 0, 0, 0
	for since < 100 {
		_, r, err := c.Next(ctx)
		if err != nil {
			h.t.Fatalf("%v; the owner is %q; the log: %s", err, owner, h.log.String())
		}
		switch {
		case r.Owner != nil:
			owner, gaps = strings.Clone(r.Owner.Bridge), 0
		case r.Event.Gap != nil:
			gaps++
		case r.Event.Name() == "Status":
			own++
		case r.Event.Name() == "UserEvent":
			n, _ := strconv.Atoi(r.Event.Get("N"))
			if n <= last || owner == "b" && n != last+1 && (gaps == 0 || since > 0) {
				h.t.Fatalf("%d comes behind %d; the log: %s", n, last, h.log.String())
			}
			if last = n; owner == "b" {
				since++
			}
		}
	}
	if log := h.log.String(); (gaps == 0) != (cause == "") || !strings.Contains(log, cause) || cause == "" && !strings.Contains(log, "taken over without a gap") {
		h.t.Errorf("%d gaps of the new owner; the log: %s", gaps, log)
	}
	all, err := Verify(h.t.Context(), dial(h.t, h.url), "c")
	if err != nil || len(all) != 1 || strings.Join(all[0].Faults, "") != "" && own == 0 {
		h.t.Errorf("%+v, %v", all, err)
	}
}

// A hot bridge whose standby is younger than the last that was heard of the owner lets others go first, if there are any.
func TestReady(t *testing.T) {
	now := time.Now()
	dead := leaseState{holder: "dead/1", revision: 7}
	for name, tt := range map[string]struct {
		hot, alone, unfit bool
		since             time.Time // zero: there is no standby
		lease             leaseState
		want              bool
	}{
		"before the owner fell silent":  {hot: true, since: now.Add(-4 * time.Second), lease: dead, want: true},
		"when he was silent":            {hot: true, since: now.Add(-2 * time.Second), lease: dead},
		"no standby":                    {hot: true, lease: dead},
		"given back before":             {hot: true, since: now.Add(-2 * time.Second), lease: leaseState{revision: 7}, want: true},
		"given back, and not yet there": {hot: true, since: now, lease: leaseState{revision: 7}},
		"nobody ever had it":            {hot: true, want: true},
		"nobody else is there":          {hot: true, alone: true, lease: dead, want: true},
		"it can have none":              {hot: true, unfit: true, lease: dead, want: true},
		"not hot":                       {lease: dead, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			m := &members{self: "a/1", heard: map[string]time.Time{"a/1": now, "b/1": now, "dead/1": now.Add(-3 * time.Second)}, leaving: make(map[string]bool)}
			if tt.alone {
				delete(m.heard, "b/1")
			}
			b := &bridge{o: Options{Hot: tt.hot}, members: m, free: map[string]time.Time{"pbx": now.Add(-time.Second)}, standbys: make(map[string]*standby), unfit: make(map[string]ami.Config)}
			if !tt.since.IsZero() {
				b.standbys["pbx"] = &standby{}
				b.standbys["pbx"].since.Store(&tt.since)
			}
			if tt.unfit {
				b.unfit["pbx"] = ami.Config{}
			}
			if got := b.ready("pbx", tt.lease); got != tt.want {
				t.Errorf("it is ready: %v", got)
			}
		})
	}
}

// Bridges that are all hot lose nothing when a node is moved to one that stands by, and when the one that has it then is told to stop. Single
// events come once each, and behind a takeover stands their gap.
func TestHotStopsAndMoves(t *testing.T) {
	t.Parallel()
	m := newMovers(t, 200, func(o *Options) { o.Hot, o.Each, o.Line = true, []string{"UserEvent"}, aLine }, amitest.WithSettings(amitest.Settings{Timestamps: true}))
	eventually(t, "the other bridge stands by", func() bool { return m.srv.Ledger().Logins == 2 })
	for range 3 {
		m.mustMove(m.other())
	}
	first, second := m.now(), m.other()
	eventually(t, "the one that gave it away stands by", func() bool { return m.srv.Ledger().Sessions == 2 && m.srv.Ledger().Logins == 5 })
	m.stop[first]()
	eventually(t, "the other takes it over", func() bool { return m.now() == second })
	m.mu.Lock()
	mark := m.numbered
	m.mu.Unlock()
	eventually(t, "events go on", func() bool { m.mu.Lock(); defer m.mu.Unlock(); return m.numbered > mark+200 })
	m.judge(1) // the first owner's
	m.judgeSingles(2)
}
