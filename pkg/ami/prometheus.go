package ami

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// WritePrometheus writes the snapshot in Prometheus' text format, version 0.0.4. Every name begins with "ami_".
// Durations are in seconds, sizes in bytes.
func (s ClusterStats) WritePrometheus(w io.Writer) error {
	p := promWriter{bufio.NewWriter(w)}
	p.family("ami_node_up", "gauge", "Whether the node takes actions.")
	for i := range s.Nodes {
		n := &s.Nodes[i]
		p.sample("ami_node_up", n.Node, "", "", boolValue(n.State == StateReady || n.State == StateDegraded))
	}
	p.family("ami_node_state", "gauge", "The node's state: 1 for the one it is in.")
	for i := range s.Nodes {
		for st := StateDown; st <= StateClosed; st++ {
			p.sample("ami_node_state", s.Nodes[i].Node, "state", st.String(), boolValue(s.Nodes[i].State == st))
		}
	}
	p.family("ami_node_breaker_open", "gauge", "Whether the node's breaker is open or half-open.")
	for i := range s.Nodes {
		p.sample("ami_node_breaker_open", s.Nodes[i].Node, "", "", boolValue(s.Nodes[i].Breaker != "closed"))
	}
	p.family("ami_actions_ended_total", "counter", "Accepted actions by how they ended.")
	for i := range s.Nodes {
		l := s.Nodes[i].Ledger
		for _, end := range []struct {
			how string
			n   uint64
		}{
			{"replied", l.Replied},
			{"error", l.ErrorReplies},
			{"timeout", l.TimedOut},
			{"cancelled", l.Cancelled},
			{"disconnected_unsent", l.DisconnectedUnsent},
			{"disconnected_maybe", l.DisconnectedMaybe},
		} {
			p.sample("ami_actions_ended_total", s.Nodes[i].Node, "end", end.how, float64(end.n))
		}
	}
	for _, m := range nodeMetrics {
		p.family(m.name, m.kind, m.help)
		for i := range s.Nodes {
			p.sample(m.name, s.Nodes[i].Node, "", "", m.value(&s.Nodes[i]))
		}
	}
	p.cluster(&s)
	return p.w.Flush()
}

// nodeMetrics are the figures that a node has one of.
var nodeMetrics = []struct {
	name, kind, help string
	value            func(*NodeStats) float64
}{
	{"ami_actions_submitted_total", "counter", "Actions given to the engine.", func(n *NodeStats) float64 { return float64(n.Ledger.Submitted) }},
	{"ami_actions_rejected_total", "counter", "Actions refused before they were accepted.", func(n *NodeStats) float64 { return float64(n.Ledger.Rejected) }},
	{"ami_actions_accepted_total", "counter", "Actions accepted.", func(n *NodeStats) float64 { return float64(n.Ledger.Accepted) }},
	{"ami_actions_in_flight", "gauge", "Actions accepted and not ended.", func(n *NodeStats) float64 { return float64(n.Ledger.InFlight) }},
	{"ami_replies_late_total", "counter", "Answers to actions that had timed out or been cancelled.", func(n *NodeStats) float64 { return float64(n.Late) }},
	{"ami_replies_duplicate_total", "counter", "Further answers to actions that had been answered.", func(n *NodeStats) float64 { return float64(n.Duplicate) }},
	{"ami_replies_foreign_total", "counter", "Responses with an ActionID of another node, session or client.", func(n *NodeStats) float64 { return float64(n.Foreign) }},
	{"ami_replies_unmatched_total", "counter", "Responses without an ActionID.", func(n *NodeStats) float64 { return float64(n.Unmatched) }},
	{"ami_packets_raw_total", "counter", "Packets that are neither event nor response.", func(n *NodeStats) float64 { return float64(n.Raw) }},
	{"ami_parse_errors_total", "counter", "Packets over a limit, or cut short by the end of a session.", func(n *NodeStats) float64 { return float64(n.ParseErrors) }},
	{"ami_events_decoded_total", "counter", "Events read.", func(n *NodeStats) float64 { return float64(n.Events) }},
	{"ami_received_bytes_total", "counter", "Bytes read.", func(n *NodeStats) float64 { return float64(n.BytesIn) }},
	{"ami_sent_bytes_total", "counter", "Bytes written.", func(n *NodeStats) float64 { return float64(n.BytesOut) }},
	{"ami_sessions_total", "counter", "Sessions that logged in.", func(n *NodeStats) float64 { return float64(n.Sessions) }},
	{"ami_sessions_lost_total", "counter", "Sessions that ended.", func(n *NodeStats) float64 { return float64(n.Lost) }},
	{"ami_dials_total", "counter", "Attempts to connect.", func(n *NodeStats) float64 { return float64(n.Dials) }},
	{"ami_dial_failures_total", "counter", "Attempts that failed before or in the login, refusals aside.", func(n *NodeStats) float64 { return float64(n.DialFails) }},
	{"ami_login_failures_total", "counter", "Logins that the server refused.", func(n *NodeStats) float64 { return float64(n.LoginFails) }},
	{"ami_breaker_opens_total", "counter", "Times the breaker opened.", func(n *NodeStats) float64 { return float64(n.BreakerOps) }},
	{"ami_pings_missed_total", "counter", "Keepalive Pings without an answer in time.", func(n *NodeStats) float64 { return float64(n.PingsMissed) }},
	{"ami_ping_seconds", "gauge", "Round trip of the last keepalive Ping.", func(n *NodeStats) float64 { return n.PingLast.Seconds() }},
	{"ami_node_booted", "gauge", "Whether the server said FullyBooted on the present session.", func(n *NodeStats) float64 { return boolValue(n.Booted) }},
	{"ami_node_failures", "gauge", "Failures in a row.", func(n *NodeStats) float64 { return float64(n.Failures) }},
	{"ami_internal_actions_total", "counter", "The engine's own actions: logins, Pings, filters, Logoff.", func(n *NodeStats) float64 { return float64(n.Internal) }},
	{"ami_pings_total", "counter", "Keepalive Pings that were answered.", func(n *NodeStats) float64 { return float64(n.Pings) }},
	{"ami_ping_max_seconds", "gauge", "Longest round trip of a keepalive Ping so far.", func(n *NodeStats) float64 { return n.PingMax.Seconds() }},
	{"ami_pending", "gauge", "Slots of the pending table that are taken.", func(n *NodeStats) float64 { return float64(n.Pending) }},
	{"ami_pending_peak", "gauge", "Most slots taken so far.", func(n *NodeStats) float64 { return float64(n.PendingPeak) }},
	{"ami_pending_cap", "gauge", "Slots of the pending table.", func(n *NodeStats) float64 { return float64(n.PendingCap) }},
	{"ami_write_buffer_bytes", "gauge", "Bytes that wait for the network.", func(n *NodeStats) float64 { return float64(n.Write) }},
	{"ami_write_buffer_peak_bytes", "gauge", "Most bytes that waited so far.", func(n *NodeStats) float64 { return float64(n.WritePeak) }},
	{"ami_write_buffer_cap_bytes", "gauge", "Bytes that may wait.", func(n *NodeStats) float64 { return float64(n.WriteCap) }},
}

