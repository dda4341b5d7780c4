package amidoor_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/serve/amidoor"
	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// FuzzClient holds that no bytes of a client without rights reach the server, or harm the daemon, and that what it answers is
// AMI to the end.
func FuzzClient(f *testing.F) {
	for _, seed := range []string{
		"Action: Ping\r\nActionID: 1\r\n\r\n", "Action: CoreStatus\n\n", "Action: WaitEvent\r\n\r\n", "Action: WaitEvent\r\nTimeout: 0\r\n\r\n",
		"Action: Command\r\nCommand: core stop now\r\n\r\n", "Action: Events\r\nEventMask: on\r\n\r\n", "Action: Filter\r\nOperation: Add\r\nFilter: a|b\r\n\r\n",
		"Action: Login\r\nUsername: x\r\n\r\n", "Action: ListCommands\r\n\r\n", "Action: Logoff\r\n\r\n", "\r\r\n\x00\n\n", strings.Repeat("x", 1023) + "\r\n\r\n",
		"Action: Originate\r\nVariable: a\r\nVariable: b\r\n\r\n" + strings.Repeat("A: b\r\n", 200) + "\r\n", "Action: UserEvent\r\nActionID:\r\nActionID: \xff\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	network := amitest.NewNetwork()
	server := amitest.NewServer(amitest.WithName("pbx"), amitest.WithNetwork(network))
	f.Cleanup(server.Close)
	up := openUpstream(f, ami.Config{
		Name: "pbx", Addr: "pbx:5038", Username: "admin", Secret: ami.StaticSecret("secret"), Dial: network.DialContext,
	}, load(f, []users.Spec{{Name: "u", Events: []string{"*"}}}), io.Discard)
	f.Cleanup(up.Close)
	l, err := network.Listen("door:5038")
	if err != nil {
		f.Fatal(err)
	}
	go func() { _ = amidoor.New(up, amidoor.Options{Node: "pbx"}).Serve(f.Context(), f.Context(), l) }()
	awaitReady(f, up)
	f.Fuzz(func(t *testing.T, data []byte) {
		if strings.Contains(strings.ToLower(string(data)), "listcommands") {
			return // the one action that asks the server
		}
		before := up.ActionStats().Ledger.Submitted
		conn, err := network.DialContext(t.Context(), "tcp", "door:5038")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		go func() {
			_, _ = io.WriteString(conn, "Action: Login\r\nUsername: u\r\nSecret: u-word\r\nEvents: off\r\n\r\n"+string(data)+"\n\nAction: Logoff\n\nAction: Logoff\n\n")
		}()
		got, err := io.ReadAll(conn)
		if err != nil && !strings.Contains(err.Error(), "reset") { // it was gone with some of our bytes unread
			t.Fatalf("%v after %q", err, got)
		}
		d := wire.NewSessionDecoder(wire.Limits{})
		d.Feed(got)
		for {
			m, err := d.Next()
			if errors.Is(err, wire.ErrMore) {
				break
			}
			if err != nil || m.Kind() != wire.Banner && m.Kind() != wire.Response && m.Name() != "WaitEventComplete" && m.Get("Privilege") == "" {
				t.Fatalf("%v, %q in %q", err, m.Text(), got)
			}
		}
		if n := d.Buffered(); n > 0 && err == nil {
			t.Errorf("%d bytes of a packet at the end of %q", n, got)
		}
		if after := up.ActionStats().Ledger.Submitted; after != before {
			t.Errorf("%d actions reached the server", after-before)
		}
	})
}
