package target

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami"
)

// conf reads a manager.conf of one file.
func conf(t *testing.T, text string) *managerConf {
	t.Helper()
	m, err := readManagerConf(writeConf(t, map[string]string{"manager.conf": text}))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Comments are Asterisk's: from a semicolon on, and over lines between ;-- and --;.
func TestCommentsOfManagerConf(t *testing.T) {
	for text, want := range map[string][]string{
		"a=b ; c":                       {"a=b"},
		`a=b\;c`:                        {"a=b;c"},
		"a=b ;-- x --; c":               {"a=b  c"},
		"a=b ;--- x --; c":              {"a=b"},
		";-- x\ny=z\n--;a=b\nc=d":       {"", "", "a=b", "c=d"},
		";-- x ;-- y --; a=b\nc=d":      {"a=b", "c=d"},
		";--x--;a=b;--y--;c":            {"a=bc"},
		"--;a=b":                        {"--"},
		"  a = b  ":                     {"a = b"},
		";-- \\; --;a=b":                {"a=b"},
		";":                             {""},
		`\`:                             {`\`},
		";-- a\nb ; c --; d=e\nf=g ; h": {"", "d=e", "f=g"},
	} {
		r := &confReader{}
		var got []string
		for _, line := range strings.Split(text, "\n") {
			got = append(got, r.uncomment(line))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func TestACLEntries(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.0/255.0.0.0":        "10.0.0.0/8",
		"10.1.2.3/255.255.255.0":    "10.1.2.3/24",
		"10.0.0.0/8":                "10.0.0.0/8",
		"10.0.0.1":                  "10.0.0.1/32",
		"::1":                       "::1/128",
		"[2001:db8::]/32":           "2001:db8::/32",
		"2001:db8::/ffff:ffff::":    "2001:db8::/32",
		"0.0.0.0/0.0.0.0":           "0.0.0.0/0",
		"10.0.0.0/255.0.255.0":      "", // no mask
		"10.0.0.0/33":               "",
		"!10.0.0.1":                 "",
		"host":                      "",
		"":                          "",
		"10.0.0.0/":                 "",
		"::ffff:10.0.0.1/255.0.0.0": "::ffff:10.0.0.1/8",
	} {
		p, ok := parseACL(text)
		if ok != (want != "") || ok && p.String() != want {
			t.Errorf("%q: %v, %t; want %q", text, p, ok, want)
		}
	}
}

// The last rule that matches decides.
func TestPermits(t *testing.T) {
	from := netip.MustParseAddr("10.0.0.1")
	for text, want := range map[string]bool{
		"":                                true,
		"deny=0.0.0.0/0":                  false,
		"deny=0.0.0.0/0\npermit=10.0.0.1": true,
		"permit=10.0.0.1\ndeny=0.0.0.0/0": false,
		"deny=10.0.0.2":                   true,
		"deny=192.0.2.1, 10.0.0.0/8":      false,
		"deny=0.0.0.0/0\npermit=10.0.0.2": false,
	} {
		u := conf(t, "[a]\n"+text).find("a")
		if got := u.permits(from); got != want {
			t.Errorf("%q: %t", text, got)
		}
		if got := u.permits(netip.MustParseAddr("::ffff:10.0.0.1")); got != want {
			t.Errorf("%q: %t of the address as one of IPv6", text, got)
		}
	}
}

func TestWhatAsteriskTakesForTrue(t *testing.T) {
	for _, s := range []string{"yes", "true", "y", "t", "1", "on", "YES", "On"} {
		if !asteriskTrue(s) {
			t.Errorf("%q is true", s)
		}
	}
	for _, s := range []string{"", "no", "0", "off", "2", "enabled", " yes"} {
		if asteriskTrue(s) {
			t.Errorf("%q is not true", s)
		}
	}
}

// Templates are inherited from, and what a section says itself before that stays where they say nothing.
func TestSectionsOfManagerConf(t *testing.T) {
	m := conf(t, "stray = 1\n[general]\nenabled=no\nEnabled=YES\n[t](!)\nsecret=t\nwrite=call\n[w](!)\nwrite=all\n[a](t,w)\n[b](t)\nsecret=>b\n[a](+)\nsecret=c\n"+
		"[d]\nsecret=d\n[d](+,t)\nread=all\n[broken\nsecret=x\n[e]( t , ! )\n[f](none)\nsecret=f\n[general](+)\nport=1\n")
	if diff := cmp.Diff(map[string]string{"enabled": "YES", "port": "1"}, m.general); diff != "" {
		t.Error(diff)
	}
	var got []string
	for _, u := range m.users {
		got = append(got, fmt.Sprintf("%s %s %s %t", u.name, u.secret, u.write, u.template))
	}
	want := []string{"t t call true", "w  all true", "a c all false", "b b call false", "d x call false", "e t call true", "f f  false"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Who logs in: the first with all rights, else the first that may, of those with a secret.
func TestUserOfManagerConf(t *testing.T) {
	for name, tt := range map[string]struct{ text, want, wrong string }{
		"the first":         {"[a]\nsecret=x\n[b]\nsecret=x\nwrite=call", "a", ""},
		"all rights":        {"[a]\nsecret=x\n[b]\nsecret=x\nwrite=call, all", "b", ""},
		"the first of all":  {"[a]\nsecret=x\nwrite=all\n[b]\nsecret=x\nwrite=all", "a", ""},
		"no secret":         {"[a]\nwrite=all\n[b]\nsecret=x", "b", ""},
		"a template":        {"[a](!)\nsecret=x\nwrite=all\n[b]\nsecret=x", "b", ""},
		"refused":           {"[a]\nsecret=x\nwrite=all\ndeny=127.0.0.1\n[b]\nsecret=x", "b", ""},
		"not all, by name":  {"[a]\nsecret=x\n[b]\nsecret=x\nwrite=allowed", "a", ""},
		"nobody":            {"[general]\n", "", "has no user with a secret"},
		"nobody from here":  {"[a]\nsecret=x\ndeny=0.0.0.0/0", "", "has no user that may log in from 127.0.0.1"},
		"template, refused": {"[a](!)\nsecret=x\n[b](a)\ndeny=0.0.0.0/0", "", "has no user that may log in"},
	} {
		for _, addr := range []string{"127.0.0.1:5038", "localhost:5038"} {
			u, err := conf(t, tt.text).user("manager.conf", addr)
			if tt.wrong != "" {
				runtest.Refused(t, err, fail.CodeConfig, tt.wrong)
			} else if err != nil || u.name != tt.want {
				t.Errorf("%s: %+v, %v; want %s", name, u, err, tt.want)
			}
		}
	}
}

// What a file may include, and what becomes of what is not there.
func TestIncludesOfManagerConf(t *testing.T) {
	outside := file(t, "outside.conf", "[out]\nsecret=x\n")
	m, err := readManagerConf(writeConf(t, map[string]string{
		"manager.conf":  "#include\tone.conf\n#INCLUDE \"" + outside + "\"\n#exec /bin/false\n#tryinclude none.conf\n#includes none.conf\n#include none*.conf\n",
		"one.conf":      "[one]\nsecret=x\n#include d/two.conf\n",
		"d/two.conf":    "[two]\nsecret=x\n#include one-more.conf\n", // relative to the first file
		"one-more.conf": "[three]\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, u := range m.users {
		names = append(names, u.name)
	}
	if diff := cmp.Diff([]string{"one", "two", "three", "out"}, names); diff != "" {
		t.Error(diff)
	}
	for name, tt := range map[string]struct{ text, want string }{
		"missing":   {"#include none.conf", "manager.conf cannot be read: "},
		"a folder":  {"#include .", "is not a file"},
		"itself":    {"#include manager.conf", "manager.conf includes more than 64 files"},
		"long line": {"a=" + strings.Repeat("x", 1<<16), "token too long"},
	} {
		_, err := readManagerConf(writeConf(t, map[string]string{"manager.conf": tt.text}))
		if f := fail.Classify(err); f.Code != fail.CodeConfig || !strings.Contains(f.Message, tt.want) || f.Hint == "" {
			t.Errorf("%s: %+v", name, f)
		}
	}
	many := map[string]string{"manager.conf": "#include x*.conf\n"}
	for i := range 63 {
		many[fmt.Sprintf("x%d.conf", i)] = ""
	}
	if _, err := readManagerConf(writeConf(t, many)); err != nil {
		t.Errorf("64 files: %v", err)
	}
}

func TestHintsForManagerConf(t *testing.T) {
	folder := t.TempDir()
	for path, want := range map[string]string{
		filepath.Join(folder, "none"): "is there an Asterisk on this host? --manager-conf FILE says where its manager.conf is",
		folder:                        "give the path of a manager.conf with --manager-conf",
		filepath.Join(folder, strings.Repeat("x", 300)): "run as root or as a member of the group asterisk, or give --node",
	} {
		_, err := readManagerConf(path)
		if f := fail.Classify(err); f.Hint != want {
			t.Errorf("%q, want %q", f.Hint, want)
		}
	}
}

func TestBindAddresses(t *testing.T) {
	for _, tt := range []struct{ bind, host, port string }{
		{"", "127.0.0.1", "5038"},
		{"0.0.0.0", "127.0.0.1", "5038"},
		{"0.0.0.0:1", "127.0.0.1", "1"},
		{"::", "::1", "5038"},
		{"[::]", "::1", "5038"},
		{"[::]:2", "::1", "2"},
		{"192.0.2.1", "192.0.2.1", "5038"},
		{"192.0.2.1:3", "192.0.2.1", "3"},
		{"2001:db8::1", "2001:db8::1", "5038"},
	} {
		if host, port := hostPort(tt.bind, "5038"); host != tt.host || port != tt.port {
			t.Errorf("%q: %q, %q", tt.bind, host, port)
		}
	}
}

// local is the node that --local finds.
func local(t *testing.T, text string, flags run.Globals) (ami.Config, error) {
	t.Helper()
	cert, key := runtest.Certificate(t, "127.0.0.1")
	flags.ManagerConf = writeConf(t, map[string]string{"manager.conf": text, "asterisk.pem": string(key) + string(cert), "none.pem": "x"})
	nodes, err := Nodes(runtest.New(t, runtest.Setup{Flags: flags}).Run)
	if err != nil {
		return ami.Config{}, err
	}
	if len(nodes) != 1 || nodes[0].Name != "local" {
		t.Fatalf("%+v", nodes)
	}
	return nodes[0], nil
}

// This host's own Asterisk is reached in the clear where nothing leaves the host, else by TLS where that is on.
func TestLocal(t *testing.T) {
	const user = "\n[admin]\nsecret=canary\nwrite=all\n"
	for _, tt := range []struct {
		general, addr string
		tls           bool
	}{
		{"enabled=yes", "127.0.0.1:5038", false},
		{"enabled=yes\nport=1", "127.0.0.1:1", false},
		{"enabled=yes\nbindaddr=192.0.2.1", "192.0.2.1:5038", false},
		{"enabled=yes\ntlsenable=yes", "127.0.0.1:5038", false},
		{"enabled=yes\nbindaddr=192.0.2.1\ntlsenable=yes\ntlsbindaddr=192.0.2.2", "192.0.2.2:5039", true},
		{"enabled=yes\nbindaddr=192.0.2.1\ntlsenable=yes\ntlsbindport=7", "127.0.0.1:7", true},
		{"enabled=yes\nbindaddr=192.0.2.1\ntlsenable=no\ntlsbindport=7", "192.0.2.1:5038", false},
	} {
		n, err := local(t, "[general]\n"+tt.general+user, run.Globals{})
		if err != nil || n.Addr != tt.addr || (n.TLS != nil) != tt.tls || n.Username != "admin" {
			t.Errorf("%q: %+v, %v", tt.general, n, err)
			continue
		}
		if s, err := n.Secret(t.Context()); err != nil || s.Reveal() != "canary" {
			t.Errorf("%q: the secret is %q, %v", tt.general, s.Reveal(), err)
		}
	}
	n, err := local(t, "[general]\nenabled=yes"+user, run.Globals{SecretFile: file(t, "secret", "another\n")})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := n.Secret(t.Context()); err != nil || s.Reveal() != "another" {
		t.Errorf("the secret is %q, %v", s.Reveal(), err)
	}
	for text, want := range map[string]string{
		"[general]\n" + user:           "the manager is off in ",
		"[general]\nenabled=no" + user: "the manager is off in ",
		"[general]\nenabled=yes\n":     "has no user with a secret",
		"[general]\nenabled=yes\nbindaddr=192.0.2.1\ntlsenable=yes\ntlscertfile=/none" + user: "tlscertfile cannot be read",
	} {
		_, err := local(t, text, run.Globals{})
		runtest.Refused(t, err, fail.CodeConfig, want)
	}
}

// The certificate of a file that has a key before it is the one that is trusted.
func TestCertificatePin(t *testing.T) {
	cert, key := runtest.Certificate(t, "127.0.0.1")
	other, _ := runtest.Certificate(t, "127.0.0.1")
	block, _ := pem.Decode(cert)
	sum := sha256.Sum256(block.Bytes)
	want := hex.EncodeToString(sum[:])
	whole := file(t, "a.pem", string(key)+string(cert)+string(other))
	for _, names := range [][2]string{{"/none", whole}, {whole, ""}} {
		if pin, err := certificatePin(names[0], names[1]); err != nil || pin != want {
			t.Errorf("%q: %s, %v", names, pin, err)
		}
	}
	_, err := certificatePin("", file(t, "b.pem", string(key)))
	runtest.Refused(t, err, fail.CodeConfig, "holds no certificate")
	_, err = certificatePin("", filepath.Join(t.TempDir(), "none"))
	runtest.Refused(t, err, fail.CodeConfig, "tlscertfile cannot be read")
	if _, err := os.Stat(whole); err != nil {
		t.Error(err)
	}
}
