//go:build !unix

package run

// noCore has nothing to do where there are no core files.
func noCore() {}
