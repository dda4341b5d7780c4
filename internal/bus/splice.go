package bus

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A mark is what an event of one session is known by in another. A server writes what it sends to everybody into each session of a user
// with the same bytes and in the same order; so marks of two sessions, side by side, tell where one stands in the other.
type mark uint64

// markOf returns an event's mark; ok is false for what is a session's own: an answer, a gap, the greeting.
func markOf(ev *ami.Event) (m mark, ok bool) {
	if ev.Gap != nil || ev.Kind() != wire.Event || !strings.HasSuffix(ev.Get("Privilege"), ",all") || wire.EqualFold(ev.Name(), "FullyBooted") {
		return 0, false
	}
	sum := sha256.Sum256([]byte(ev.Text()))
	return mark(binary.LittleEndian.Uint64(sum[:])), true
}

// align finds where the marks of the session that comes begin in those of the one that goes. The first mark of the one that comes is not
// before the first of the one that goes, and all that it has so far, the other has too. ok is false if they may begin at
// several places, or at none.
func align(goes, comes []mark) (at int, ok bool) {
	if len(comes) == 0 {
		return 0, len(goes) == 0 // else what there is may stand before it or behind
	}
	at = -1
	for i := 0; i+len(comes) <= len(goes); i++ {
		if goes[i] == comes[0] && slices.Equal(goes[i:i+len(comes)], comes) {
			if at >= 0 {
				return 0, false
			}
			at = i
		}
	}
	return at, at >= 0
}

// digestOf is what two bridges compare to know that they have seen the same events.
func digestOf(marks []mark) string {
	sum := sha256.Sum256(packMarks(marks))
	return hex.EncodeToString(sum[:])
}

func packMarks(marks []mark) []byte {
	text := make([]byte, 0, 8*len(marks))
	for _, m := range marks {
		text = binary.LittleEndian.AppendUint64(text, uint64(m))
	}
	return text
}

func unpackMarks(text []byte) (marks []mark) {
	for ; len(text) >= 8; text = text[8:] {
		marks = append(marks, mark(binary.LittleEndian.Uint64(text)))
	}
	return marks
}
