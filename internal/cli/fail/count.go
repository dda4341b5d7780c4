package fail

import "strconv"

// Count returns n with its noun, which a message needs in the plural unless there is one.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
