// Package state holds the live state of Asterisk servers: channels, calls, bridges, queues with members and callers,
// endpoints and devices, registrations, conferences, parked calls.
//
// An event stream tells what changes; this package tells what exists. [Follow] watches the servers of a cluster and returns
// a [Watcher]: Watcher.Snapshot is the current state, Watcher.Changes is that state followed by every change. [Replay] does
// the same for a record of events, where no server can be asked.
//
// # How it stays exact
//
// The core is pure: events and lists go in, changes come out. It has no goroutine, no clock and no socket; its time is that
// of the packets. Two thin shells drive it, one over a cluster and one over a sequence of events.
//
// On each session the shell subscribes first and lists then (CoreShowChannels, BridgeList, QueueStatus, …). A list is
// applied at its place in the session's stream, between the event before it and the event behind it. Asterisk publishes
// events a moment after it changed, so a list is ahead of the events around it, never behind. It may be by 3 s. Hence the rules:
//
//   - A list replaces the set of things that it is about.
//   - An object that this session has shown and that a list lacks has ended, but its end has not been told yet. It is
//     removed at once, and a tombstone keeps the events up to its end from bringing it back.
//   - An object that only an older session has shown and that a list lacks is removed without a tombstone: no event will
//     tell its end.
//   - Events are upserts by Uniqueid (or the key of the kind): each says what is, not what to add. An event that creates
//     an object changes nothing in one that is known, so a late Newchannel does not reset a state.
//
// A gap in a node's stream (a lost session, an overflow) makes the state of that node stale until it has been listed
// again: [Node].Stale, and an [OpSynced] at the end. Every five minutes, spread out over the nodes, an audit lists
// again and corrects what differs. What no event explains within half a minute is counted in [Node].Drift.
//
// # What may be missing
//
// A part that a server lacks is absent, not an error: an unknown action, a module that is not loaded. [Node].Parts says of each
// part how it is known. A part that the user may not list is known by its events alone, one whose events are hidden by the
// session's mask by its lists alone. To follow everything a session needs Events: "call,agent,system,dialplan" (or "on"), a user with those classes in
// read=, and "system,reporting,call" in write=. Without dialplan, a channel's application and extension are as old as the
// last list.
//
// # Calls
//
// A call is what shares a Linkedid, so transfers, pickups, Local channels and masquerades stay within it; two calls that
// Asterisk joins become one. A [Call] is one that is up, a [Record] one that has ended. Times are the events' Timestamp where
// there is one (timestampevents=yes in manager.conf), else the time of receipt.
//
// # What it costs
//
// At most 1.5 KB a channel, its share of calls, bridges and tables included, and 5 µs a change. Everything is bounded,
// whatever a server says: Options.Limit objects of a kind for each node, 256 bytes a value, 64 legs a call; what exceeds
// that is counted.
package state
