package proof

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// A natsUser is one that the server lets in by its key, and what it may do.
type natsUser struct{ seed, public string }

func newUser(t *testing.T) natsUser {
	t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "seed")
	if err := os.WriteFile(path, seed, 0o600); err != nil {
		t.Fatal(err)
	}
	return natsUser{path, public}
}

// Who may not use the streams is told so, with the status of a refused login; who may read, reads.
func TestRights(t *testing.T) {
	t.Parallel()
	admin, nobody, reader := newUser(t), newUser(t), newUser(t)
	s := startServers(t, 1, fmt.Sprintf(`authorization { users: [
		{ nkey: %s }
		{ nkey: %s, permissions: { publish: "ami.beat.>", subscribe: "_INBOX.>" } }
		{ nkey: %s, permissions: {
			publish: [ "$JS.API.INFO", "$JS.API.STREAM.INFO.%[4]s", "$JS.API.CONSUMER.CREATE.%[4]s.>", "$JS.API.CONSUMER.MSG.NEXT.%[4]s.>" ]
			subscribe: "_INBOX.>" } }
	] }`, admin.public, nobody.public, reader.public, stream)).start()
	key, err := nats.NkeyOptionFromSeed(admin.seed)
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, dir: t.TempDir(), cluster: cluster, servers: s, js: s.connect(key), nodes: startNodes(t, 1), bridges: make(map[string]*bridge)}
	as := func(u natsUser, args ...string) *process {
		b := &bridge{name: "a", url: s.urls()}
		config := filepath.Join(t.TempDir(), "config.toml")
		if err := os.WriteFile(config, []byte(strings.Replace(l.config(b, nil), "\ncluster =", fmt.Sprintf("\nnats_nkey = %q\ncluster =", u.seed), 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		return start(t, args[0], l.env(config), amictld, args...)
	}
	refused := func(u natsUser, who string, args ...string) {
		t.Helper()
		p := as(u, args...)
		if status := p.end(); status != 4 {
			t.Errorf("%s as %s ended with %d: %s", args[0], who, status, p.tail(20))
		}
		if !strings.Contains(strings.ToLower(p.tail(20)), "permission") {
			t.Errorf("%s as %s does not speak of permissions: %s", args[0], who, p.tail(20))
		}
	}
	refused(nobody, "nobody", "serve", "--bridge", "x")
	refused(reader, "a reader", "serve", "--bridge", "x") // there is no stream, and he may not make one
	if infoOf(l.js, stream) != nil || l.nodes.all[0].Ledger().Logins > 0 {
		t.Error("who may do nothing has made a stream, or logged in")
	}
	as(admin, "serve", "--bridge", "a")
	eventually(t, "the node has an owner", func() bool { return l.nodes.all[0].Ledger().Logins > 0 })
	refused(nobody, "nobody", "tail", "--count", "1")
	refused(nobody, "nobody", "bus", "verify")
	tail := as(reader, "tail", "--from-start", "--count", "1", numbered)
	stop := l.nodes.emitting(100, "")
	defer stop()
	if status := tail.end(); status != 0 {
		t.Errorf("tail of who may read ended with %d: %s", status, tail.tail(20))
	}
	t.Logf("FIGURES without the right to a stream serve, tail and bus end with 4 at once and say why; with the right to read alone tail reads")
}
