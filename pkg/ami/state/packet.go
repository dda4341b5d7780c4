package state

import (
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// unknown is what Asterisk writes for a number or name that it does not have.
const unknown = "<unknown>"

// stamp returns when Asterisk made the event: its Timestamp header (timestampevents=yes), which stands close to the top.
func stamp(m *wire.Message) (time.Time, bool) {
	for i := 1; i < min(m.Len(), 4); i++ {
		if name, value := m.Line(i); name == "Timestamp" {
			return epoch(value)
		}
	}
	return time.Time{}, false
}

// epoch reads seconds since 1970 with up to six decimals.
func epoch(s string) (time.Time, bool) {
	whole, frac, _ := strings.Cut(s, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || sec <= 0 || sec > 1<<40 {
		return time.Time{}, false
	}
	var us int64
	if frac != "" {
		frac = (frac + "000000")[:6]
		if us, err = strconv.ParseInt(frac, 10, 64); err != nil || us < 0 {
			return time.Time{}, false
		}
	}
	return time.Unix(sec, us*1000).UTC(), true
}

// seconds reads a time that is given in whole seconds since 1970, 0 being never.
func seconds(s string) time.Time {
	t, _ := epoch(s)
	return t
}

// clock reads HH:MM:SS, or plain seconds.
func clock(s string) time.Duration {
	var d time.Duration
	for part := range strings.SplitSeq(s, ":") {
		n, err := strconv.ParseInt(part, 10, 32)
		if err != nil || n < 0 {
			return 0
		}
		d = d*60 + time.Duration(n)*time.Second
	}
	return d
}

// began is when something began that is said to have lasted so long, in whole seconds. Asterisk takes the second in which it began
// from the one in which it answers (parking_manager.c, parked_call_payload_from_parked_user; app_queue.c, manager_queues_status): this
// gives it back, in each list the same.
func began(when time.Time, lasted time.Duration) time.Time {
	return when.Truncate(time.Second).Add(-lasted)
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

func yes(s string) bool {
	switch strings.ToLower(s) {
	case "1", "yes", "true", "on":
		return true
	}
	return false
}

func known(s string) string {
	if s == unknown || s == "(null)" || s == "<none>" {
		return ""
	}
	return s
}

// unescape undoes ast_escape_c, with which Asterisk writes the names of callers since 13.5.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if at := strings.IndexByte(`abfnrtv`, s[i]); at >= 0 {
			b.WriteByte("\a\b\f\n\r\t\v"[at])
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// usable reports whether a key may name an object.
func usable(key string) bool { return key != "" && len(key) <= maxValue }
