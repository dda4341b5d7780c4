// Package proof breaks the bus in every way of docs/bus.md's table of failures, with real processes: nats-server, bridges
// (amictld serve) and a consumer that checks each event. It is tests and nothing else; scripts/prove runs them.
package proof
