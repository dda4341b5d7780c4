package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

const (
	// warmTimeout bounds the wait for all nodes before time begins.
	warmTimeout = 30 * time.Second
	// playTimeout bounds the run: an engine that forgets an action must not hang whoever tests it.
	playTimeout = 10 * time.Minute
	// settleTimeout bounds the wait for everything to come to rest.
	settleTimeout = 60 * time.Second
	settlePoll    = 5 * time.Millisecond
	// quietFor is how long nothing may move before everything counts as at rest: a flood goes on by itself.
	quietFor = 200 * time.Millisecond
)

// A run is a scenario under way.
type run struct {
	s        *Scenario
	r        *Report
	network  *amitest.Network
	world    *World
	cluster  *ami.Cluster
	timeline *timeline
	jobs     []*job
	watchers []*watcher
}

// Run runs the scenario on an in-memory network, or with nil on real sockets of the loopback address. The error is
// about what kept it from being run; what was not as expected is in the report.
func (s *Scenario) Run(ctx context.Context, network *amitest.Network) (*Report, error) {
	x := &run{s: s, r: &Report{Name: s.Name, About: s.About}, network: network, timeline: newTimeline()}
	var err error
	if x.world, err = s.Start(network); err != nil {
		return nil, err
	}
	defer x.world.Close()
	x.cluster = ami.NewCluster(ami.ClusterConfig{
		MaxDials: s.Engine.MaxDials, RedialRate: s.Engine.RedialRate, Budget: s.Engine.Budget,
		Hooks: ami.Hooks{StateChanged: x.timeline.changed},
	})
	defer func() { _ = x.cluster.Close() }()
	if err := x.connect(ctx); err != nil {
		return nil, fmt.Errorf("scenario %s: %w", s.Name, err)
	}
	start := time.Now()
	x.play(ctx)
	x.settle(ctx)
	x.r.Took = time.Since(start)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("scenario %s: %w", s.Name, err)
	}
	x.judge()
	x.end()
	return x.r, nil
}

// connect makes subscriptions and nodes and, unless the scenario begins cold, waits for all nodes.
func (x *run) connect(ctx context.Context) error {
	for i := range x.s.Subscriptions {
		w, err := x.s.watch(x.cluster, &x.s.Subscriptions[i])
		if err != nil {
			return err
		}
		x.watchers = append(x.watchers, w)
	}
	x.timeline.start = time.Now()
	for i := range x.s.Servers {
		v := &x.s.Servers[i]
		for _, server := range v.names() {
			for _, node := range v.nodes(server) {
				if _, err := x.cluster.Add(x.config(node, x.world.by[server])); err != nil {
					return err
				}
			}
		}
	}
	if x.s.Cold {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, warmTimeout)
	defer cancel()
	for _, n := range x.cluster.Nodes() {
		if err := n.WaitReady(ctx); err != nil {
			return fmt.Errorf("before time began: %w", err)
		}
	}
	return nil
}

// config is the engine's configuration for one node.
func (x *run) config(node string, srv *amitest.Server) ami.Config {
	e := &x.s.Engine
	cfg := ami.Config{
		Name: node, Addr: srv.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret),
		Auth:      map[string]ami.AuthMethod{"md5": ami.AuthMD5, "plain": ami.AuthPlain}[e.Auth],
		Events:    e.Events,
		Timeouts:  ami.Timeouts{Dial: e.DialTimeout.D(), Login: e.LoginTimeout.D(), Action: e.ActionTimeout.D()},
		Keepalive: ami.Keepalive{Interval: e.Keepalive.D(), Timeout: e.PingTimeout.D(), Misses: e.KeepaliveMisses},
		Redial: ami.Redial{
			BackoffMin: e.BackoffMin.D(), BackoffMax: e.BackoffMax.D(), BreakerAfter: e.BreakerAfter.D(),
			LoginBackoffMin: e.LoginBackoffMin.D(), LoginBackoffMax: e.LoginBackoffMax.D(), StableAfter: e.StableAfter.D(),
		},
		Limits: ami.Limits{
			Pending: e.Pending, WriteBuffer: e.WriteBuffer, ListItems: e.ListItems, ListBytes: e.ListBytes,
			Wire: wire.Limits{Packet: e.Packet, Line: e.Line, Headers: e.Headers, Answer: e.Answer},
		},
	}
	if cfg.Events == "" {
		cfg.Events = "on"
	}
	for _, f := range e.Filters {
		cfg.Filters = append(cfg.Filters, []ami.Field{{Name: "Filter", Value: f}})
	}
	if x.network != nil {
		cfg.Dial = x.network.DialContext
	}
	return cfg
}

