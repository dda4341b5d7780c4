package target

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/pem"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/cli/config"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A server's certificate must be of an authority that is trusted and have the name, or be the one that is pinned.
func TestVerification(t *testing.T) {
	cert, key := runtest.Certificate(t, "127.0.0.1")
	other, _ := runtest.Certificate(t, "127.0.0.1")
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	srv := runtest.Server(t, "pbx1", amitest.WithTLS(&tls.Config{Certificates: []tls.Certificate{pair}}))
	block, _ := pem.Decode(cert)
	sum := sha256.Sum256(block.Bytes)
	pin := hex.EncodeToString(sum[:])
	colons := strings.ToUpper(strings.Join(strings.Split(pin, ""), ""))
	colons = colons[:2] + ":" + colons[2:]
	ca, stranger := file(t, "ca.pem", string(cert)), file(t, "other.pem", string(other))
	for name, tt := range map[string]struct {
		flags run.Globals
		node  config.Node
		ctx   config.Context
		wrong string
	}{
		"the node's authority":    {run.Globals{}, config.Node{CA: ca}, config.Context{CA: stranger}, ""},
		"the context's":           {run.Globals{}, config.Node{}, config.Context{CA: ca}, ""},
		"the flag's":              {run.Globals{CA: ca}, config.Node{CA: stranger}, config.Context{}, ""},
		"another authority":       {run.Globals{}, config.Node{CA: stranger}, config.Context{}, "certificate"},
		"the system's":            {run.Globals{}, config.Node{}, config.Context{}, "certificate"},
		"another name":            {run.Globals{}, config.Node{CA: ca, TLSName: "pbx1"}, config.Context{}, "pbx1"},
		"another name of a flag":  {run.Globals{TLSName: "pbx2"}, config.Node{CA: ca, TLSName: "127.0.0.1"}, config.Context{}, "pbx2"},
		"its own name":            {run.Globals{TLSName: "127.0.0.1"}, config.Node{CA: ca, TLSName: "pbx1"}, config.Context{}, ""},
		"a pin":                   {run.Globals{}, config.Node{Pin: pin}, config.Context{}, ""},
		"a pin as openssl has it": {run.Globals{}, config.Node{Pin: colons}, config.Context{}, ""},
		"a pin is enough":         {run.Globals{}, config.Node{Pin: pin, CA: stranger, TLSName: "x"}, config.Context{}, ""},
		"another pin":             {run.Globals{}, config.Node{Pin: strings.Repeat("ab", 32), CA: ca}, config.Context{}, "not the pinned one; its SHA-256 is " + pin},
	} {
		r := runtest.New(t, runtest.Setup{Flags: tt.flags})
		tt.node.URL, tt.node.Secret = "amis://"+amitest.DefaultUser+"@"+srv.Addr(), "file:"+file(t, "secret", amitest.DefaultSecret)
		n, err := Node(r.Run, "pbx1", &tt.node, &tt.ctx)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, ok := r.TLS[n.Fingerprint]; !ok {
			t.Errorf("%s: its verification is not kept", name)
		}
		c, err := Dial(t.Context(), r.Run, n)
		if err == nil {
			_ = c.Close()
		}
		if f := fail.Classify(err); (tt.wrong == "") != (err == nil) || !strings.Contains(f.Message, tt.wrong) || err != nil && f.Code != "tls" {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestVerificationThatCannotBe(t *testing.T) {
	for name, tt := range map[string]struct{ ca, pin, wrong string }{
		"no such file":   {filepath.Join(t.TempDir(), "none"), "", "the CA file cannot be read: "},
		"no certificate": {file(t, "x", "x"), "", " holds no certificate"},
		"a short pin":    {"", "abcd", "h:1: the pin is not a SHA-256 in hex"},
		"a long pin":     {"", strings.Repeat("ab", 33), "h:1: the pin is not a SHA-256 in hex"},
		"no hex":         {"", strings.Repeat("xy", 32), "h:1: the pin is not a SHA-256 in hex"},
	} {
		c, _, err := tlsConfig(runtest.New(t, runtest.Setup{}).Run, "h:1", tt.ca, "", tt.pin)
		if runtest.Refused(t, err, fail.CodeConfig, tt.wrong); c != nil {
			t.Errorf("%s: it is verified all the same", name)
		}
	}
}

// A server that is no node is verified as the flags say.
func TestVerify(t *testing.T) {
	cert, _ := runtest.Certificate(t, "127.0.0.1")
	c, err := Verify(runtest.New(t, runtest.Setup{Flags: run.Globals{CA: file(t, "ca.pem", string(cert)), TLSName: "x"}}).Run)
	if err != nil || c.RootCAs == nil || c.ServerName != "x" || c.InsecureSkipVerify || c.MinVersion != tls.VersionTLS12 {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := Verify(runtest.New(t, runtest.Setup{}).Run); err != nil || c.RootCAs != nil || c.InsecureSkipVerify {
		t.Errorf("%+v, %v", c, err)
	}
}

// A node without TLS has nothing to verify.
func TestNoVerificationIsKeptWithoutTLS(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Env: map[string]string{"X": "x"}})
	n, err := Node(r.Run, "pbx1", &config.Node{URL: anURL, Secret: "env:X"}, &config.Context{})
	if err != nil || n.Fingerprint == "" || len(r.TLS) > 0 {
		t.Errorf("%q, %v, %v", n.Fingerprint, r.TLS, err)
	}
}

// traced is what --trace shows of a Ping, and what --verbose says of its connection.
func traced(t *testing.T, trace, verbose bool) string {
	t.Helper()
	srv := runtest.Server(t, "pbx1")
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: run.Globals{Trace: trace, Verbose: verbose, Nodes: flags.List{"pbx1"}}})
	nodes, err := Nodes(r.Run)
	if err != nil {
		t.Fatal(err)
	}
	if e := Once(t.Context(), r.Run, nodes[0], ping); e.Err != nil {
		t.Fatal(e.Err)
	}
	if trace {
		runtest.Eventually(t, r.Err, "Goodbye")
	}
	if verbose {
		runtest.Eventually(t, r.Err, "connection closed")
	}
	return r.Err.String()
}

