package web

import (
	"cmp"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/apntalk/amictl/pkg/ami/state"
)

// queueHour is how far back the figures of queues go.
const queueHour = time.Hour

// A queueName tells a queue from all others.
type queueName struct{ node, queue string }

// queueFigures count what goes through queues: for the board what went through in the last hour, by each queue's own service
// level, and for Prometheus how long callers waited. It is safe for concurrent use.
type queueFigures struct {
	waits *prometheus.HistogramVec

	mu     sync.Mutex // guards what follows
	levels map[queueName]time.Duration
	by     map[time.Duration]*state.Figures // by service level
	nodes  map[string]state.Change          // how each was first seen, for figures that begin later
	shown  map[string]map[string]bool       // queues of a node that have series of waits
	at     time.Time
	last   map[queueName]*state.QueueFigures // as they were then
}

// mostLevels bounds the service levels that are told apart; queues of further ones are counted by the default.
const mostLevels = 16

func newQueueFigures() *queueFigures {
	return &queueFigures{
		waits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "amictl_queue_wait_seconds", Help: "How long callers waited, by how their wait ended.",
			Buckets: []float64{5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600},
		}, []string{"node", "queue", "end"}),
		levels: make(map[queueName]time.Duration), by: make(map[time.Duration]*state.Figures),
		nodes: make(map[string]state.Change), shown: make(map[string]map[string]bool),
	}
}

// add counts a change of the state.
func (q *queueFigures) add(ch *state.Change) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch o := ch.Object.(type) {
	case *state.Queue:
		name := queueName{o.Node, o.Name}
		if ch.Op == state.OpRemove {
			delete(q.levels, name)
			return
		}
		q.levels[name] = time.Duration(o.ServiceLevel) * time.Microsecond
		q.of(name).Add(ch)
	case *state.QueueCall:
		q.of(queueName{o.Node, o.Queue}).Add(ch)
		q.observe(o)
	case *state.Node, nil:
		if _, known := q.nodes[ch.Node]; !known && o != nil {
			q.nodes[ch.Node] = *ch
		}
		if ch.Op == state.OpRemove {
			q.forget(ch.Node)
		}
		for _, f := range q.by {
			f.Add(ch)
		}
	}
}

// of returns the figures that a queue is counted in. Called under mu.
func (q *queueFigures) of(name queueName) *state.Figures {
	level := q.levels[name].Truncate(time.Second)
	if level <= 0 || q.by[level] == nil && len(q.by) >= mostLevels {
		level = state.DefaultServiceLevel
	}
	f := q.by[level]
	if f == nil {
		f = state.NewFigures(state.FiguresOptions{Last: queueHour, ServiceLevel: level})
		q.by[level] = f
		for _, ch := range q.nodes {
			f.Add(&ch)
		}
	}
	return f
}

// observe notes the wait of a caller that is over. Called under mu.
func (q *queueFigures) observe(c *state.QueueCall) {
	end := map[string]string{state.QueueTalking: "answered", state.QueueAbandoned: "abandoned", state.QueueLeft: "left"}[c.State]
	if end == "" {
		return
	}
	node, queue := utf8Label(c.Node), utf8Label(c.Queue)
	if q.shown[node] == nil {
		q.shown[node] = make(map[string]bool)
	}
	if !q.shown[node][queue] && len(q.shown[node]) >= mostQueues {
		return
	}
	q.shown[node][queue] = true
	q.waits.WithLabelValues(node, queue, end).Observe(seconds(c.WaitUS))
}

// forget lets a node go that is no more. Called under mu.
func (q *queueFigures) forget(node string) {
	delete(q.nodes, node)
	delete(q.shown, utf8Label(node))
	q.waits.DeletePartialMatch(prometheus.Labels{"node": utf8Label(node)})
	for name := range q.levels {
		if name.node == node {
			delete(q.levels, name)
		}
	}
}

// lastHour returns what went through each queue in the last hour, as of a second ago at most. Nobody may change it.
func (q *queueFigures) lastHour(now time.Time) map[queueName]*state.QueueFigures {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.last != nil && now.Sub(q.at) < freshness {
		return q.last
	}
	q.at, q.last = now, make(map[queueName]*state.QueueFigures)
	for level, f := range q.by {
		for _, of := range f.Queues(now) {
			name := queueName{of.Node, of.Queue}
			if cmp.Or(q.levels[name].Truncate(time.Second), state.DefaultServiceLevel) == level || q.last[name] == nil {
				q.last[name] = of
			}
		}
	}
	return q.last
}
