//go:build !race

// Not under the race detector: a sync.Pool, as package regexp has them, forgets at random there.

package ami_test

import (
	"testing"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// Matching allocates nothing: it runs in the reader.
func TestWhereMatchDoesNotAllocate(t *testing.T) {
	d := wire.NewDecoder(wire.Limits{})
	d.Feed([]byte("Event: Hangup\r\nChannel: PJSIP/100-0000001A\r\nCause: 16\r\nChanVariable: a=1\r\nChanVariable: b=2\r\nWord: x1\r\n" +
		"Age: 00:01:35\r\nMoment: 2026-01-02T03:04:05Z\r\nCallerIDName: Jörg Ångström\r\nSmall: pjsip/1\r\n\r\n"))
	m, err := d.Next()
	if err != nil {
		t.Fatal(err)
	}
	for expr, want := range map[string]bool{
		"event=hangup && node!=x && Channel=~^PJSIP/ && Cause>=15.5 && ChanVariable=b=2 && Nope!~x && Channel!=y && Word!=1": true,
		"Word<1":                         false,
		"Moment>10m && Moment>=00:10:00": true,
		"(Nope=1 || Cause IN (1,16.0)) && *=~x1 && Age>10s && Age<00:02:00 && Age<95.5":                                                         true,
		"event=~^hang && Channel=~(?i)^pjsip/[0-9a-f-]+$ && CallerIDName=~(?i)JÖRG && Small=~(?i)PJSIP && *=~(?i)s?ip/.*a$ && *!~(?i)voicemail": true,
	} {
		w, err := ami.ParseWhere(expr)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(200, func() {
			if w.MatchPresent("pbx1", &m) && !want || w.Match("pbx1", &m) != want {
				t.Fatalf("%s: not %v", expr, want)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", expr, n)
		}
	}
}
