package fail

import "fmt"

// Count returns n with its noun, which a message needs in the plural unless there is one.
func Count[N int | int64 | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Are is Count with the verb: 1 call is, 2 calls are.
func Are[N int | int64 | uint64](n N, noun string) string {
	return Count(n, noun) + verb(n, " is", " are")
}

// Were is Are of what is past.
func Were[N int | int64 | uint64](n N, noun string) string {
	return Count(n, noun) + verb(n, " was", " were")
}

func verb[N int | int64 | uint64](n N, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
