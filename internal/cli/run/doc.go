// Package run is one run of the program: its streams and environment, global flags and settings, printers, signals.
package run
