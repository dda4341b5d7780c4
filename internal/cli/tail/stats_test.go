package tail

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A server that invents names without end fills no memory with their counts.
func TestStatsOfVeryManyNames(t *testing.T) {
	s := newEventStats(false)
	d := wire.NewDecoder(wire.Limits{})
	for i := range 2 * mostNames {
		d.Feed(fmt.Appendf(nil, "Event: E%d\r\n\r\n", i))
		m, err := d.Next()
		if err != nil {
			t.Fatal(err)
		}
		s.add(&ami.Event{Message: m, Node: "pbx"})
	}
	if n := len(s.counts); n > mostNames+1 || s.total.n != 2*mostNames || s.counts[statKey{"pbx", otherEvents}].n != mostNames {
		t.Errorf("%d names for %d events", n, s.total.n)
	}
}

func TestRatesHaveThreeDigits(t *testing.T) {
	for rate, want := range map[float64]string{
		0: "0/s", 0.00123456: "0.00123/s", 0.5: "0.500/s", 1: "1.00/s", 9.996: "10.0/s", 33.67: "33.7/s", 99.96: "100/s", 269.4: "269/s", 12345: "12300/s", 999_999: "1000000/s",
	} {
		if got := perSecond(rate); got != want {
			t.Errorf("%v: %s, want %s", rate, got, want)
		}
	}
}

// A rate is over the time of all that is read, whatever is counted, and people see a total.
func TestRatesOfAReplayWhateverIsCounted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	var text strings.Builder
	for i, event := range []string{"Newchannel", "Hangup", "Hangup", "Newchannel", "Hold"} {
		fmt.Fprintf(&text, `{"type":"event","time":"2026-11-23T12:00:%02d.000000Z","ts":%d,"event":%q,"fields":{}}`+"\n", 10*i, 1795435200+10*i, event)
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		names []string
		want  string
	}{
		{nil, "event       count      rate\nHangup          2  0.0500/s\nNewchannel      2  0.0500/s\nHold            1  0.0250/s\ntotal           5   0.125/s\n"},
		{[]string{"Hangup"}, "event   count      rate\nHangup      2  0.0500/s\n"},
	} {
		r := runtest.New(t, runtest.Setup{Flags: run.Globals{Output: "table"}})
		if err := tail(t.Context(), r.Run, &options{names: tt.names, stats: true, from: flags.List{path}}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, r.Out.String()); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.names, diff)
		}
	}
}
