package stream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// event makes an entry of a node.
func event(node string, n int) *Entry {
	d := wire.NewDecoder(wire.Limits{})
	d.Feed(fmt.Appendf(nil, "Event: E\r\nPrivilege: user,all\r\nN: %d\r\n\r\n", n))
	m, err := d.Next()
	if err != nil {
		panic(err)
	}
	return &Entry{Event: ami.Event{Node: node, Message: m.Clone()}}
}

// read takes all that there is, a few at a time, and returns the N of each and what was lost.
func read(t *testing.T, c *Cursor, most int) (ns []string, lost uint64) {
	t.Helper()
	dst := make([]*Entry, most)
	for {
		n, l, _, err := c.Poll(dst)
		if n == 0 {
			if err != nil && !errors.Is(err, ErrClosed) {
				t.Fatal(err)
			}
			return ns, lost
		}
		lost += l
		for _, e := range dst[:n] {
			ns = append(ns, e.Event.Get("N"))
		}
	}
}

// A model of a window is a list; whatever is done to both, a reader gets the same of them, and knows how many it did not get.
func TestWindowIsAList(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		w := New(1+random.IntN(40), 0)
		var all []string // N of every entry that ever came
		type reader struct {
			c  *Cursor
			at int // what of all it has got or lost
		}
		readers := []*reader{{c: w.Latest()}}
		for range 200 {
			switch random.IntN(4) {
			case 0:
				readers = append(readers, &reader{c: w.Latest(), at: len(all)})
			case 1:
				id := uint64(random.IntN(len(all) + 3))
				r := &reader{c: w.Behind(w.Epoch(), id), at: min(int(id), len(all))}
				readers = append(readers, r)
			case 2:
				batch := make([]*Entry, random.IntN(30))
				for i := range batch {
					batch[i] = event("pbx", len(all))
					all = append(all, fmt.Sprint(len(all)))
				}
				w.add(batch)
			case 3:
				r := readers[random.IntN(len(readers))]
				got, lost := read(t, r.c, 1+random.IntN(10))
				want := all[min(r.at+int(lost), len(all)):]
				if diff := cmp.Diff(want, got); diff != "" && len(want)+len(got) > 0 {
					t.Fatalf("seed %d: behind %d lost -want +got:\n%s", seed, lost, diff)
				}
				if held := len(all) - r.at - int(lost); lost > 0 && held > w.mostEvents {
					t.Fatalf("seed %d: lost %d, got %d of a window of %d", seed, lost, held, w.mostEvents)
				}
				r.at = len(all)
			}
			s := w.Stats()
			if s.Events != uint64(len(all)) || s.Held > uint64(w.mostEvents) || s.Held < uint64(min(len(all), w.mostEvents)) || s.Readers != len(readers) {
				t.Fatalf("seed %d: %+v after %d events", seed, s, len(all))
			}
		}
		for _, r := range readers {
			r.c.Close()
		}
		if n := w.Stats().Readers; n != 0 {
			t.Fatalf("%d readers are left", n)
		}
	}
}

// The bytes of what is held are within the bound, whatever their sizes; one entry is held even if it alone is beyond it.
func TestBytesAreBounded(t *testing.T) {
	one := event("pbx", 1).size()
	w := New(1000, 10*one+one/2)
	for i := range 100 {
		w.add([]*Entry{event("pbx", i%10)})
		if s := w.Stats(); s.Bytes > w.mostBytes {
			t.Fatalf("%d bytes of %d", s.Bytes, w.mostBytes)
		}
	}
	if s := w.Stats(); s.Held != 10 || s.Bytes != 10*one {
		t.Errorf("%+v, not 10 of %d bytes", s, one)
	}
	tiny := New(10, 1)
	c := tiny.Latest()
	tiny.add([]*Entry{event("pbx", 1), event("pbx", 2)})
	if got, lost := read(t, c, 5); !slices.Equal(got, []string{"2"}) || lost != 1 {
		t.Errorf("%v, %d lost", got, lost)
	}
}

func TestEpochs(t *testing.T) {
	w := New(4, 0)
	for i := range 6 {
		w.add([]*Entry{event("pbx", i)})
	}
	for _, c := range []struct {
		name, epoch string
		id          uint64
		want        []string
		lost        uint64
	}{
		{"the latest", w.Epoch(), 6, nil, 0},
		{"one behind", w.Epoch(), 5, []string{"5"}, 0},
		{"all that is held", w.Epoch(), 2, []string{"2", "3", "4", "5"}, 0},
		{"what is held no longer", w.Epoch(), 0, []string{"2", "3", "4", "5"}, 2},
		{"what has not come yet", w.Epoch(), 99, nil, 0},
		{"before a restart", "another", 6, []string{"2", "3", "4", "5"}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			cursor := w.Behind(c.epoch, c.id)
			defer cursor.Close()
			if got, lost := read(t, cursor, 3); !slices.Equal(got, c.want) || lost != c.lost {
				t.Errorf("%v and %d lost, not %v and %d", got, lost, c.want, c.lost)
			}
		})
	}
	if one, other := New(1, 0), New(1, 0); one.Epoch() == other.Epoch() {
		t.Error("two windows have one epoch")
	}
}

