package fail

import (
	"slices"
	"strings"
)

// Nearest returns the candidate that a typing error away could have been meant, or that word is the beginning of, or "".
func Nearest(word string, candidates []string) string {
	best, limit, begun := "", max(1, len(word)/4), ""
	for _, c := range candidates {
		d := editDistance(strings.ToLower(word), strings.ToLower(c))
		if d <= limit || d == limit+1 && best != "" && sameLetters(word, c) && !sameLetters(word, best) { // letters are swapped more often than mistaken
			best, limit = c, d-1
		}
		if begun == "" && len(word) >= 3 && strings.HasPrefix(strings.ToLower(c), strings.ToLower(word)) {
			begun = c
		}
	}
	if begun != "" && limit > 0 { // one letter off is nearer than a word that is only begun, and more are not
		return begun
	}
	return best
}

// sameLetters reports whether two words have the same letters in another order.
func sameLetters(a, b string) bool {
	x, y := []byte(strings.ToLower(a)), []byte(strings.ToLower(b))
	slices.Sort(x)
	slices.Sort(y)
	return string(x) == string(y)
}

// editDistance counts the insertions, deletions, replacements and swaps of neighbours that turn a into b.
func editDistance(a, b string) int {
	var before []int // the row of i-2
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// NearHint is a hint for a name that there is not: the one that may have been meant, or what is said otherwise.
func NearHint(word string, candidates []string, otherwise string) string {
	if near := Nearest(word, candidates); near != "" {
		return "did you mean " + near + "?"
	}
	return otherwise
}
