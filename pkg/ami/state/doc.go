// Package state holds what Asterisk servers hold now: channels, calls, bridges, queues with members and callers,
// endpoints and devices, registrations, conferences, parked calls.
//
// An event stream tells what changes; this package tells what is. [Follow] watches the servers of a cluster and returns
// a [Watcher]: Watcher.Snapshot is what is now, Watcher.Changes is that followed by every change. [Replay] does the same
// for a record of events, where nobody can be asked.
//
// # How it stays exact
//
// The core is pure: events and lists go in, changes come out. It has no goroutine, no clock and no socket; the time is
// that of the packets. Two thin shells drive it, one over a cluster and one over a sequence of events.
//
// On each session the shell subscribes first and lists then (CoreShowChannels, BridgeList, QueueStatus, …). A list is
// applied at its place in the session's stream, between the event before it and the event behind it. Asterisk publishes
// events a moment after it changed, so a list is ahead of the events around it, never behind. Hence the rules:
//
//   - A list replaces the set of things that it is about.
//   - What this session has shown and a list lacks has ended, and its end is still to be told. It goes at once, and a
//     tombstone keeps the events up to that end from bringing it back.
//   - What only an older session has shown and a list lacks goes without a tombstone: nobody will tell its end.
//   - Events are upserts by Uniqueid (or the key of the kind): each says what is, not what to add. One that tells a
//     birth changes nothing in what is known, so a late Newchannel lowers no state.
//
// A gap in a node's stream (a lost session, an overflow) makes what is held of that node stale until it was listed
// again: [Node].Stale, and an [OpSynced] when it is over. Every five minutes, spread out over the nodes, an audit lists
// again and corrects what differs. What no event explains within half a minute is counted in [Node].Drift.
//
// # What may be missing
//
// A part that a server lacks is absent, not an error: an unknown action, a permission denied, a module that is not
// loaded. [Node].Parts says of each part how it is known. A part whose events the session's mask hides is known by its
// lists alone. To follow everything a session needs Events: "call,agent,system,dialplan" (or "on"), a user with those
// classes in read=, and "system,reporting,call" in write=. Without dialplan, a channel's application and extension are
// as old as the last list.
//
// # Calls
//
// A call is what shares a Linkedid, so transfers, pickups, Local channels and masquerades stay within it; two calls that
// Asterisk joins become one. [Call] is one that is up, [Record] one that ended. Times are the events' Timestamp where
// there is one (timestampevents=yes in manager.conf), else the time of receipt.
//
// # What it costs
//
// At most 1.5 KB a channel, its share of calls, bridges and tables included, and 5 µs a change. All is bounded, whatever
// a server says: Options.Limit objects of a kind a node, 256 bytes a value, 64 legs a call; what is over is counted.
package state
