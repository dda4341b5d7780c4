package target

import (
	"context"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// stampLayout is how Asterisk writes a date and a time, in its own zone.
const stampLayout = "2006-01-02 15:04:05"

// Clock is what time it is by a server's clock and in its zone: only so can the times that CoreStatus has, which name no
// zone, be taken from it. It is zero if the server does not say. Getvar needs call or reporting in write=.
func Clock(ctx context.Context, d ami.Doer) (time.Time, error) {
	r, err := d.Do(ctx, ami.NewAction("Getvar", "Variable", "STRFTIME(,,%Y-%m-%d %H:%M:%S)"))
	if err != nil {
		return time.Time{}, err
	}
	t, _ := time.Parse(stampLayout, r.Get("Value"))
	return t, nil
}

// Since is how long ago by the server's clock something was that its CoreStatus tells of: CoreStartup or CoreReload.
func Since(status *ami.Reply, what string, clock time.Time) (ago time.Duration, known bool) {
	t, err := time.Parse(stampLayout, status.Get(what+"Date")+" "+status.Get(what+"Time"))
	if err != nil || clock.IsZero() {
		return 0, false
	}
	return max(clock.Sub(t), 0), true
}
