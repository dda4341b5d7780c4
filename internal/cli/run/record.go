package run

import (
	"time"

	"github.com/apntalk/amictl/pkg/output"
)

func Yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// OrNil returns s, or nil, which is left out, if it is empty.
func OrNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func Span(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return output.Duration(d)
}

func GoodIf(ok bool) output.Tone {
	if ok {
		return output.Good
	}
	return output.Bad
}
