package bench

import (
	"bytes"
	"fmt"
	"os"
	"runtime/metrics"
	"strconv"
	"sync"
	"time"
)

// sampleEvery is how often memory is looked at.
const sampleEvery = 100 * time.Millisecond

// A footprint is what the process takes at one moment.
type footprint struct {
	Heap       Bytes // live and not yet collected objects
	RSS        Bytes // resident memory, 0 where /proc is missing
	Goroutines uint64
}

// runtimeMetrics are read in one go, without stopping the world.
var runtimeMetrics = []string{"/memory/classes/heap/objects:bytes", "/sched/goroutines:goroutines"}

// readFootprint returns the process's own.
func readFootprint() footprint {
	s := make([]metrics.Sample, len(runtimeMetrics))
	for i, name := range runtimeMetrics {
		s[i].Name = name
	}
	metrics.Read(s)
	f := footprint{RSS: residentMemory()}
	if s[0].Value.Kind() == metrics.KindUint64 {
		f.Heap = Bytes(s[0].Value.Uint64())
	}
	if s[1].Value.Kind() == metrics.KindUint64 {
		f.Goroutines = s[1].Value.Uint64()
	}
	return f
}

// residentMemory reads the second number of /proc/self/statm, in pages.
func residentMemory() Bytes {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(b)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseUint(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return Bytes(pages * uint64(os.Getpagesize()))
}

// Memory is what the process took during a run.
type Memory struct {
	Limit          Bytes  `json:"limit,omitempty"`    // --max-memory
	Estimate       Bytes  `json:"estimate,omitempty"` // before the run
	IdleRSS        Bytes  `json:"idle_rss"`           // before the first node was added
	ReadyRSS       Bytes  `json:"ready_rss"`          // when the nodes were ready
	PeakRSS        Bytes  `json:"peak_rss"`
	WarmRSS        Bytes  `json:"warm_rss"` // largest in the tenth of the measurement after the warm-up
	EndRSS         Bytes  `json:"end_rss"`  // largest in the last tenth
	PeakHeap       Bytes  `json:"peak_heap"`
	EndHeap        Bytes  `json:"end_heap"`
	PeakGoroutines uint64 `json:"peak_goroutines"`
	PerNode        Bytes  `json:"per_node"` // resident memory at the end, less that at the start, by nodes
	Samples        int    `json:"samples"`
}

// Growth returns by how much resident memory at the end was above that after the warm-up; negative when it shrank.
func (m *Memory) Growth() int64 { return int64(m.EndRSS) - int64(m.WarmRSS) }

// A sampler looks at the footprint until it is stopped.
type sampler struct {
	read func() footprint
	idle footprint
	stop chan struct{}
	done chan struct{}

	mu     sync.Mutex // guards what follows
	taken  []footprint
	warm   int // index into taken at the end of the warm-up
	ready  footprint
	over   chan<- footprint
	limit  Bytes
	latest footprint
}

// maxSamples bounds what a sampler keeps; when they are full every second one is forgotten.
const maxSamples = 1 << 14

// startSampler takes footprints every sampleEvery until Stop. Resident memory above limit, if that is not 0, is
// sent to over once, without waiting.
func startSampler(read func() footprint, limit Bytes, over chan<- footprint) *sampler {
	s := &sampler{
		read: read, idle: read(), limit: limit, over: over,
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	go s.run()
	return s
}

func (s *sampler) run() {
	defer close(s.done)
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		s.add(s.read())
		select {
		case <-tick.C:
		case <-s.stop:
			s.add(s.read())
			return
		}
	}
}

func (s *sampler) add(f footprint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latest = f
	s.taken = append(s.taken, f)
	if len(s.taken) >= maxSamples {
		s.halve()
	}
	if s.over != nil && s.limit > 0 && f.RSS > s.limit {
		select {
		case s.over <- f:
		default:
		}
		s.over = nil
	}
}

// halve merges neighbours into their larger figures, so that no peak is forgotten. s.mu is held.
func (s *sampler) halve() {
	half := s.taken[:0]
	for i := 0; i+1 < len(s.taken); i += 2 {
		a, b := s.taken[i], s.taken[i+1]
		half = append(half, footprint{max(a.Heap, b.Heap), max(a.RSS, b.RSS), max(a.Goroutines, b.Goroutines)})
	}
	s.taken, s.warm = half, s.warm/2
}

// Ready notes the footprint when all nodes are ready, before any load.
func (s *sampler) Ready() {
	f := s.read()
	s.mu.Lock()
	s.ready = f
	s.mu.Unlock()
}

// Warm says that the warm-up is over.
func (s *sampler) Warm() {
	s.mu.Lock()
	s.warm = len(s.taken)
	s.mu.Unlock()
}

// Latest returns the newest footprint.
func (s *sampler) Latest() footprint {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latest
}

// Stop ends the sampling, with one last sample, and sums up.
func (s *sampler) Stop(nodes int) *Memory {
	close(s.stop)
	<-s.done
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &Memory{Limit: s.limit, IdleRSS: s.idle.RSS, ReadyRSS: s.ready.RSS, Samples: len(s.taken)}
	for _, f := range s.taken {
		m.PeakRSS = max(m.PeakRSS, f.RSS)
		m.PeakHeap = max(m.PeakHeap, f.Heap)
		m.PeakGoroutines = max(m.PeakGoroutines, f.Goroutines)
	}
	measured := s.taken[min(s.warm, len(s.taken)-1):]
	tenth := max(1, len(measured)/10)
	for _, f := range measured[:tenth] {
		m.WarmRSS = max(m.WarmRSS, f.RSS)
	}
	for _, f := range measured[len(measured)-tenth:] {
		m.EndRSS = max(m.EndRSS, f.RSS)
	}
	m.EndHeap = s.taken[len(s.taken)-1].Heap
	if m.EndRSS > m.IdleRSS && nodes > 0 {
		m.PerNode = (m.EndRSS - m.IdleRSS) / Bytes(nodes)
	}
	return m
}

// Costs of a run, measured on linux/amd64 and rounded up. They are for an estimate before a run, nothing else.
const (
	costProcess = 24 << 20 // the binary, its runtime, full histograms, and garbage at GOGC=100
	costSession = 32 << 10 // two goroutines' stacks, read and write buffers
	costNode    = 8 << 10  // two small histograms and the books
	costAction  = 1536     // one in flight: a slot, its bytes both ways, the reply
	costEvent   = 768      // one queued event
	costWaiting = 8        // one due and not sent
	costItem    = 640      // one item of a list that is being gathered
)

// estimate returns about how much resident memory a run takes at its largest.
func estimate(c *Config) Bytes {
	sessions := uint64(c.Nodes) * uint64(c.Sessions)
	inFlight := uint64(c.Window)
	if !c.Open() {
		inFlight = uint64(c.Callers())
	}
	b := costProcess + sessions*costSession + uint64(c.Nodes)*costNode + sessions*inFlight*costAction
	b += sessions * uint64(c.Backlog) * costWaiting
	b += sessions * inFlight * uint64(c.List) * costItem
	if c.EventRate > 0 {
		b += sessions * uint64(c.EventRate) * costEvent
	}
	return Bytes(b)
}

// MemoryError says that a run would not fit its limit.
type MemoryError struct{ Estimate, Limit Bytes }

func (e *MemoryError) Error() string {
	return fmt.Sprintf("bench: about %s would be needed, --max-memory is %s", e.Estimate, e.Limit)
}

// checkMemory returns a *MemoryError when the estimate is above the limit; a limit of 0 is none.
func checkMemory(c *Config) error {
	if e := estimate(c); c.MaxMemory > 0 && e > c.MaxMemory {
		return &MemoryError{e, c.MaxMemory}
	}
	return nil
}
