package proof

import (
	"sync"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// Workers behind links of 20 and 100 ms begin together: by what their servers see, which is the truth, and by what the result says.
// The plan is sent exactly, and everything agrees.
func TestDelayedLinks(t *testing.T) {
	t.Parallel()
	ms := time.Millisecond
	for name, ways := range map[string][]way{
		"alike both ways": {{20 * ms, 20 * ms}, {100 * ms, 100 * ms}},
		"longer one way":  {{20 * ms, 100 * ms}, {100 * ms, 20 * ms}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := elsewhere(t, newLAN(t, 3), ways, "--rate", "2000", "--duration", "3s", "--mix", "corestatus")
			first := l.firstActions()
			status, r := l.coordinator.status(), l.coordinator.result()
			for _, w := range l.workers {
				if status := w.status(); status != 0 {
					t.Errorf("a worker ended with %d: %s", status, w.errs.String())
				}
			}
			if status != 0 && (whole() || !apart(r)) {
				t.Errorf("status %d: %v: %s", status, r.Reasons, l.coordinator.errs.String())
			}
			if r.Total.Sent != 6000 || r.Total.Ended.Reply != 6000 || len(r.Ledger.Differences) > 0 || len(r.Workers) != 2 {
				t.Errorf("%d sent, %+v, %v, workers %+v", r.Total.Sent, r.Total.Ended, r.Ledger.Differences, r.Workers)
			}
			for i := range r.Workers {
				w := &r.Workers[i]
				skew, known := time.Duration(w.Skew)*time.Microsecond, time.Duration(w.Error)*time.Microsecond
				half := (ways[i].there + ways[i].back) / 2
				truth := first(i).Sub(r.Started)
				t.Logf("FIGURES %s, %s of %s: began %s from the instant by its server, %s by its clock, known to ±%s", name, w.Name, 2*half, truth.Round(10*time.Microsecond), skew, known)
				if known < half || known > half+times(time.Second, 10*ms) {
					t.Errorf("%s: its clock is known to %s, and half its round trip is %s", w.Name, known, half)
				}
				// An action may come late at its server, but none is there before it is sent.
				if early, late := skew-known-ms, skew+known+times(2*time.Second, 20*ms); truth < early || truth > late {
					t.Errorf("%s began %s from the instant by its server, which is not between %s and %s", w.Name, truth, early, late)
				}
			}
		})
	}
}

// firstActions notes when the first action of the load comes to each server, which is the one of a worker's.
func (l *load) firstActions() (first func(i int) time.Time) {
	var mu sync.Mutex
	at := make([]time.Time, len(l.servers.Servers()))
	for i, s := range l.servers.Servers() {
		s.Handle("CoreStatus", func(_ *amitest.Request, w *amitest.ResponseWriter) {
			mu.Lock()
			if at[i].IsZero() {
				at[i] = time.Now()
			}
			mu.Unlock()
			w.Ack("")
		})
	}
	return func(i int) time.Time {
		mu.Lock()
		defer mu.Unlock()
		return at[i]
	}
}
