package main

import (
	"bufio"
	"context"
	"io"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/apntalk/amictl/internal/natsserver"
)

func TestFollow(t *testing.T) {
	server, err := natsserver.Start(natsserver.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	conn, err := nats.Connect(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "AMI_ONE_c", Subjects: []string{"ami.one.c.*.*"}}); err != nil {
		t.Fatal(err)
	}
	for subject, line := range map[string]string{
		"ami.one.c.pbx1.Newchannel": `{"type":"event"}`,
		"ami.one.c.pbx1.Hangup":     `{"type":"event","node":"pbx1","time":"2026-01-02T03:04:06Z","event":"Hangup","fields":{"Channel":"PJSIP/1","Cause":"16"}}`,
	} {
		if _, err := js.Publish(ctx, subject, []byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := js.Publish(ctx, "ami.one.c.pbx1.gap", []byte(`{"type":"gap","node":"pbx1","time":"2026-01-02T03:04:07Z","reason":"disconnect"}`)); err != nil {
		t.Fatal(err)
	}
	out, to := io.Pipe()
	go func() { _ = to.CloseWithError(follow(ctx, server.URL(), "c", to)) }()
	lines := bufio.NewScanner(out)
	for _, want := range []string{"pbx1 2026-01-02T03:04:06Z PJSIP/1 16", "pbx1 2026-01-02T03:04:07Z events are missing: disconnect"} {
		if lines.Scan(); lines.Text() != want {
			t.Errorf("it prints %q, want %q", lines.Text(), want)
		}
	}
	cancel()
	if lines.Scan() || lines.Err() != nil {
		t.Errorf("at the end: %q, %v", lines.Text(), lines.Err())
	}
}
