//go:build !samples

package bench

// sampled is told each time that is measured. A build for tests writes them down.
func (*worker) sampled(string, int32, int64) {}
