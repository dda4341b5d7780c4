package wire

// hasMarks tells that marks is faster than a search for each line end and colon.
const hasMarks = true

// marks returns where the 64 bytes hold line ends and colons, a bit a byte. SSE2, which every amd64 has.
//
//go:noescape
func marks(p *[64]byte) (lf, colon uint64)
