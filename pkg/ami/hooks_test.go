package ami_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/redact"
)

// Hooks and log handlers that block or panic cost the engine nothing.
func TestHooksAndLoggersHarmNobody(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	block := func() { <-release }
	crash := func() { panic("mine") }
	for _, tt := range []struct {
		name      string
		hook, log func()
	}{
		{"the hook blocks", block, nil},
		{"the hook panics", crash, nil},
		{"the logger blocks", nil, block},
		{"the logger panics", nil, crash},
		{"both panic", crash, crash},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := ami.ClusterConfig{RedialRate: 1000}
			if tt.hook != nil {
				cfg.Hooks.StateChanged = func(string, ami.State, ami.State, error) { tt.hook() }
			}
			if tt.log != nil {
				cfg.Logger = slog.New(handler{tt.log})
			}
			// Real time: a bubble would wait for a hook that blocks for ever.
			f := newFleet(t, cfg)
			for i := range 20 {
				name := fmt.Sprint("n", i)
				f.serve(name)
				f.add(name, func(c *ami.Config) { c.Redial.StableAfter, c.Redial.BackoffMin = time.Nanosecond, time.Millisecond })
			}
			f.ready(20 * time.Second)
			for round := range 5 {
				for i := range 20 {
					f.net.Reset(fmt.Sprint("n", i))
				}
				for _, n := range f.Nodes() {
					for n.Stats().Lost <= uint64(round) {
						time.Sleep(time.Millisecond)
					}
				}
				f.ready(60 * time.Second)
			}
			for _, n := range f.Nodes() {
				if _, err := n.Do(context.Background(), ami.Action{Name: "Ping", WaitReady: true}); err != nil {
					t.Error(err)
				}
			}
			st := f.Stats()
			if tt.name == "the hook panics" && st.HookPanics == 0 {
				t.Error("no panic was counted: the test proves nothing")
			}
			if !st.Ledger.Exact() {
				t.Errorf("ledger %+v", st.Ledger)
			}
			closed := make(chan struct{})
			go func() { f.close(); close(closed) }()
			select {
			case <-closed:
			case <-time.After(30 * time.Second):
				t.Fatal("Close waits for a hook or handler")
			}
		})
	}
}

type handler struct{ do func() }

func (handler) Enabled(context.Context, slog.Level) bool { return true }

func (h handler) Handle(context.Context, slog.Record) error { h.do(); return errors.New("no disk") }

func (h handler) WithAttrs([]slog.Attr) slog.Handler { return h }

func (h handler) WithGroup(string) slog.Handler { return h }

// The hook sees each node's states in order and without holes: what it came from is what it was.
func TestHookSeesEveryStateInOrder(t *testing.T) {
	for name, random := range map[string]func() float64{"with backoff": nil, "without": func() float64 { return 0 }} {
		t.Run(name, func(t *testing.T) { hookInOrder(t, random) })
	}
}

func hookInOrder(t *testing.T, random func() float64) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		last := map[string]ami.State{}
		changes := 0
		f := newFleet(t, ami.ClusterConfig{Rand: random, Hooks: ami.Hooks{StateChanged: func(node string, from, to ami.State, _ error) {
			mu.Lock()
			defer mu.Unlock()
			if last[node] != from || from == to {
				t.Errorf("%s: %v → %v, but it was %v", node, from, to, last[node])
			}
			last[node] = to
			changes++
		}}})
		for i := range 10 {
			name := fmt.Sprint("n", i)
			f.serve(name)
			f.add(name)
		}
		for i := range 200 {
			time.Sleep(time.Duration(i) * 37 * time.Millisecond)
			f.net.Reset(fmt.Sprint("n", i%10))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		mu.Lock()
		for _, n := range f.Nodes() {
			if s, _ := n.State(); s != last[n.Name()] || s != ami.StateReady {
				t.Errorf("%s is %v, the hook was told %v", n.Name(), s, last[n.Name()])
			}
		}
		if changes < 600 {
			t.Errorf("%d changes: the test proves nothing", changes)
		}
		mu.Unlock()
		f.close()
		if d := f.Stats().HookDropped; d != 0 {
			t.Errorf("%d notes dropped", d)
		}
	})
}

// A hook that ends its goroutine, as a test's FailNow does, costs that call alone.
func TestHookThatEndsItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		f := newFleet(t, ami.ClusterConfig{Hooks: ami.Hooks{StateChanged: func(string, ami.State, ami.State, error) {
			if calls.Add(1) == 1 {
				runtime.Goexit()
			}
		}}})
		defer f.close()
		f.serve("a")
		f.add("a")
		f.ready(time.Minute)
		synctest.Wait()
		if calls.Load() < 3 {
			t.Errorf("%d calls of the hook for three changes; %d dropped", calls.Load(), f.Stats().HookDropped)
		}
	})
}

// An exiting handler ends the goroutine that brings it its first record.
type exiting struct {
	slog.Handler
	records *atomic.Int64
}

func (e exiting) Enabled(context.Context, slog.Level) bool { return true }

func (e exiting) Handle(context.Context, slog.Record) error {
	if e.records.Add(1) == 1 {
		runtime.Goexit()
	}
	return nil
}

// The same of a log handler.
func TestLogHandlerThatEndsItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var records atomic.Int64
		sink := redact.NewLogSink(exiting{slog.DiscardHandler, &records}, redact.LogSinkOptions{})
		for range 3 {
			slog.New(sink).Info("x")
			synctest.Wait()
		}
		if err := sink.Close(); err != nil || records.Load() != 3 || sink.Failed() != 1 {
			t.Errorf("%d of 3 records passed on, %d failed, %d dropped, %v", records.Load(), sink.Failed(), sink.Dropped(), err)
		}
	})
}

// A session that ends because the cluster does was not lost: whoever tells people of losses need not know who ended it.
func TestHookSeesNoLossInADrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var seen []ami.State
		f := newFleet(t, ami.ClusterConfig{Hooks: ami.Hooks{StateChanged: func(_ string, _, to ami.State, _ error) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, to)
		}}})
		defer f.close()
		f.serve("n")
		f.add("n")
		time.Sleep(time.Second)
		if err := f.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if want := []ami.State{ami.StateDialing, ami.StateLogin, ami.StateReady, ami.StateClosed}; !slices.Equal(seen, want) {
			t.Errorf("it was %v, want %v", seen, want)
		}
	})
}
