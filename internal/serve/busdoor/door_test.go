package busdoor_test

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/internal/serve/busdoor"
	"github.com/apntalk/amictl/internal/serve/upstream"
	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/redact"
)

// A node whose actions would be carried out, while its events do not come yet, is away.
func TestAwayWithoutEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := amitest.NewNetwork()
		srv := amitest.NewServer(amitest.WithNetwork(network), amitest.WithName("pbx"))
		defer srv.Close()
		redactor, err := redact.New(redact.Config{})
		if err != nil {
			t.Fatal(err)
		}
		all, err := users.Load([]users.Spec{{Name: "u", NATS: true, Actions: []string{"*"}}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		up, err := upstream.Open(t.Context(), nil, upstream.Options{Users: users.NewDirectory(all), Log: slog.New(slog.DiscardHandler), Redactor: redactor, Lean: true})
		if err != nil {
			t.Fatal(err)
		}
		defer up.Close()
		first, let := true, make(chan struct{}) // of the session of the events
		dial := func(ctx context.Context, kind, addr string) (net.Conn, error) {
			if first {
				first = false
				select {
				case <-let:
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
			return network.DialContext(ctx, kind, addr)
		}
		if err := up.Add(ami.Config{Name: "pbx", Addr: srv.Addr(), Dial: dial, Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret), Timeouts: ami.Timeouts{Dial: time.Hour}}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, err := up.Do(t.Context(), &upstream.Request{User: all[0], Door: "test", Node: "pbx", Action: ami.NewAction("Ping")}); err != nil {
			t.Fatal(err)
		}
		door := busdoor.New(up)
		if _, err := door.Away("pbx"); err == nil || up.Away("pbx") != nil {
			t.Errorf("the door says %v, and the sessions for actions %v", err, up.Away("pbx"))
		}
		close(let)
		time.Sleep(time.Minute)
		if _, err := door.Away("pbx"); err != nil {
			t.Errorf("with events: %v", err)
		}
	})
}
