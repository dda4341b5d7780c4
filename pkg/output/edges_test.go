package output

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Before 1970 a fraction counts upwards from its second; ts and time are the same moment all the same.
func TestTimesBeforeTheEpoch(t *testing.T) {
	for _, tt := range []struct {
		at   time.Time
		want string
	}{
		{time.Time{}, ""},
		{time.Unix(0, 0), `,"time":"1970-01-01T00:00:00.000000Z","ts":0.000000`},
		{time.Unix(0, 1999), `,"time":"1970-01-01T00:00:00.000001Z","ts":0.000001`},
		{time.Unix(-1, 250_000_000), `,"time":"1969-12-31T23:59:59.250000Z","ts":-0.750000`},
		{time.Unix(-86_400, 0), `,"time":"1969-12-31T00:00:00.000000Z","ts":-86400.000000`},
	} {
		if got := string(appendTime(nil, tt.at)); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
}

func TestUnicodeEscapes(t *testing.T) {
	got := ""
	for _, r := range []rune{0, 0x1f, 0x7f, 0xabcd, 0xffff, 0x10000, 0xe0001, 0x10ffff} {
		got += fmt.Sprintf("%s ", appendUnicodeEscape(nil, r))
	}
	if diff := cmp.Diff(`\u0000 \u001f \u007f \uabcd \uffff \ud800\udc00 \udb40\udc01 \udbff\udfff `, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
