package amitest

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// armed is a fault at work.
type armed struct {
	Fault
	until time.Time

	cancel context.CancelFunc // of one that has a goroutine, else nil

	mu    sync.Mutex // guards the rest; a leaf
	rng   *rand.Rand
	seen  int
	hits  int
	spent bool
}

// faults are the faults at work, never changed once published.
type faults struct{ list []*armed }

// Inject makes the server misbehave from now on. Several faults work together. It
// panics if there is no such kind: a test whose fault never strikes tests nothing.
func (s *Server) Inject(f Fault) {
	if err := f.check(); err != nil {
		panic("amitest: fault: " + err.Error())
	}
	f = f.defaults()
	if deed := deeds()[f.Kind]; deed != nil && f.Period == 0 {
		deed(s)
		return
	}
	s.book.count(func(l *Ledger) *uint64 { return &l.FaultsInjected })
	if !s.strike(f) {
		s.arm(f, nil)
	}
}

// arm puts a fault among those at work.
func (s *Server) arm(f Fault, cancel context.CancelFunc) *armed {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &armed{Fault: f, cancel: cancel}
	if f.During > 0 {
		a.until = time.Now().Add(f.During)
	}
	var list []*armed
	if p := s.faults.Load(); p != nil {
		for _, old := range p.list {
			if !old.over() {
				list = append(list, old)
			}
		}
	}
	s.injected++
	a.rng = s.cfg.rng(s.injected)
	s.faults.Store(&faults{append(list, a)})
	return a
}

// work lets a fault with a goroutine of its own work until it is done, cleared, or its
// time is over.
func (s *Server) work(f Fault, run func(context.Context, Fault)) {
	var ctx context.Context
	var cancel context.CancelFunc
	if f.During > 0 {
		ctx, cancel = context.WithTimeout(s.ctx, f.During)
	} else {
		ctx, cancel = context.WithCancel(s.ctx)
	}
	a := s.arm(f, cancel)
	s.spawnOpenElse(func() {
		defer cancel()
		run(ctx, f)
		a.finish()
	}, cancel)
}

// finish says that the fault is done.
func (a *armed) finish() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.spent = true
}

// InjectText injects a fault given as text.
func (s *Server) InjectText(line string) error {
	f, err := ParseFault(line)
	if err != nil {
		return err
	}
	s.Inject(f)
	return nil
}

// ClearFaults ends every fault that is still at work. Sessions that a fault froze
// go on.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	old := s.faults.Swap(nil)
	s.mu.Unlock()
	if old != nil {
		for _, a := range old.list {
			if a.cancel != nil {
				a.cancel()
			}
		}
	}
	for _, sess := range s.snapshot() {
		sess.thaw()
	}
}

// Faults returns the faults that are still at work.
func (s *Server) Faults() []Fault {
	var out []Fault
	if p := s.faults.Load(); p != nil {
		for _, a := range p.list {
			if !a.over() {
				out = append(out, a.Fault)
			}
		}
	}
	return out
}

func (a *armed) over() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.spent || past(a.until)
}

// fire says whether the fault strikes at this chance.
func (a *armed) fire() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.spent || past(a.until) {
		return false
	}
	a.seen++
	n := a.seen - a.Skip
	if n <= 0 || (a.Nth > 1 && n%a.Nth != 0) || (a.Chance > 0 && a.rng.Float64() >= a.Chance) {
		return false
	}
	a.hits++
	a.spent = a.Times != always && a.hits >= a.Times
	return true
}

// delay draws a delay.
func (a *armed) delay() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.Fixed
	if a.Jitter > 0 {
		d += time.Duration(a.rng.Int64N(int64(a.Jitter)))
	}
	if a.Tail > 0 {
		// Pareto with shape 1.5, scaled to have its median at Tail.
		const shape, most = 1.5, 100
		x := math.Pow(1-a.rng.Float64(), -1/shape) / math.Pow(2, 1/shape)
		d += time.Duration(float64(a.Tail) * min(x, most))
	}
	return d
}

// draw returns n random bytes.
func (a *armed) draw(n int) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(a.rng.IntN(256))
	}
	return b
}

// pick returns the first fault of that kind that strikes now.
func (s *Server) pick(kind string) *armed {
	p := s.faults.Load()
	if p == nil {
		return nil
	}
	for _, a := range p.list {
		if a.Kind == kind && a.fire() {
			return a
		}
	}
	return nil
}

// meets says whether the fault is about actions of that name.
func (a *armed) meets(action []byte) bool {
	return a.Action == "" || strings.EqualFold(a.Action, string(action))
}
