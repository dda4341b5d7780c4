// Package serve is the daemon: its life from the first listener to the last answer. What its doors share is in upstream; each
// door is a package of its own.
package serve
