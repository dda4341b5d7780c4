package bus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A bus that cannot answer now is asked again, and that is said once; one that will not is not.
func TestUntilAble(t *testing.T) {
	coded := func(code jetstream.ErrorCode) error {
		return wrap("look", &jetstream.APIError{Code: 503, ErrorCode: code})
	}
	for name, test := range map[string]struct {
		err   error
		again bool
	}{
		"no leader of JetStream":  {coded(10008), true},
		"no leader of the stream": {coded(10009), true},
		"it is offline":           {coded(10118), true},
		"no room":                 {coded(10023), false},
		"nothing comes":           {wrap("look", context.DeadlineExceeded), true},
		"nor in the client's own": {wrap("look", nats.ErrTimeout), true},
		"it was just lost":        {wrap("look", nats.ErrReconnectBufExceeded), true},
		"no JetStream":            {wrap("look", nats.ErrNoResponders), false},
		"no rights":               {&RefusedError{"Publish"}, false},
		"it is closed":            {wrap("look", nats.ErrConnectionClosed), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var said strings.Builder
				asked, began := 0, time.Now()
				err := UntilAble(t.Context(), slog.New(slog.NewTextHandler(&said, nil)), func() error {
					if asked++; asked <= 3 {
						return test.err
					}
					return nil
				})
				if test.again {
					if err != nil || asked != 4 || time.Since(began) != 3*askAgain || strings.Count(said.String(), "is not able to answer") != 1 || strings.Count(said.String(), "the bus answers") != 1 {
						t.Errorf("asked %d times in %v: %v; it says %s", asked, time.Since(began), err, said.String())
					}
				} else if !errors.Is(err, test.err) || asked != 1 || said.Len() > 0 {
					t.Errorf("asked %d times: %v; it says %s", asked, err, said.String())
				}
			})
		})
	}
}

// What can be had at once is had without a word, and who waits can be stopped.
func TestUntilAbleEnds(t *testing.T) {
	var said strings.Builder
	log := slog.New(slog.NewTextHandler(&said, nil))
	if err := UntilAble(t.Context(), log, func() error { return nil }); err != nil || said.Len() > 0 {
		t.Errorf("%v: %s", err, said.String())
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*askAgain+askAgain/2)
		defer cancel()
		err := UntilAble(ctx, slog.New(slog.NewTextHandler(io.Discard, nil)), func() error { return fmt.Errorf("look: %w", nats.ErrTimeout) })
		if !errors.Is(err, nats.ErrTimeout) || ctx.Err() == nil {
			t.Errorf("it ends with %v", err)
		}
	})
}
