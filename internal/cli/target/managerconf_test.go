package target

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func writeConf(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "manager.conf")
}

func TestManagerConf(t *testing.T) {
	path := writeConf(t, map[string]string{
		"manager.conf": "; a comment\n[general]\nenabled = yes ; on\nport=5038\n;-- [ghost]\nsecret = x --;\n[staff](!)\nwrite = all\ndeny=0.0.0.0/0.0.0.0\n" +
			"permit=127.0.0.1/255.255.255.0\n[far](staff)\nsecret = f\ndeny=127.0.0.0/8\n#include \"manager.d/*.conf\"\n#include none.d/*.conf\n#tryinclude gone.conf\n#include <more.conf>\n",
		"manager.d/a.conf": "[near](staff)\nsecret => a\\;b\n",
		"more.conf":        "[general](+)\nbindaddr=::\n[near](+)\nread = all\n",
	})
	m, err := readManagerConf(path)
	if err != nil {
		t.Fatal(err)
	}
	if m.find("ghost") != nil {
		t.Error("a comment over two lines is read")
	}
	if m.general["port"] != "5038" || m.general["bindaddr"] != "::" {
		t.Errorf("general is %v", m.general)
	}
	u, err := m.user(path, "127.0.0.1:5038")
	if err != nil || u.name != "near" || u.secret != "a;b" || u.write != "all" {
		t.Errorf("the user is %+v, %v; want near, who inherits the rights and may log in from here", u, err)
	}
	if u.permits(netip.MustParseAddr("10.0.0.1")) {
		t.Error("near may log in from 10.0.0.1, against the template's deny")
	}
	if _, err := m.user(path, "10.0.0.1:5038"); err == nil {
		t.Error("somebody may log in from 10.0.0.1")
	}
}

func TestManagerConfThatIncludesItself(t *testing.T) {
	if _, err := readManagerConf(writeConf(t, map[string]string{"manager.conf": "#include manager.conf\n"})); err == nil {
		t.Error("no error")
	}
	if _, err := readManagerConf(writeConf(t, map[string]string{"manager.conf": "#include gone.conf\n"})); err == nil {
		t.Error("a file that is missing is no error")
	}
}

// Whatever a manager.conf holds: a comment in the middle of it changes nothing, and whoever is chosen may log in.
func FuzzManagerConf(f *testing.F) {
	f.Add("[general]\nenabled=yes\n[a](!)\nsecret=x\n", "[b](a,+)\npermit=1.2.3.4/8,::1\n")
	f.Add(";-- \n--; [x\n", "=\n[]()\n")
	f.Add("[a]\nsecret=x;y\ndeny=0.0.0.0/0\n", "[b]\nsecret = a\\;b\nwrite=all\n")
	read := func(text string) (conf *managerConf, open bool) {
		r := &confReader{conf: &managerConf{general: make(map[string]string)}}
		for _, line := range strings.Split(text, "\n") {
			_ = r.line(r.uncomment(line))
		}
		return r.conf, r.comment
	}
	local := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	f.Fuzz(func(t *testing.T, first, second string) {
		if strings.Contains(first+second, "#") {
			return // it may include any file of this machine
		}
		conf, _ := read(first + "\n" + second)
		if _, open := read(first); !open {
			commented, _ := read(first + "\n ; secret=no\n;-- [evil]\nsecret=evil\n--;\n" + second)
			same := cmp.Options{cmp.AllowUnexported(managerConf{}, managerUser{}, aclRule{}), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })}
			if diff := cmp.Diff(conf, commented, same); diff != "" {
				t.Errorf("a comment changes it (-without +with):\n%s", diff)
			}
		}
		u, err := conf.user("x", "127.0.0.1:1")
		if err == nil && (u.secret == "" || u.template || !u.permits(local)) {
			t.Errorf("%q is chosen", u.name)
		}
	})
}
