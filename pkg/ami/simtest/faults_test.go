package simtest

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A faultKind is one way for things to go wrong, and to be right again after a while.
type faultKind struct {
	name   string
	strike func(w *world, h *host, r *rand.Rand)
	after  func(w *world, h *host) // nil: it passes by itself
}

// faultKinds are made in init, because they use what uses them.
var faultKinds []faultKind

func init() {
	faultKinds = []faultKind{
		{"reset", func(w *world, h *host, _ *rand.Rand) { w.net.Reset(h.name) }, nil},
		{"reset all", func(w *world, _ *host, _ *rand.Rand) {
			for _, h := range w.hosts {
				w.net.Reset(h.name)
			}
		}, nil},
		{"partition", func(w *world, h *host, _ *rand.Rand) { w.net.Partition(h.name) }, func(w *world, h *host) { w.net.Heal(h.name) }},
		{"crash", func(_ *world, h *host, _ *rand.Rand) { h.stop() }, func(_ *world, h *host) { h.start() }},
		{"restart", func(_ *world, h *host, _ *rand.Rand) {
			if s := h.server(); s != nil {
				s.Shutdown(true)
				time.Sleep(100 * time.Millisecond)
				h.stop()
			}
		}, func(_ *world, h *host) { h.start() }},
		{"kick", func(_ *world, h *host, _ *rand.Rand) {
			if s := h.server(); s != nil {
				s.Kick()
			}
		}, nil},
		{"refuse", func(w *world, h *host, _ *rand.Rand) { h.allow(false); w.net.Reset(h.name) }, func(_ *world, h *host) { h.allow(true) }},
		{"dns", func(w *world, h *host, _ *rand.Rand) { h.dns.Store(true); w.net.Reset(h.name) }, func(_ *world, h *host) { h.dns.Store(false) }},
		{"resolver", func(w *world, h *host, _ *rand.Rand) { h.hang.Store(true); w.net.Reset(h.name) }, func(_ *world, h *host) { h.hang.Store(false) }},
		{"slow link", func(w *world, h *host, r *rand.Rand) {
			h.slow.Store(true)
			w.net.SetLink(h.name, amitest.Link{Latency: time.Duration(r.IntN(900)) * time.Millisecond, Bandwidth: 2000 + r.IntN(20_000)})
			w.net.Reset(h.name)
		}, func(w *world, h *host) { w.net.SetLink(h.name, w.p.link); w.net.Reset(h.name); h.slow.Store(false) }},
		{"foreign", func(_ *world, h *host, r *rand.Rand) {
			h.raw("Response: Success\r\nActionID: 1-00000000000000000000-0.1\r\nTag: forged\r\n\r\n")
			if r.IntN(2) == 0 {
				h.raw("Event: WorkComplete\r\nActionID: mine\r\nEventList: Complete\r\n\r\n")
			}
		}, nil},
		{"garbage", func(_ *world, h *host, r *rand.Rand) {
			if r.IntN(2) == 0 {
				h.raw(strings.Repeat("no colon at all\r\n", 1+r.IntN(30)) + "\r\n")
				return
			}
			h.raw("Event: Huge\r\n" + strings.Repeat("X: y\r\n", 5000) + "\r\n")
		}, nil},
		{"remove", func(w *world, h *host, _ *rand.Rand) {
			if _, ok := w.cluster.Node(h.name); ok {
				h.removed.Add(1)
				if err := w.cluster.Remove(h.name); err != nil && !errors.Is(err, ami.ErrNoNode) {
					w.t.Errorf("remove: %v", err)
				}
			}
		}, func(w *world, h *host) {
			if _, ok := w.cluster.Node(h.name); !ok {
				w.add(h)
			}
		}},
	}
}

// raw puts bytes into every session's stream as an event.
func (h *host) raw(text string) {
	if s := h.server(); s != nil {
		s.EmitRaw(amitest.ParseClass("call"), []byte(text))
	}
}

// allow lets the user in, or not.
func (h *host) allow(in bool) {
	if s := h.server(); s != nil {
		s.SetUser(amitest.User{Name: amitest.DefaultUser, Secret: amitest.DefaultSecret, Read: amitest.ClassAll, Write: amitest.ClassAll, Deny: !in})
	}
}

// strike is the fault generator of one phase: one fault after the other, each with its end, which may lie beyond the
// next one's beginning.
func (w *world) strike(ctx context.Context, r *rand.Rand) {
	if w.p.faults == 0 || len(w.p.weights) == 0 {
		return
	}
	total := 0.0
	for _, k := range faultKinds {
		total += w.p.weights[k.name]
	}
	between := float64(w.p.phase) / float64(w.p.faults+1)
	for {
		pause(ctx, time.Duration(between*r.ExpFloat64()))
		pick := r.Float64() * total
		h := w.hosts[r.IntN(len(w.hosts))]
		lasts := time.Duration(r.ExpFloat64() * between)
		for _, k := range faultKinds {
			if pick -= w.p.weights[k.name]; pick >= 0 || w.p.weights[k.name] == 0 {
				continue
			}
			if ctx.Err() != nil {
				return
			}
			w.faults[k.name]++
			k.strike(w, h, r)
			if k.after != nil {
				w.later(lasts, func() { k.after(w, h) })
			}
			break
		}
	}
}

// later ends a fault in a while, but not after the cluster was closed.
func (w *world) later(d time.Duration, end func()) {
	go func() {
		t := time.NewTimer(min(d, 5*time.Minute))
		defer t.Stop()
		select {
		case <-t.C:
			end()
		case <-w.healed:
		case <-w.closing:
		}
	}()
}
