// Package proof runs a whole daemon, with both its doors, among servers that come and go and clients of all kinds, for a day of
// virtual time and for half an hour of real time. It is tests and nothing else; scripts/prove runs them.
package proof
