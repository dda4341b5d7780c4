package ami

import (
	"strings"
	"time"
)

// A quantity is a number or a time, as written: slices of its text, so that it compares exactly (byte counters are over a
// float64's 53 bits, and a Uniqueid has 16 digits) and needs no memory. A time has its seconds counted.
type quantity struct {
	negative        bool
	whole, fraction string // of a number, without leading and without trailing zeros

	time    bool
	seconds uint64
	nanos   uint32
}

// parseQuantity reads a decimal number, HH:MM:SS, or a time with units, with spaces around.
func parseQuantity(s string) (quantity, bool) {
	s = strings.Trim(s, " \t")
	negative := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		negative = s[0] == '-'
		s = s[1:]
	}
	if s == "" || s[0] != '.' && (s[0] < '0' || s[0] > '9') {
		return quantity{}, false
	}
	q, ok := parseDecimal(s)
	if !ok {
		if q, ok = parseClock(s); !ok {
			q, ok = parseUnits(s)
		}
	}
	zero := q.whole == "" && q.fraction == "" && q.seconds == 0 && q.nanos == 0
	q.negative = negative && !zero
	return q, ok
}

// ageOf reads a moment as RFC 3339 has it, such as 2026-11-23T12:00:00Z, and returns how long ago that is: less than nothing if
// it is to come.
func ageOf(s string) (quantity, bool) {
	const least = len("2026-11-23T12:00:00Z")
	if len(s) < least || s[4] != '-' || s[10] != 'T' {
		return quantity{}, false
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return quantity{}, false
	}
	age := time.Since(at)
	q := quantity{time: true, negative: age < 0}
	nanos := uint64(age.Abs())
	q.seconds, q.nanos = nanos/nanosPerSecond, uint32(nanos%nanosPerSecond)
	return q, true
}

// plainQuantity reports whether a number or time is written as one, so that = may compare it as one: an extension such as
// 0100, or +4930123456, is a name.
func plainQuantity(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || digits[0] < '0' || digits[0] > '9' {
		return false
	}
	last := digits[len(digits)-1]
	switch {
	case last == 's' || last == 'm' || last == 'h' || strings.IndexByte(digits, ':') > 0:
		return true
	case digits[0] != '0':
		return last >= '0' && last <= '9'
	}
	return digits == "0" || len(digits) > 2 && digits[1] == '.'
}

// parseDecimal reads DIGITS[.DIGITS]; either DIGITS may be missing but not both.
func parseDecimal(s string) (q quantity, ok bool) {
	point := -1
	for i := range len(s) {
		switch {
		case s[i] == '.' && point < 0:
			point = i
		case s[i] < '0' || s[i] > '9':
			return quantity{}, false
		}
	}
	if s == "" || s == "." {
		return quantity{}, false
	}
	if point < 0 {
		point = len(s)
	} else {
		q.fraction = strings.TrimRight(s[point+1:], "0")
	}
	q.whole = strings.TrimLeft(s[:point], "0")
	return q, true
}

// parseClock reads HH:MM:SS; the hours may have more digits.
func parseClock(s string) (quantity, bool) {
	n := len(s) - len(":MM:SS")
	if n < 1 || s[n] != ':' || s[n+3] != ':' {
		return quantity{}, false
	}
	hours, rest, ok := leadingUint(s[:n])
	minutes, rest2, ok2 := leadingUint(s[n+1 : n+3])
	seconds, rest3, ok3 := leadingUint(s[n+4:])
	if !ok || !ok2 || !ok3 || rest+rest2+rest3 != "" || minutes > 59 || seconds > 59 || hours > 1e12 {
		return quantity{}, false
	}
	return quantity{time: true, seconds: hours*3600 + minutes*60 + seconds}, true
}

const (
	nanosPerSecond = 1_000_000_000
	maxUnits       = 1 << 62 // nanoseconds; 146 years
)

// parseUnits reads what time.ParseDuration does, but for its sign: NUMBER UNIT, repeated.
func parseUnits(s string) (quantity, bool) {
	total := uint64(0)
	for s != "" {
		whole, rest, ok := leadingUint(s)
		fraction, scale := uint64(0), uint64(1)
		if strings.HasPrefix(rest, ".") {
			rest = rest[1:]
			for len(rest) > 0 && rest[0] >= '0' && rest[0] <= '9' {
				if scale < nanosPerSecond {
					fraction, scale = fraction*10+uint64(rest[0]-'0'), scale*10
				}
				rest, ok = rest[1:], true
			}
		}
		unit, rest := leadingUnit(rest)
		if !ok || unit == 0 || whole > maxUnits/unit {
			return quantity{}, false
		}
		total += whole*unit + unit/scale*fraction + unit%scale*fraction/scale
		if total > maxUnits {
			return quantity{}, false
		}
		s = rest
	}
	return quantity{time: true, seconds: total / nanosPerSecond, nanos: uint32(total % nanosPerSecond)}, true
}

// leadingUnit returns the nanoseconds of the unit at the front of s, 0 if there is none, and what follows.
func leadingUnit(s string) (uint64, string) {
	for _, u := range []struct {
		name  string
		nanos uint64
	}{{"ns", 1}, {"us", 1e3}, {"µs", 1e3}, {"μs", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}} {
		if rest, ok := strings.CutPrefix(s, u.name); ok {
			return u.nanos, rest
		}
	}
	return 0, s
}

// leadingUint reads the digits at the front of s. It is not ok if there is none, or too many for 64 bits.
func leadingUint(s string) (n uint64, rest string, ok bool) {
	i := 0
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		if n >= 1<<60 {
			return 0, s, false
		}
		n = n*10 + uint64(s[i]-'0')
	}
	return n, s[i:], i > 0
}

// compare returns -1, 0 or +1.
func (q quantity) compare(r quantity) int {
	if q.negative != r.negative {
		if q.negative {
			return -1
		}
		return 1
	}
	var order int
	switch {
	case q.time && r.time:
		order = compareParts(q.seconds, r.seconds, q.nanos, r.nanos)
	case q.time:
		order = -r.compareTime(q)
	case r.time:
		order = q.compareTime(r)
	default:
		order = len(q.whole) - len(r.whole)
		if order == 0 {
			order = strings.Compare(q.whole, r.whole)
		}
		if order == 0 {
			order = strings.Compare(q.fraction, r.fraction)
		}
	}
	if q.negative {
		order = -order
	}
	return min(max(order, -1), 1)
}

func compareParts(seconds, otherSeconds uint64, nanos, otherNanos uint32) int {
	switch {
	case seconds != otherSeconds && seconds < otherSeconds, seconds == otherSeconds && nanos < otherNanos:
		return -1
	case seconds == otherSeconds && nanos == otherNanos:
		return 0
	}
	return 1
}

// compareTime compares a number with a time, signs aside.
func (q quantity) compareTime(t quantity) int {
	seconds := uint64(0)
	if q.whole != "" {
		var ok bool
		if seconds, _, ok = leadingUint(q.whole); !ok {
			return 1 // more seconds than a time can have
		}
	}
	nanos, below := uint32(0), false // below: there is more behind the nanoseconds
	for i := range max(len(q.fraction), 9) {
		digit := uint32(0)
		if i < len(q.fraction) {
			digit = uint32(q.fraction[i] - '0')
		}
		if i < 9 {
			nanos = nanos*10 + digit
		} else if digit > 0 {
			below = true
			break
		}
	}
	order := compareParts(seconds, t.seconds, nanos, t.nanos)
	if order == 0 && below {
		return 1
	}
	return order
}
