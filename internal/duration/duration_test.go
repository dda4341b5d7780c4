package duration_test

import (
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/duration"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]time.Duration{"500ms": 500 * time.Millisecond, "10s": 10 * time.Second, "1m30s": 90 * time.Second} {
		if got, err := duration.Parse(text); got != want || err != nil {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{"": "not a time", "soon": "not a time", "5": "needs a unit, such as 5s", "0s": "more than 0", "-3s": "more than 0"} {
		if got, err := duration.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is %v, %v; want an error with %q", text, got, err, want)
		}
	}
}
