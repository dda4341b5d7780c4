package run

import (
	"time"

	"github.com/apntalk/amictl/pkg/output"
)

// Yes is a bool as a table shows it.
func Yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// OrAbsent returns s, or nil, which is left out, if it is empty.
func OrAbsent(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// Span is a time as a table shows it, "" if it is not known.
func Span(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return output.Duration(d)
}

// GoodIf is how a table colours what is well or not.
func GoodIf(ok bool) output.Tone {
	if ok {
		return output.Good
	}
	return output.Bad
}
