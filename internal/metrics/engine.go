package metrics

import "github.com/apntalk/amictl/pkg/ami"

// Of returns a snapshot's metrics, the same families each time. Every name begins with "ami_". Durations are in seconds,
// sizes in bytes.
func Of(s *ami.ClusterStats) []Family {
	up := Family{Name: "ami_node_up", Kind: Gauge, Help: "Whether the node takes actions.", Labels: []string{"node"}}
	state := Family{Name: "ami_node_state", Kind: Gauge, Help: "The node's state: 1 for the one it is in.", Labels: []string{"node", "state"}}
	breaker := Family{Name: "ami_node_breaker_open", Kind: Gauge, Help: "Whether the node's breaker is open or half-open.", Labels: []string{"node"}}
	ended := Family{Name: "ami_actions_ended_total", Kind: Counter, Help: "Accepted actions by how they ended.", Labels: []string{"node", "end"}}
	for i := range s.Nodes {
		n := &s.Nodes[i]
		up.Add(Bool(n.State == ami.StateReady || n.State == ami.StateDegraded), n.Node)
		for st := ami.StateDown; st <= ami.StateClosed; st++ {
			state.Add(Bool(n.State == st), n.Node, st.String())
		}
		breaker.Add(Bool(n.Breaker != "closed"), n.Node)
		l := &n.Ledger
		ended.Add(float64(l.Replied), n.Node, "replied")
		ended.Add(float64(l.ErrorReplies), n.Node, "error")
		ended.Add(float64(l.TimedOut), n.Node, "timeout")
		ended.Add(float64(l.Cancelled), n.Node, "cancelled")
		ended.Add(float64(l.DisconnectedUnsent), n.Node, "disconnected_unsent")
		ended.Add(float64(l.DisconnectedMaybe), n.Node, "disconnected_maybe")
	}
	all := []Family{up, state, breaker, ended}
	for _, m := range nodeMetrics {
		f := Family{Name: m.name, Kind: m.kind, Help: m.help, Labels: []string{"node"}}
		for i := range s.Nodes {
			f.Add(m.value(&s.Nodes[i]), s.Nodes[i].Node)
		}
		all = append(all, f)
	}
	return append(all, clusterMetrics(s)...)
}

// nodeMetrics are the figures that a node has one of.
var nodeMetrics = []struct {
	name  string
	kind  Kind
	help  string
	value func(*ami.NodeStats) float64
}{
	{"ami_actions_submitted_total", Counter, "Actions given to the engine.", func(n *ami.NodeStats) float64 { return float64(n.Ledger.Submitted) }},
	{"ami_actions_rejected_total", Counter, "Actions refused before they were accepted.", func(n *ami.NodeStats) float64 { return float64(n.Ledger.Rejected) }},
	{"ami_actions_accepted_total", Counter, "Actions accepted.", func(n *ami.NodeStats) float64 { return float64(n.Ledger.Accepted) }},
	{"ami_actions_in_flight", Gauge, "Actions accepted and not ended.", func(n *ami.NodeStats) float64 { return float64(n.Ledger.InFlight) }},
	{"ami_replies_late_total", Counter, "Answers to actions that had timed out or been cancelled.", func(n *ami.NodeStats) float64 { return float64(n.Late) }},
	{"ami_replies_duplicate_total", Counter, "Further answers to actions that had been answered.", func(n *ami.NodeStats) float64 { return float64(n.Duplicate) }},
	{"ami_replies_foreign_total", Counter, "Responses with an ActionID of another node, session or client.", func(n *ami.NodeStats) float64 { return float64(n.Foreign) }},
	{"ami_replies_unmatched_total", Counter, "Responses without an ActionID.", func(n *ami.NodeStats) float64 { return float64(n.Unmatched) }},
	{"ami_packets_raw_total", Counter, "Packets that are neither event nor response.", func(n *ami.NodeStats) float64 { return float64(n.Raw) }},
	{"ami_parse_errors_total", Counter, "Packets over a limit, or cut short by the end of a session.", func(n *ami.NodeStats) float64 { return float64(n.ParseErrors) }},
	{"ami_events_decoded_total", Counter, "Events read.", func(n *ami.NodeStats) float64 { return float64(n.Events) }},
	{"ami_received_bytes_total", Counter, "Bytes read.", func(n *ami.NodeStats) float64 { return float64(n.BytesIn) }},
	{"ami_sent_bytes_total", Counter, "Bytes written.", func(n *ami.NodeStats) float64 { return float64(n.BytesOut) }},
	{"ami_sessions_total", Counter, "Sessions that logged in.", func(n *ami.NodeStats) float64 { return float64(n.Sessions) }},
	{"ami_sessions_lost_total", Counter, "Sessions that ended.", func(n *ami.NodeStats) float64 { return float64(n.Lost) }},
	{"ami_dials_total", Counter, "Attempts to connect.", func(n *ami.NodeStats) float64 { return float64(n.Dials) }},
	{"ami_dial_failures_total", Counter, "Attempts that failed before or in the login, refusals aside.", func(n *ami.NodeStats) float64 { return float64(n.DialFails) }},
	{"ami_login_failures_total", Counter, "Logins that the server refused.", func(n *ami.NodeStats) float64 { return float64(n.LoginFails) }},
	{"ami_breaker_opens_total", Counter, "Times the breaker opened.", func(n *ami.NodeStats) float64 { return float64(n.BreakerOps) }},
	{"ami_pings_missed_total", Counter, "Keepalive Pings without an answer in time.", func(n *ami.NodeStats) float64 { return float64(n.PingsMissed) }},
	{"ami_ping_seconds", Gauge, "Round trip of the last keepalive Ping.", func(n *ami.NodeStats) float64 { return n.PingLast.Seconds() }},
	{"ami_node_booted", Gauge, "Whether the server said FullyBooted on the present session.", func(n *ami.NodeStats) float64 { return Bool(n.Booted) }},
	{"ami_node_failures", Gauge, "Failures in a row.", func(n *ami.NodeStats) float64 { return float64(n.Failures) }},
	{"ami_internal_actions_total", Counter, "The engine's own actions: logins, Pings, filters, Logoff.", func(n *ami.NodeStats) float64 { return float64(n.Internal) }},
	{"ami_pings_total", Counter, "Keepalive Pings that were answered.", func(n *ami.NodeStats) float64 { return float64(n.Pings) }},
	{"ami_ping_max_seconds", Gauge, "Longest round trip of a keepalive Ping so far.", func(n *ami.NodeStats) float64 { return n.PingMax.Seconds() }},
	{"ami_pending", Gauge, "Slots of the pending table that are taken.", func(n *ami.NodeStats) float64 { return float64(n.Pending) }},
	{"ami_pending_peak", Gauge, "Most slots taken so far.", func(n *ami.NodeStats) float64 { return float64(n.PendingPeak) }},
	{"ami_pending_cap", Gauge, "Slots of the pending table.", func(n *ami.NodeStats) float64 { return float64(n.PendingCap) }},
	{"ami_write_buffer_bytes", Gauge, "Bytes that wait for the network.", func(n *ami.NodeStats) float64 { return float64(n.Write) }},
	{"ami_write_buffer_peak_bytes", Gauge, "Most bytes that waited so far.", func(n *ami.NodeStats) float64 { return float64(n.WritePeak) }},
	{"ami_write_buffer_cap_bytes", Gauge, "Bytes that may wait.", func(n *ami.NodeStats) float64 { return float64(n.WriteCap) }},
}

