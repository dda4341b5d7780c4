package serve

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A load that fails in its last part changes nothing of the others; and files in the home folder may be named by ~.
func TestReloadIsWhole(t *testing.T) {
	servers := amitest.NewCluster(2)
	defer servers.Close()
	r := runtest.New(t, runtest.Setup{Servers: servers.Servers()[:1]})
	key := filepath.Join(r.Home(), "pbx.pem")
	writePair(t, key)
	p, err := newPlan(r.Run, &options{http: "127.0.0.1:0", cert: "~/pbx.pem", key: "~/pbx.pem"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.servers(t.Context()); err != nil {
		t.Fatal(err)
	}
	settings, nodes := r.Settings, len(p.currentNodes())
	path, _ := r.ConfigPath()
	text, err := os.ReadFile(path)
	if err == nil {
		text = append(text, "[contexts.test.nodes.another]\nurl = \"ami://"+servers.Servers()[1].Addr()+"\"\n"...)
		err = os.WriteFile(path, text, 0o600)
	}
	if err == nil {
		err = os.WriteFile(key, []byte("no certificate"), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.reload(t.Context()); err == nil || r.Settings != settings || len(p.currentNodes()) != nodes {
		t.Errorf("behind %v there are %d nodes", err, len(p.currentNodes()))
	}
	writePair(t, key)
	if _, err := p.reload(t.Context()); err != nil || r.Settings == settings || len(p.currentNodes()) != nodes+1 {
		t.Errorf("%v, and there are %d nodes", err, len(p.currentNodes()))
	}
}

// writePair writes a certificate and its key into a file.
func writePair(t *testing.T, path string) {
	t.Helper()
	cert, key := runtest.Certificate(t, "127.0.0.1")
	text := append(cert, key...)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// An address that is taken may be free later: that is no mistake of the configuration.
func TestAddressTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for addr, want := range map[string]fail.Code{taken.Addr().String(): fail.CodeConnect, "127.0.0.1:99999": fail.CodeUsage} {
		_, err := (&plan{}).listenAt("http", addr, true)
		var wrong *fail.Error
		if !errors.As(err, &wrong) || wrong.Code != want {
			t.Errorf("%s: %v", addr, err)
		}
	}
}
