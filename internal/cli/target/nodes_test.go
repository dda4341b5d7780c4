package target

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/apntalk/amictl/internal/cli/config"
	"github.com/apntalk/amictl/internal/cli/run"
)

// A node's fingerprint is another one when its secret or its trust comes from elsewhere, and only then.
func TestFingerprint(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	authority := func(pem string) {
		t.Helper()
		if err := os.WriteFile(ca, []byte(pem), 0o600); err != nil {
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
	first, second := certificate(t), certificate(t)
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

// certificate makes an authority.
func certificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