// clusterMetrics are what is counted over all nodes.
func clusterMetrics(s *ami.ClusterStats) []Family {
	t := s.PastSubs // counters do not go back
	for _, sub := range s.Subs {
		t.Add(sub)
	}
	unrouted := s.Ledger.Rejected
	for i := range s.Nodes {
		unrouted -= min(unrouted, s.Nodes[i].Ledger.Rejected)
	}
	var all []Family
	for _, m := range []struct {
		name  string
		kind  Kind
		help  string
		value uint64
	}{
		{"ami_events_offered_total", Counter, "Events offered to subscriptions.", t.Offered},
		{"ami_events_filtered_total", Counter, "Of those, not wanted.", t.Filtered},
		{"ami_events_delivered_total", Counter, "Of those, handed to the consumer.", t.Delivered},
		{"ami_events_dropped_total", Counter, "Of those, lost for want of room.", t.Dropped},
		{"ami_events_discarded_total", Counter, "Of those, queued when their subscription was closed or their node removed.", t.Discarded},
		{"ami_events_queued", Gauge, "Of those, waiting for the consumer.", t.Queued},
		{"ami_events_queued_bytes", Gauge, "Memory of those that wait.", t.QueuedBytes},
		{"ami_events_queued_peak", Gauge, "Most that ever waited for one consumer at one node.", t.PeakEvents},
		{"ami_events_queued_peak_bytes", Gauge, "The same in memory.", t.PeakBytes},
		{"ami_callback_panics_total", Counter, "Panics of event callbacks.", t.Panics},
		{"ami_actions_unrouted_total", Counter, "Actions that no node could take; no node's own figures count them.", unrouted},
		{"ami_budget_used_bytes", Gauge, "Memory that the rings have taken of the shared budget.", uint64(s.BudgetUsed)},
		{"ami_budget_cap_bytes", Gauge, "The shared budget.", uint64(s.BudgetCap)},
		{"ami_log_dropped_total", Counter, "Log records dropped because the handler was slow.", s.LogDropped},
		{"ami_hook_dropped_total", Counter, "Hook calls dropped because a hook was slow.", s.HookDropped},
		{"ami_hook_panics_total", Counter, "Hooks that panicked.", s.HookPanics},
	} {
		all = append(all, Family{Name: m.name, Kind: m.kind, Help: m.help, Samples: []Sample{{Value: float64(m.value)}}})
	}
	return all
}