// A reader of one node gets that node's events, and is not woken by others', but for those that would push it out of the window.
func TestOneNode(t *testing.T) {
	w := New(100, 0)
	a, all := w.LatestOf("a"), w.Latest()
	woken := func(c *Cursor) func() bool {
		_, _, more, _ := c.Poll(nil)
		return func() bool {
			select {
			case <-more:
				return true
			default:
				return false
			}
		}
	}
	aWoken, allWoken := woken(a), woken(all)
	if n := w.add([]*Entry{event("b", 1)}); n != 1 || aWoken() || !allWoken() {
		t.Errorf("%d were woken by another node's event: the node's %v, of all %v", n, aWoken(), allWoken())
	}
	if n := w.add([]*Entry{event("b", 2), event("a", 3), event("a", 4)}); n != 2 || !aWoken() {
		t.Errorf("%d were woken", n)
	}
	if got, lost := read(t, a, 1); !slices.Equal(got, []string{"3", "4"}) || lost != 0 {
		t.Errorf("%v, %d lost", got, lost)
	}
	for i := range 1000 { // a quiet node's reader keeps its place
		aWoken := woken(a)
		w.add([]*Entry{event("b", i)})
		if aWoken() {
			if got, lost := read(t, a, 8); len(got) > 0 || lost > 0 {
				t.Fatalf("%v, %d lost", got, lost)
			}
		}
	}
	w.add([]*Entry{event("a", 5)})
	if got, lost := read(t, a, 8); !slices.Equal(got, []string{"5"}) || lost != 0 {
		t.Errorf("%v, %d lost", got, lost)
	}
	oldest := w.OldestOf("a")
	if got, _ := read(t, oldest, 8); !slices.Equal(got, []string{"5"}) {
		t.Errorf("of what is held: %v", got)
	}
	a.Close()
	oldest.Close()
	if len(w.nodes) != 0 {
		t.Error("a node that nobody reads is remembered")
	}
}

// Next waits for events, a heartbeat, its context or the window's end; what is there comes before the end.
func TestNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(10, 0)
		c := w.Latest()
		dst := make([]*Entry, 4)
		start := time.Now()
		if n, _, err := c.Next(t.Context(), dst, 15*time.Second); n != 0 || err != nil || time.Since(start) != 15*time.Second {
			t.Errorf("a heartbeat: %d, %v after %v", n, err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, _, err := c.Next(ctx, dst, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		go func() {
			time.Sleep(time.Hour)
			w.add([]*Entry{event("pbx", 1), event("pbx", 2)})
			w.close()
		}()
		if place := c.Place(); place != 1 {
			t.Errorf("the next is %d", place)
		}
		n, lost, err := c.Next(t.Context(), dst, 0)
		if n != 2 || lost != 0 || err != nil || dst[1].ID != 2 {
			t.Errorf("%d, %d lost, %v", n, lost, err)
		}
		synctest.Wait()
		if _, _, err := c.Next(t.Context(), dst, 0); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
}

// What a server sends reaches every reader as it came, and the JSON of an entry is made once for all.
func TestPump(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := amitest.NewNetwork()
		server := amitest.NewServer(amitest.WithNetwork(network), amitest.WithName("pbx"))
		defer server.Close()
		cluster := ami.NewCluster(ami.ClusterConfig{})
		defer cluster.Close()
		events, err := cluster.Subscribe(ami.SubscribeOptions{Events: []string{"UserEvent"}})
		if err != nil {
			t.Fatal(err)
		}
		w := New(0, 0)
		var all sync.WaitGroup
		all.Go(func() { _ = w.Pump(t.Context(), events) })
		var texts [50][]string
		for i := range texts {
			all.Go(func() {
				c := w.LatestOf("pbx")
				defer c.Close()
				dst := make([]*Entry, 7)
				for {
					n, lost, err := c.Next(t.Context(), dst, 0)
					if err != nil || lost > 0 {
						return
					}
					for _, e := range dst[:n] {
						if e.Event.Gap == nil {
							texts[i] = append(texts[i], e.Event.Text()+string(e.JSON()))
						}
					}
				}
			})
		}
		if _, err := cluster.Add(ami.Config{
			Name: "pbx", Addr: "pbx:5038", Username: "admin", Secret: ami.StaticSecret("secret"), Events: "on", Dial: network.DialContext,
		}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for i := range 500 {
			server.EmitEvent("UserEvent", "N", fmt.Sprint(i), "Bytes", "\xff\xfe")
		}
		time.Sleep(time.Second)
		events.Close()
		all.Wait()
		if len(texts[0]) != 500 {
			t.Fatalf("%d of 500 events", len(texts[0]))
		}
		for i := range texts {
			if !slices.Equal(texts[i], texts[0]) {
				t.Errorf("reader %d got something else", i)
			}
		}
		if want := "Event: UserEvent\r\nPrivilege: user,all\r\nN: 7\r\nBytes: \xff\xfe\r\n\r\n"; !slices.ContainsFunc(texts[0], func(s string) bool { return len(s) > len(want) && s[:len(want)] == want }) {
			t.Errorf("%q", texts[0][7])
		}
	})
}

// The more readers there are, the longer the pump waits for more events; but no event waits long.
func TestNap(t *testing.T) {
	if nap(0) != 0 || nap(100) <= nap(10) || nap(1_000_000) != longestNap {
		t.Errorf("%v, %v, %v", nap(10), nap(100), nap(1_000_000))
	}
}
