package natsserver

import (
	"errors"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/apntalk/amictl/internal/filelock"
)

func TestStart(t *testing.T) {
	dir := t.TempDir()
	s, err := Start(Options{Dir: dir, Token: "a token"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := nats.Connect(s.URL()); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("without the token: %v", err)
	}
	c, err := nats.Connect(s.URL(), nats.Token("a token"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	js, err := jetstream.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
		t.Error(err)
	}
	if _, err := Start(Options{Dir: dir}); !errors.Is(err, filelock.ErrLocked) {
		t.Errorf("two servers have one folder: %v", err)
	}
	if _, err := Start(Options{Addr: "127.0.0.1"}); err == nil {
		t.Error("no port is a port")
	}
}
