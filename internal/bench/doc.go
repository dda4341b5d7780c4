// Package bench drives load at Asterisk servers and judges what came of it: latency, fairness between nodes, memory
// against caps, and the ledger of every action.
//
// Its core knows no engine: a schedule says when an action is due, a mix says which, histograms take two latencies of
// each, and thresholds turn the figures into a verdict. The driver, run, runs that core against an engine;
// newCluster makes one of an ami.Cluster, and Launch puts everything around it, a simulated cluster too.
//
// Latency is measured twice. Response time counts from the moment at which the schedule meant an action to start, so
// that a server which stalls cannot hide the actions that waited meanwhile (no coordinated omission). Service time
// counts from the write.
package bench
