// Package replay reads the files of --from: events that were recorded or captured, instead of a server's.
package replay
