package output

import (
	"hash/fnv"
	"strconv"
)

// nodeColors are those of the eight colours that can be read on light and on dark grounds: blue is lost on black and yellow on
// white, and red says that something is wrong. A node keeps its own.
var nodeColors = [...]string{"36", "35", "32"}

// nodeColor takes the sum of the name's bytes, so that neighbours (pbx1, pbx2, pbx3) differ.
func nodeColor(node string) string {
	sum := 0
	for i := range len(node) {
		sum += int(node[i])
	}
	return nodeColors[sum%len(nodeColors)]
}

// callColors are of the 256 colours those that are neither light nor dark, and not red.
var callColors = [...]int{31, 37, 64, 67, 71, 97, 103, 108, 130, 133, 136, 139, 172, 66, 62, 72}

var callStyles = func() (styles [len(callColors)]string) {
	for i, n := range callColors {
		styles[i] = "38;5;" + strconv.Itoa(n)
	}
	return styles
}()

// callColor is the colour of a call: the same for each of its events, by its Linkedid. Terminals that have eight colours only
// have few for it.
func callColor(linkedid string, palette bool) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(linkedid))
	if sum := int(h.Sum32() >> 1); palette {
		return callStyles[sum%len(callStyles)]
	} else {
		return nodeColors[sum%len(nodeColors)]
	}
}
