// Package bus is what amictld adds to the command line for a bus: where tail and its like read events from, and `amictl bus`.
package bus
