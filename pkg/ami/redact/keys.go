package redact

import (
	"math/bits"
	"slices"
	"strings"
	"sync"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// maxKey is how many letters and digits of a name are looked at: a telling name is not longer, and they fit on the
// stack.
const maxKey = 256

// tellingParts make a name tell wherever they are in it, tellingWords as a part of it between punctuation or capitals,
// tellingEnds at its end, and tellingNames alone. They are compared in lower case and without punctuation.
var (
	tellingParts = []string{"secret", "passw", "passphrase", "passcode", "token", "credential", "apikey", "accesskey", "privatekey", "authpass"}
	tellingWords = []string{"pass", "pwd", "psk", "pin"}
	tellingEnds  = []string{"pass", "pwd"}
	tellingNames = []string{"md5cred", "authorization", "proxyauthorization", "cookie", "setcookie", "ha1", "expectedresponse", "receivedhash"}
	harmlessEnds = []string{"exist", "exists", "file", "bypass"}
)

// normalKey appends the letters and digits of name in lower case, at most maxKey of them. Bytes over 127 count as
// letters.
func normalKey(dst []byte, name string) []byte {
	for i := 0; i < len(name) && len(dst) < maxKey; i++ {
		switch c := name[i]; {
		case 'A' <= c && c <= 'Z':
			dst = append(dst, c|0x20)
		case alnum(c):
			dst = append(dst, c)
		}
	}
	return dst
}

func alnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c >= 0x80
}

// secretKey reports whether the value of something with that name is to be hidden.
func (r *Redactor) secretKey(name string) bool {
	if !mayTell(name) && len(r.keys) == 0 {
		return false
	}
	return r.verdict(name)&tells != 0
}

// judgeKey is secretKey for a name that is not known.
func (r *Redactor) judgeKey(name string) bool {
	may := mayTell(name)
	if !may && len(r.keys) == 0 {
		return false
	}
	var buf [maxKey]byte
	n := normalKey(buf[:0], name)
	if _, ok := r.keys[string(n)]; ok || !may {
		return ok
	}
	for _, s := range harmlessEnds {
		if len(n) >= len(s) && string(n[len(n)-len(s):]) == s {
			return false
		}
	}
	for _, s := range tellingEnds {
		if len(n) >= len(s) && string(n[len(n)-len(s):]) == s {
			return true
		}
	}
	for _, s := range tellingNames {
		if string(n) == s {
			return true
		}
	}
	for _, s := range tellingParts {
		for i := 0; i+len(s) <= len(n); i++ {
			if n[i] == s[0] && string(n[i:i+len(s)]) == s {
				return true
			}
		}
	}
	return tellingWord(name)
}

// tellingLetters are the sets of letters and digits that what makes a name tell consists of, a bit each, without those
// that hold all of another.
var tellingLetters = sync.OnceValue(func() (sets []uint64) {
	for _, words := range [][]string{tellingParts, tellingWords, tellingEnds, tellingNames} {
		for _, w := range words {
			sets = append(sets, letters(w))
		}
	}
	slices.SortFunc(sets, func(a, b uint64) int { return bits.OnesCount64(a) - bits.OnesCount64(b) })
	fewest := sets[:0]
	for _, s := range sets {
		if !slices.ContainsFunc(fewest, func(f uint64) bool { return s&f == f }) {
			fewest = append(fewest, s)
		}
	}
	return fewest
})

// letterBits has a bit for each letter, whatever its case, and each digit.
var letterBits = func() (t [256]uint64) {
	for c := range byte(26) {
		t['a'+c], t['A'+c] = 1<<c, 1<<c
	}
	for c := range byte(10) {
		t['0'+c] = 1 << (26 + c)
	}
	return t
}()

func letters(s string) (set uint64) {
	for i := range len(s) {
		set |= letterBits[s[i]]
	}
	return set
}

// mayTell reports whether a name has the letters for telling. Most names do not.
func mayTell(name string) bool {
	if len(name) < 3 {
		return false
	}
	set := letters(name)
	for _, need := range tellingLetters() {
		if set&need == need {
			return true
		}
	}
	return false
}

// tellingWord reports whether one of name's parts tells: the PIN of VM_PIN and of AdminPin, but not of Ping.
func tellingWord(name string) bool {
	start := 0
	for i := 0; i <= len(name); i++ {
		upper := i < len(name) && i > 0 && 'A' <= name[i] && name[i] <= 'Z' && 'a' <= name[i-1] && name[i-1] <= 'z'
		if i < len(name) && alnum(name[i]) && !upper {
			continue
		}
		for _, w := range tellingWords {
			if foldEqual(name[start:i], w) {
				return true
			}
		}
		start = i
		if i < len(name) && !alnum(name[i]) {
			start++
		}
	}
	return false
}

// packetFacts are what one line of a packet says about another.
type packetFacts struct {
	login   bool // Action: Login, whose Key is an answer to a challenge
	pair    bool // Variable or Key is a telling name: Value and Val are what it hides
	updates bool // the same for Var-000000 and Value-000000 or Match-000000
}

// facts reads the packet that text begins with, up to the blank line.
func (r *Redactor) facts(text string) (f packetFacts) {
	for text != "" {
		line, rest, _ := strings.Cut(text, "\n")
		line = strings.TrimSuffix(line, "\r")
		if line == "" {
			return f
		}
		name, value, _ := strings.Cut(line, ":")
		f.note(r, name, strings.TrimPrefix(value, " "))
		text = rest
	}
	return f
}

// note takes one header into account.
func (f *packetFacts) note(r *Redactor, name, value string) {
	switch {
	case foldEqual(name, "Action"):
		f.login = f.login || foldEqual(value, "Login")
	case foldEqual(name, "Variable"), foldEqual(name, "Key"):
		f.pair = f.pair || strings.IndexByte(value, '=') < 0 && r.secretKey(value)
	case foldPrefix(name, "Var-"):
		f.updates = f.updates || r.secretKey(value) || mixedName(value, anywhere) // and UpdateConfig's value may be of any shape
	}
}

// hides reports whether a value is to be hidden for what the rest of its packet says, or for being a digest.
func (f packetFacts) hides(name, value string) bool {
	switch {
	case foldEqual(name, "Key"):
		return f.login || md5Sum(value)
	case foldEqual(name, "Response"):
		return md5Sum(value) // ChallengeResponseFailed
	case foldEqual(name, "Value"), foldEqual(name, "Val"):
		return f.pair
	case foldPrefix(name, "Value-"), foldPrefix(name, "Match-"):
		return f.updates
	}
	return false
}

func md5Sum(s string) bool {
	if len(s) != 32 {
		return false
	}
	for i := range len(s) {
		if c := s[i] | 0x20; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// chanVariable reports whether a header carries one channel variable: ChanVariable, ChanVariable(PJSIP/100-1) and
// their like (DestChanVariable, OldBridgeeChanVariable).
func chanVariable(name string) bool {
	name, _, _ = strings.Cut(name, "(")
	const suffix = "ChanVariable"
	return len(name) >= len(suffix) && foldEqual(name[len(name)-len(suffix):], suffix)
}

func foldEqual(s, t string) bool { return wire.EqualFold(s, t) }

func foldPrefix(s, prefix string) bool {
	return len(s) >= len(prefix) && wire.EqualFold(s[:len(prefix)], prefix)
}
