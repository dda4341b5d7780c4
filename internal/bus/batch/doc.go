// Package batch is the format of what lies on the bus: many packets of one node, in order, with the gaps between them and who
// owned the node. It does no I/O. docs/bus.md describes the format for other programs.
package batch
