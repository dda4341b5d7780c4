//go:build !amd64

package wire

// hasMarks tells that marks is faster than a search for each line end and colon.
const hasMarks = false

// marks returns where the 64 bytes hold line ends and colons, a bit a byte.
func marks(p *[64]byte) (lf, colon uint64) { return marksGeneric(p) }
