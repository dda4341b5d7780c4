// Package bus carries the events of servers beyond one machine, on NATS JetStream. Storage, replication and leases are
// JetStream's own; what lies in them is ours: batches of packets (package batch) under subjects (package subject), each node's in
// order and exactly once, whoever owns the node. docs/bus.md says what is promised in each failure.
package bus
