//go:build !unix

package bench

// descriptorLimit returns how many files the process may have open, 0 if that is not known.
func descriptorLimit() uint64 { return 0 }
