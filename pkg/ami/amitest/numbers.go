package amitest

// maxRanges bounds the memory of a set of event numbers, in ranges.
const maxRanges = 1 << 16

// Range is a run of consecutive numbers, both ends included.
type Range struct{ First, Last uint64 }

// numbers is a set of ascending event numbers kept as ranges.
type numbers struct {
	ranges []Range
	lost   uint64 // numbers not kept because there were too many ranges
}

// add takes the next number; numbers come in ascending order.
func (n *numbers) add(v uint64) {
	if last := len(n.ranges) - 1; last >= 0 && n.ranges[last].Last+1 == v {
		n.ranges[last].Last = v
		return
	}
	if len(n.ranges) >= maxRanges {
		n.lost++
		return
	}
	n.ranges = append(n.ranges, Range{v, v})
}
