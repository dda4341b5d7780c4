// Package scenario runs chaos scenarios through the engine: declarative files that say which simulated servers there
// are, what the engine does with them, what goes wrong, and what must come of it.
//
// A file is TOML. Time begins when every node is ready ("cold = true" begins before the first dial); a fault without
// "at" is there from the servers' start.
//
//	about = "A user without the class gets the server's words, and the session goes on."
//
//	[[server]]                     # simulated Asterisks and the nodes that connect to them
//	name = "pbx1"
//	write = "system"
//	expect = { logins = 1 }        # of the server's own ledger
//
//	[[fault]]
//	at = "1s"
//	on = "pbx*"
//	do = "latency fixed=20ms"      # a fault, as amitest.Fault describes them
//
//	[[action]]                     # sent through the engine
//	name = "refused"
//	on = "pbx1"
//	action = "Originate"
//	fields = ["Channel: Local/100@default"]
//	expect = { refused = 1, message = "Permission denied" }
//
//	[[node]]                       # the engine's statistics, as `amictl health` and Stats name them
//	on = "pbx1"
//	expect = { state = "ready", sessions = 1 }
//
// Nothing passes by not being looked at: an unknown key, an action without expectations, outcomes that do not add up
// to the number of actions, a pattern that names no server and an expectation that met nothing are errors. What always
// holds is always checked: both ledgers, that each action ended once, that events come in order and once, that every
// lost event is in a gap, and that nothing remains after Close.
package scenario
