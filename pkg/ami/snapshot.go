package ami

import "time"

// MarshalText returns the state's name, so that JSON has it.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// NodeStats is a snapshot of one node. Its JSON keys, like those of all statistics, are the field names in snake case; a
// duration is in nanoseconds, and its key says so.
type NodeStats struct {
	Node          string    `json:"node"`
	State         State     `json:"state"`
	Since         time.Time `json:"since"` // of the state
	Cause         string    `json:"cause,omitempty"`
	Banner        string    `json:"banner,omitempty"`
	Booted        bool      `json:"booted"`
	Sessions      uint64    `json:"sessions"`
	Lost          uint64    `json:"lost"` // sessions that ended
	Dials         uint64    `json:"dials"`
	DialFailures  uint64    `json:"dial_failures"`
	LoginFailures uint64    `json:"login_failures"`
	Breaker       string    `json:"breaker"` // closed, open or half-open
	BreakerOpens  uint64    `json:"breaker_opens"`
	Failures      int       `json:"failures"` // in a row

	Ledger   Ledger `json:"ledger"`
	Internal uint64 `json:"internal"` // the engine's own actions

	Late        uint64 `json:"late"`      // answers to calls that had timed out or been cancelled
	Duplicate   uint64 `json:"duplicate"` // further answers to calls that had been answered
	Foreign     uint64 `json:"foreign"`   // responses with an ActionID of another node, session or client
	Unmatched   uint64 `json:"unmatched"` // responses without an ActionID
	Raw         uint64 `json:"raw"`       // packets that are neither event nor response
	ParseErrors uint64 `json:"parse_errors"`
	Events      uint64 `json:"events"` // decoded
	BytesIn     uint64 `json:"bytes_in"`
	BytesOut    uint64 `json:"bytes_out"`

	Pings       uint64        `json:"pings"`
	PingLast    time.Duration `json:"ping_last_ns"` // in nanoseconds, like all durations
	PingMax     time.Duration `json:"ping_max_ns"`
	PingsMissed uint64        `json:"pings_missed"`

	Pending     int `json:"pending"` // slots taken: actions in flight and answers still awaited
	PendingPeak int `json:"pending_peak"`
	PendingCap  int `json:"pending_cap"`
	Write       int `json:"write"` // bytes that wait for the network
	WritePeak   int `json:"write_peak"`
	WriteCap    int `json:"write_cap"`
}

// Stats returns a snapshot of the node.
func (n *Node) Stats() NodeStats {
	l := n.look()
	state, cause := l.state, l.cause
	n.mu.Lock()
	s := NodeStats{
		Node: n.cfg.Name, State: state, Since: n.since, Banner: n.banner,
		Booted: n.booted.Load(), Breaker: "closed", PendingPeak: n.pendingPeak, WritePeak: n.writePeak,
	}
	failures, open := n.sup.trouble(time.Now())
	if s.Failures = failures; open {
		s.Breaker = "half-open"
		if state == StateBreakerOpen || state == StateStopping {
			s.Breaker = "open"
		}
	}
	c := n.conn
	n.mu.Unlock()
	if cause != nil {
		s.Cause = cause.Error()
	}
	n.stats.fill(&s)
	s.Events = n.feed.decoded.Load()
	s.PendingCap, s.WriteCap = n.cfg.Limits.Pending, n.cfg.Limits.WriteBuffer
	if c != nil {
		c.fill(&s)
	}
	return s
}

// Stats returns a snapshot of the session.
func (c *Conn) Stats() NodeStats {
	s := NodeStats{
		Node: c.cfg.Name, State: StateReady, Since: c.epoch, Banner: c.banner, Breaker: "closed",
		PendingCap: c.cfg.Limits.Pending, WriteCap: c.cfg.Limits.WriteBuffer, Events: c.feed.decoded.Load(),
	}
	if err := c.Err(); err != nil {
		s.State, s.Cause = StateClosed, err.Error()
	}
	c.stats.fill(&s)
	s.Sessions = 1
	c.fill(&s)
	return s
}

func (t *counters) fill(s *NodeStats) {
	s.Ledger = t.ledger()
	s.Internal = t.internalAccepted.Load()
	s.Sessions, s.Lost = t.sessions.Load(), t.lost.Load()
	s.Dials, s.DialFailures, s.LoginFailures = t.dials.Load(), t.dialFailures.Load(), t.loginFailures.Load()
	s.BreakerOpens = t.breakerOpens.Load()
	s.Late, s.Duplicate, s.Foreign = t.late.Load(), t.duplicate.Load(), t.foreign.Load()
	s.Unmatched, s.Raw, s.ParseErrors = t.unmatched.Load(), t.raw.Load(), t.parseErrors.Load()
	s.BytesIn, s.BytesOut = t.bytesIn.Load(), t.bytesOut.Load()
	s.Pings, s.PingsMissed = t.pings.Load(), t.missedPings.Load()
	s.PingLast, s.PingMax = time.Duration(t.pingLast.Load()), time.Duration(t.pingMax.Load())
}

// fill adds what the session itself knows. InFlight is counted in the pending table, apart from the counters, so that
// the ledger's balance is a check and not a definition.
func (c *Conn) fill(s *NodeStats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls.each(func(k *call, _ callRef, state uint64) {
		if (state == slotLive || state == slotHeard) && !k.internal {
			s.Ledger.InFlight++
		}
	})
	s.Pending, s.PendingPeak = c.calls.used, max(s.PendingPeak, c.calls.peak)
	s.Write, s.WritePeak = c.held(), max(s.WritePeak, c.peakOut)
}

// tellPending tells the node's seat how many slots are taken.
func (c *Conn) tellPending() {
	c.mu.Lock()
	c.calls.seat.tell(c.calls.used)
	c.mu.Unlock()
}

// ClusterStats is a snapshot of a cluster.
type ClusterStats struct {
	Nodes             []NodeStats         `json:"nodes"`
	Ready             int                 `json:"ready"`
	Ledger            Ledger              `json:"ledger"`       // of all nodes, and of actions that no node got
	BudgetUsed        int64               `json:"budget_used"`  // bytes of credit that the rings hold
	BudgetCap         int64               `json:"budget_cap"`   // bytes
	LogDropped        uint64              `json:"log_dropped"`  // records
	HookDropped       uint64              `json:"hook_dropped"` // notes
	HookPanics        uint64              `json:"hook_panics"`
	Subscriptions     []SubscriptionStats `json:"subscriptions"`
	PastSubscriptions SubscriptionStats   `json:"past_subscriptions"` // together: closed, and no longer among them
}

// Stats returns a snapshot of all nodes and subscriptions.
func (c *Cluster) Stats() ClusterStats {
	s := ClusterStats{BudgetUsed: c.budget.used.Load(), BudgetCap: c.budget.limit}
	for _, n := range c.Nodes() {
		ns := n.Stats()
		s.Nodes = append(s.Nodes, ns)
		s.Ledger.Add(ns.Ledger)
		if ns.State == StateReady || ns.State == StateDegraded {
			s.Ready++
		}
	}
	unrouted := c.unroutedActions.Load()
	s.Ledger.Submitted += unrouted
	s.Ledger.Rejected += unrouted
	if c.sink != nil {
		s.LogDropped = c.sink.Dropped()
	}
	if c.notes != nil {
		s.HookDropped, s.HookPanics = c.notes.dropped.Load(), c.notes.panics.Load()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.PastSubscriptions = c.past
	for _, sub := range c.subscriptions {
		s.Subscriptions = append(s.Subscriptions, sub.Stats())
	}
	return s
}