// play is the scenario's time: actions, faults and consumers. It returns when every action has ended, every fault was
// injected, and the scenario's least time is over.
func (x *run) play(ctx context.Context) {
	for _, w := range x.watchers {
		w.run()
	}
	var all sync.WaitGroup
	for i := range x.s.Actions {
		j := &job{a: &x.s.Actions[i]}
		x.jobs = append(x.jobs, j)
		all.Go(func() { j.run(ctx, x.nodes(j.a.On)) })
	}
	all.Go(func() { x.world.RunFaults(ctx) })
	all.Go(func() { pause(ctx, x.s.For.D()) })
	done := make(chan struct{})
	go func() {
		all.Wait()
		close(done)
	}()
	timer := time.NewTimer(playTimeout)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		x.r.fail("the run", "ends", "within "+playTimeout.String(), "an action that does not end")
	}
}

func (x *run) nodes(pattern string) (nodes []*ami.Node) {
	for _, name := range matching(pattern, x.s.nodeNames()) {
		if n, ok := x.cluster.Node(name); ok {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// settle waits until the consumers have read everything, the servers' books are up to date and nothing moves. What has
// not come to rest in time shows in the verdict.
func (x *run) settle(ctx context.Context) {
	x.world.endTraffic()
	deadline := time.Now().Add(settleTimeout)
	moved, last := time.Now(), uint64(0)
	for time.Now().Before(deadline) && ctx.Err() == nil && time.Since(moved) < quietFor {
		if now := x.moves(); now != last || !x.atRest() {
			moved, last = time.Now(), now
		}
		pause(ctx, settlePoll)
	}
	for _, w := range x.watchers {
		w.stop()
		w.gone.Wait()
	}
}

// moves counts all that happens at the servers, and all that arrives of it: a slow write is booked when it is done.
func (x *run) moves() (n uint64) {
	for _, node := range x.cluster.Nodes() {
		n += node.Stats().BytesIn
	}
	for _, srv := range x.world.servers {
		l := srv.Ledger()
		n += l.EventsEmitted + l.ActionsReceived + l.BytesOut
	}
	return n
}

func (x *run) atRest() bool {
	for _, w := range x.watchers {
		if !w.drained() {
			return false
		}
	}
	for i := range x.s.Servers {
		for _, name := range x.s.Servers[i].names() {
			if heard, sent, exact := x.books(&x.s.Servers[i], name); exact && heard != sent {
				return false
			}
		}
	}
	return true
}

// books returns how many actions a server heard and how many its nodes sent for certain, and whether the two must be
// equal: they need not if a session was lost or an action was given up.
func (x *run) books(v *Server, server string) (heard, sent uint64, exact bool) {
	heard = x.world.by[server].Ledger().ActionsReceived
	exact = true
	for _, node := range v.nodes(server) {
		n, ok := x.cluster.Node(node)
		if !ok {
			continue
		}
		s := n.Stats()
		sent += s.Internal + s.Ledger.Accepted - s.Ledger.DisconnectedUnsent
		exact = exact && s.Lost == 0 && s.Dials == 1 && s.Ledger.TimedOut+s.Ledger.Cancelled == 0 && s.Late == 0
	}
	return heard, sent, exact
}

// judge compares everything with what was expected, and with what always holds.
func (x *run) judge() {
	for _, j := range x.jobs {
		j.verdict(x.r, len(matching(j.a.On, x.s.nodeNames())))
		x.r.Actions += len(j.ends)
	}
	for _, w := range x.watchers {
		w.verdict(x.r, x.world)
		x.r.Events += w.events
	}
	x.judgeLedgers()
	for i := range x.s.Servers {
		x.judgeServer(&x.s.Servers[i])
	}
	for i := range x.s.Nodes {
		v := &x.s.Nodes[i]
		for _, n := range x.nodes(v.On) {
			x.judgeNode(n, v.Expect)
		}
	}
	got := map[string]any{"took": x.r.Took, "redials_per_second": x.timeline.busiestSecond()}
	x.timeline.mu.Lock()
	got["dials_at_once"] = x.timeline.most
	x.timeline.mu.Unlock()
	for key, w := range inOrder(x.s.Expect) {
		x.r.check("the run", key, w, got[key])
	}
}

// judgeLedgers holds the engine's ledger against itself and against what the callers saw.
func (x *run) judgeLedgers() {
	seen := make(map[string]map[string]uint64) // by node and outcome
	for _, j := range x.jobs {
		for i := range j.ends {
			e := &j.ends[i]
			if seen[e.node] == nil {
				seen[e.node] = make(map[string]uint64)
			}
			seen[e.node][e.outcome]++
			seen[e.node]["submitted"]++
		}
	}
	for _, n := range x.cluster.Nodes() {
		l := n.Stats().Ledger
		where := "node " + n.Name()
		if !l.Exact() || l.InFlight != 0 {
			x.r.fail(where, "ledger", "exact, nothing in flight", fmt.Sprintf("%+v", l))
		}
		of := seen[n.Name()]
		x.r.check(where, "submitted, as callers saw it", exactly(int(of["submitted"])), l.Submitted)
		x.r.check(where, "replied, as callers saw it", exactly(int(of["replied"])), l.Replied)
		x.r.check(where, "refused, as callers saw it", exactly(int(of["refused"]+of["list_too_long"])), l.ErrorReplies)
	}
}

// judgeServer holds a server's ledger against the engine's and the scenario's.
func (x *run) judgeServer(v *Server) {
	servers := make([]*amitest.Server, 0, len(v.names()))
	for _, name := range v.names() {
		servers = append(servers, x.world.by[name])
		heard, sent, exact := x.books(v, name)
		for range 20 { // a Ping may be on its way at this moment
			if !exact || heard == sent {
				break
			}
			time.Sleep(settlePoll)
			heard, sent, exact = x.books(v, name)
		}
		if exact {
			x.r.check("server "+name, "actions received, as the engine sent them", exactly(int(sent)), heard)
		} else {
			x.r.check("server "+name, "actions received, at most what the engine sent", &Want{max: float64(sent), source: fmt.Sprintf("<=%d", sent)}, heard)
		}
	}
	sum := Totals(servers...)
	for key, w := range inOrder(v.Expect) {
		x.r.check("server "+v.Name, key, w, sum[key])
	}
}

// Totals returns what servers counted together: the fields of their ledgers in snake case.
func Totals(servers ...*amitest.Server) map[string]uint64 {
	sum := make(map[string]uint64)
	for _, srv := range servers {
		for key, n := range numbers(srv.Ledger()) {
			f, _ := toFloat(n)
			sum[key] += uint64(f)
		}
	}
	return sum
}

// judgeNode compares a node's statistics with what was expected.
func (x *run) judgeNode(n *ami.Node, expect map[string]*Want) {
	stats := n.Stats()
	got := make(map[string]any)
	for _, v := range []any{stats, stats.Ledger} {
		b, err := json.Marshal(v)
		if err == nil {
			err = json.Unmarshal(b, &got)
		}
		if err != nil {
			x.r.fail("node "+n.Name(), "statistics", "JSON", err.Error())
			return
		}
	}
	if first, longest, ok := x.timeline.of(n.Name()); ok { // of one that never was ready nothing holds
		got["first_ready"], got["longest_away"] = first, longest
	}
	for key, w := range inOrder(expect) {
		value := got[key]
		if b, ok := value.(bool); ok {
			value = fmt.Sprint(b)
		}
		if s, ok := value.(string); ok && w.holds(s) {
			x.r.Checks++
			continue
		}
		x.r.check("node "+n.Name(), key, w, value)
	}
}

// end closes the cluster; nothing may remain of it at the servers.
func (x *run) end() {
	if err := x.cluster.Close(); err != nil {
		x.r.fail("the end", "close", "no error", err.Error())
	}
	deadline := time.Now().Add(settleTimeout)
	for _, srv := range x.world.servers {
		srv.ClearFaults() // a half-open session would never see the end
		for srv.Ledger().Sessions > 0 && time.Now().Before(deadline) {
			time.Sleep(settlePoll)
		}
		x.r.check("server "+srv.Name(), "sessions left after Close", exactly(0), srv.Ledger().Sessions)
	}
}