// cluster writes what is counted over all nodes.
func (p promWriter) cluster(s *ClusterStats) {
	t := s.PastSubs // counters do not go back
	for _, sub := range s.Subs {
		t.add(sub)
	}
	unrouted := s.Ledger.Rejected
	for i := range s.Nodes {
		unrouted -= min(unrouted, s.Nodes[i].Ledger.Rejected)
	}
	for _, m := range []struct {
		name, kind, help string
		value            uint64
	}{
		{"ami_events_offered_total", "counter", "Events offered to subscriptions.", t.Offered},
		{"ami_events_filtered_total", "counter", "Of those, not wanted.", t.Filtered},
		{"ami_events_delivered_total", "counter", "Of those, handed to the consumer.", t.Delivered},
		{"ami_events_dropped_total", "counter", "Of those, lost for want of room.", t.Dropped},
		{"ami_events_discarded_total", "counter", "Of those, queued when their subscription was closed or their node removed.", t.Discarded},
		{"ami_events_queued", "gauge", "Of those, waiting for the consumer.", t.Queued},
		{"ami_events_queued_bytes", "gauge", "Memory of those that wait.", t.QueuedBytes},
		{"ami_events_queued_peak", "gauge", "Most that ever waited for one consumer at one node.", t.PeakEvents},
		{"ami_events_queued_peak_bytes", "gauge", "The same in memory.", t.PeakBytes},
		{"ami_callback_panics_total", "counter", "Panics of event callbacks.", t.Panics},
		{"ami_actions_unrouted_total", "counter", "Actions that no node could take; no node's own figures count them.", unrouted},
		{"ami_budget_used_bytes", "gauge", "Memory that the rings have taken of the shared budget.", uint64(s.BudgetUsed)},
		{"ami_budget_cap_bytes", "gauge", "The shared budget.", uint64(s.BudgetCap)},
		{"ami_log_dropped_total", "counter", "Log records dropped because the handler was slow.", s.LogDropped},
		{"ami_hook_dropped_total", "counter", "Hook calls dropped because a hook was slow.", s.HookDropped},
		{"ami_hook_panics_total", "counter", "Hooks that panicked.", s.HookPanics},
	} {
		p.family(m.name, m.kind, m.help)
		fmt.Fprintf(p.w, "%s %d\n", m.name, m.value)
	}
}

type promWriter struct{ w *bufio.Writer }

func (p promWriter) family(name, kind, help string) {
	fmt.Fprintf(p.w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

var promEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// promLabel makes text a label's value. A byte that is not UTF-8 would cost the whole scrape.
func promLabel(s string) string { return promEscaper.Replace(strings.ToValidUTF8(s, "\uFFFD")) }

func (p promWriter) sample(name, node, label, value string, v float64) {
	fmt.Fprintf(p.w, `%s{node="%s"`, name, promLabel(node))
	if label != "" {
		fmt.Fprintf(p.w, `,%s="%s"`, label, promLabel(value))
	}
	fmt.Fprintf(p.w, "} %s\n", strconv.FormatFloat(v, 'g', -1, 64))
}

func boolValue(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
