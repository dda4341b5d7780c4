package ami_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// A moment is ordered by its age against a time, and by nothing else.
func TestWhereAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it is 2000-01-01T00:00:00Z
		for expr, want := range map[string]bool{
			"old>2h": true, "old>3h": false, "old>=3h": true, "old<=3h": true, "old<4h": true, "old>02:59:59": true,
			"zone>59m": true, "zone<61m": true, "coming<1s": true, "coming>-2h": true, "coming<-59m": true,
			"old>5": false, "old=3h": false, "old!=3h": true, "day>1h": false, "wrong>1h": false, "near>1h": false, "absent>1h": false,
		} {
			w, err := ami.ParseWhere(expr)
			if err != nil {
				t.Fatal(err)
			}
			got := w.MatchFields("pbx1", func(yield func(string, string) bool) {
				for name, value := range map[string]string{
					"old": "1999-12-31T21:00:00.000000Z", "zone": "2000-01-01T00:00:00+01:00", "coming": "2000-01-01T01:00:00Z",
					"day": "1999-12-31", "wrong": "1999-13-31T21:00:00.000000Z", "near": "2000-01-01T00:00:00Z",
				} {
					if !yield(name, value) {
						return
					}
				}
			})
			if got != want {
				t.Errorf("%s: %v", expr, got)
			}
		}
		time.Sleep(61 * time.Minute)
		w, err := ami.ParseWhere("near>1h")
		if err != nil {
			t.Fatal(err)
		}
		if !w.MatchFields("pbx1", func(yield func(string, string) bool) { yield("near", "2000-01-01T00:00:00Z") }) {
			t.Error("it does not grow old")
		}
	})
}
