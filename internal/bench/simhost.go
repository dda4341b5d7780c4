package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// Requests and answers are JSON, one object a line. The first line is the simSpec, answered by the addresses.
type simRequest struct {
	Op string `json:"op"` // start, stop, books
}

type simAnswer struct {
	Error string     `json:"error,omitempty"`
	Nodes []simNode  `json:"nodes,omitempty"`
	Books []simBooks `json:"books,omitempty"`
}

// ServeSimulator simulates a cluster as told on r until r ends, and answers on w. It is the whole of the child process.
func ServeSimulator(ctx context.Context, r io.Reader, w io.Writer) error {
	in, out := json.NewDecoder(bufio.NewReader(r)), json.NewEncoder(w)
	var spec simSpec
	if err := in.Decode(&spec); err != nil {
		return fmt.Errorf("bench: simulator: %w", err)
	}
	h, err := newSimHost(spec)
	if err != nil {
		return errors.Join(err, out.Encode(simAnswer{Error: err.Error()}))
	}
	defer h.close()
	stop := context.AfterFunc(ctx, h.close)
	defer stop()
	if err := out.Encode(simAnswer{Nodes: h.addresses()}); err != nil {
		return fmt.Errorf("bench: simulator: %w", err)
	}
	for {
		var q simRequest
		if err := in.Decode(&q); err != nil {
			if errors.Is(err, io.EOF) || ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("bench: simulator: %w", err)
		}
		var a simAnswer
		switch q.Op {
		case "start":
			h.start()
		case "stop":
			h.stop()
		case "books":
			a.Books = h.books()
		default:
			a.Error = "unknown request " + strconv.Quote(q.Op)
		}
		if err := out.Encode(a); err != nil {
			return fmt.Errorf("bench: simulator: %w", err)
		}
	}
}

// simHost is a simulated cluster with its conditions.
type simHost struct {
	spec  simSpec
	nodes []*simServer

	once sync.Once
	quit chan struct{} // ends what start began
	halt sync.Once
	wg   sync.WaitGroup
}

type simServer struct {
	*amitest.Server
	condition condition
	seq       atomic.Uint64 // numbered events emitted
}

func newSimHost(spec simSpec) (h *simHost, err error) {
	h = &simHost{spec: spec, quit: make(chan struct{})}
	defer func() {
		if p := recover(); p != nil { // amitest panics if it cannot listen, as httptest does
			h.close()
			h, err = nil, fmt.Errorf("bench: simulator: %v", p)
		}
	}()
	for i := range spec.Nodes {
		var c condition
		if i < len(spec.Conditions) {
			c = spec.Conditions[i]
		}
		opts := []amitest.Option{
			amitest.WithName(simName(spec.number(i), max(spec.Of, spec.Nodes))),
			amitest.WithSeed(spec.Seed + uint64(spec.number(i))),
		}
		if spec.Hold > 0 {
			opts = append(opts, amitest.WithCallTimes(10*time.Millisecond, time.Duration(spec.Hold)))
		}
		if spec.List > 0 {
			opts = append(opts, amitest.WithSetup(func(s *amitest.Server) { fillQueue(s, spec.List) }))
		}
		h.nodes = append(h.nodes, &simServer{Server: amitest.NewServer(opts...), condition: c})
	}
	return h, nil
}

// simName is the name of simulated node i of n.
func simName(i, n int) string { return fmt.Sprintf("sim%0*d", width(n), i+1) }

// width returns how many digits the node numbers need.
func width(n int) int { return int(math.Log10(float64(max(1, n)))) + 1 }

// fillQueue gives the server a queue with so many members, for a list of that length.
func fillQueue(s *amitest.Server, members int) {
	q := amitest.Queue{Name: "bench", Strategy: "ringall"}
	for i := range members {
		name := fmt.Sprintf("PJSIP/%05d", i)
		q.Members = append(q.Members, amitest.QueueMember{Name: name, Interface: name, StateInterface: name})
	}
	s.State().AddQueue(q)
}

func (h *simHost) addresses() []simNode {
	var out []simNode
	for _, n := range h.nodes {
		out = append(out, simNode{Name: n.Name(), Addr: n.Addr()})
	}
	return out
}

func (h *simHost) books() []simBooks {
	out := make([]simBooks, len(h.nodes))
	for i, n := range h.nodes {
		l := n.Ledger()
		out[i] = simBooks{
			ServerBooks: ServerBooks{Received: l.ActionsReceived, Replied: l.RepliesSent, Errors: l.ErrorsSent},
			Numbered:    n.seq.Load(), Logins: l.Logins,
		}
	}
	return out
}

// start lets conditions take hold and events flow.
func (h *simHost) start() {
	h.once.Do(func() {
		if h.spec.EventRate > 0 {
			h.wg.Go(h.number)
		}
		for _, n := range h.nodes {
			for _, f := range n.condition.Faults {
				n.Inject(f)
			}
		}
		if h.spec.Storm > 0 {
			h.wg.Go(h.storm)
		}
	})
}

// stop ends events and disturbances; the servers go on, and a node that hung stays so.
func (h *simHost) stop() {
	h.halt.Do(func() { close(h.quit) })
	for _, n := range h.nodes {
		if !n.condition.Hangs {
			n.ClearFaults()
		}
	}
	h.wg.Wait()
}

func (h *simHost) close() {
	h.stop()
	var wg sync.WaitGroup
	for _, n := range h.nodes {
		wg.Go(n.Close)
	}
	wg.Wait()
}

// simSlice is the grain of what is sent at a rate.
const simSlice = 5 * time.Millisecond

// number sends each node's numbered events, spread over their period so that no two thousand nodes speak at once.
func (h *simHost) number() {
	period := time.Duration(float64(time.Second) / h.spec.EventRate)
	due := make([]time.Duration, len(h.nodes))
	for i := range due {
		due[i] = period * time.Duration(i) / time.Duration(len(due))
	}
	start := time.Now()
	tick := time.NewTicker(min(simSlice, period))
	defer tick.Stop()
	for {
		now := time.Since(start)
		for i, n := range h.nodes {
			for ; due[i] <= now; due[i] += period {
				n.EmitEvent("UserEvent", "UserEvent", numberedEvent,
					headerSeq, strconv.FormatUint(n.seq.Add(1), 10),
					headerSent, strconv.FormatInt(time.Now().UnixNano(), 10))
			}
		}
		select {
		case <-tick.C:
		case <-h.quit:
			return
		}
	}
}

// storm loses every session of every node at once, one time.
func (h *simHost) storm() {
	select {
	case <-time.After(time.Duration(h.spec.Storm)):
	case <-h.quit:
		return
	}
	for _, n := range h.nodes {
		n.Inject(storm)
	}
}
