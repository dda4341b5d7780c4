package target

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/apntalk/amictl/internal/cli/config"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
)

// A node's fingerprint is another one when its secret or its trust comes from elsewhere, and only then.
func TestFingerprint(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	authority := func(pem []byte) {
		t.Helper()
		if err := os.WriteFile(ca, pem, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := &run.Run{Settings: &run.Settings{}}
	of := func(n config.Node) string {
		t.Helper()
		n.URL = "amis://admin@pbx1:5039"
		made, err := Node(r, "pbx1", &n, &config.Context{Secret: "env:PBX"})
		if err != nil {
			t.Fatal(err)
		}
		return made.Fingerprint
	}
	first, _ := runtest.Certificate(t, "127.0.0.1")
	second, _ := runtest.Certificate(t, "127.0.0.1")
	authority(first)
	plain, trusting := of(config.Node{}), of(config.Node{CA: ca})
	if of(config.Node{}) != plain || of(config.Node{CA: ca}) != trusting || of(config.Node{Secret: "env:PBX"}) != plain {
		t.Error("the same node has two fingerprints")
	}
	authority(second)
	seen := map[string]string{plain: "nothing", trusting: "an authority"}
	for name, n := range map[string]config.Node{
		"another authority": {CA: ca}, "another secret": {Secret: "env:OTHER"}, "a name": {TLSName: "x"},
		"a pin": {Pin: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	} {
		mark := of(n)
		if other, ok := seen[mark]; ok {
			t.Errorf("%s and %s have the same fingerprint", name, other)
		}
		seen[mark] = name
	}
	if len(r.TLS) != len(seen) {
		t.Errorf("%d verifications are kept of %d nodes", len(r.TLS), len(seen))
	}
}
