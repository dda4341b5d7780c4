// Package proof has loads of several processes do what docs/bench.md promises, with real processes, on hosts that are network
// namespaces: links that delay, links that are cut, and workers and coordinators that are killed and stand still. It is tests and
// nothing else; scripts/prove runs them.
package proof
