// Package stream is the window of recent events that all clients of the daemon read: each has a cursor in it and nothing
// else, so that a slow one costs memory nobody, and one that is too slow loses events, which it is told.
package stream