// The wire is shown both ways and without the secret, and the end of a connection once.
func TestTraceOfASession(t *testing.T) {
	for _, tt := range []struct{ trace, verbose bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
		text := traced(t, tt.trace, tt.verbose)
		for part, there := range map[string]bool{
			" pbx1 < Asterisk Call Manager":    tt.trace,
			" pbx1 > Action: Login":            tt.trace,
			" pbx1 > Action: Ping":             tt.trace,
			" pbx1 < Ping: Pong":               tt.trace,
			"msg=connected node=pbx1 peer=":    tt.verbose,
			"msg=\"connection closed\"":        tt.verbose,
			"Secret: " + amitest.DefaultSecret: false,
		} {
			if strings.Contains(text, part) != there {
				t.Errorf("%+v: %q is there: %t", tt, part, !there)
			}
		}
		if n := strings.Count(text, "connection closed"); n > 1 {
			t.Errorf("it was closed %d times", n)
		}
		if !tt.trace && !tt.verbose && text != "" {
			t.Errorf("it says %q", text)
		}
	}
}

// A secret that is handed out is hidden wherever it shows up; nobody asks for one that there is not.
func TestWatchedSecret(t *testing.T) {
	r := runtest.New(t, runtest.Setup{})
	n := ami.Config{Name: "pbx1", Secret: ami.StaticSecret("plantedword")}
	Watched(r.Run, &n)
	if got, err := told(t, n.Secret, nil); got != "plantedword" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if text := r.Redactor().Text("it is plantedword"); strings.Contains(text, "planted") {
		t.Errorf("it shows %q", text)
	}
	none := ami.Config{Name: "pbx2"}
	if Watched(r.Run, &none); none.Secret != nil || none.Wrap != nil {
		t.Errorf("%+v", none)
	}
}
