package output

import (
	"strconv"
	"time"
)

// appendTime appends the keys time (UTC, RFC 3339, six decimals) and ts (the same in epoch seconds), or nothing for
// the zero time.
func appendTime(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return dst
	}
	dst = appendTimestamp(appendKey(dst, "time"), t)
	dst = appendKey(dst, "ts")
	sec := t.Unix()
	if sec < 0 { // a fraction counts upwards from the second
		return strconv.AppendFloat(dst, float64(sec)+float64(t.Nanosecond())/1e9, 'f', 6, 64)
	}
	return appendMicros(strconv.AppendInt(dst, sec, 10), t.Nanosecond())
}

// appendTimestamp appends t as a JSON string: UTC, RFC 3339, six decimals, the rest cut off. time.AppendFormat costs
// several times as much.
func appendTimestamp(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = append(dst, '"')
	dst = append2(append2(dst, year/100%100), year%100)
	dst = append2(append(dst, '-'), int(month))
	dst = append2(append(dst, '-'), day)
	dst = append2(append(dst, 'T'), hour)
	dst = append2(append(dst, ':'), minute)
	dst = append2(append(dst, ':'), second)
	return append(appendMicros(dst, t.Nanosecond()), 'Z', '"')
}

func append2(dst []byte, n int) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

func appendMicros(dst []byte, nsec int) []byte {
	us := nsec / 1000
	dst = append2(append(dst, '.'), us/10000)
	return append2(append2(dst, us/100%100), us%100)
}
