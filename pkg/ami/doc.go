// Package ami is a client engine for the Asterisk Manager Interface: one Asterisk or a thousand, for months.
//
// Three nouns carry it. A [Conn] is one logged-in session: it is born by [Dial], dies once, and everything that it owes
// dies with it. A [Node] supervises one server: it dials, logs in, backs off, and makes a new Conn each time. A
// [Cluster] holds many Nodes: routing, fair subscriptions, one dial queue and one memory budget.
//
//	cluster := ami.NewCluster(ami.ClusterConfig{})
//	defer cluster.Close()
//	node, err := cluster.Add(ami.Config{Name: "pbx1", Addr: "pbx1.example.com:5038", Username: "dialer", Secret: secret, Events: "call"})
//	…
//	reply, err := node.Do(ctx, ami.NewAction("Originate", "Channel", "Local/100@default", "Async", "true"))
//
// Each of them does actions ([Doer]; a cluster by [Cluster.Via]): Do sends an action and waits for its answer. A
// [Batch] keeps many actions in flight, and a [Subscription] follows events. Package wire has the messages, redact
// keeps secrets out of logs, catalog knows Asterisk's actions and events, amiprom exports a cluster's metrics to
// Prometheus, and amitest is a simulated server for tests.
//
// The promises: nothing shared ever waits for one node; every accepted action ends exactly once, and an error says
// whether bytes left the process ([Sent]); every buffer has a cap, and what overflows is counted and marked in the
// stream ([Gap]); no value can inject a header; secrets never appear. docs/DESIGN.md in the repository names the test
// that holds each promise.
package ami
