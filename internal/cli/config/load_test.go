package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/serve/users/spec"
)

func TestParseURL(t *testing.T) {
	for _, tt := range []struct {
		text string
		want URL
		says string // of the refusal
	}{
		{"ami://admin@pbx", URL{User: "admin", Addr: "pbx:5038"}, ""},
		{"amis://admin@pbx", URL{User: "admin", Addr: "pbx:5039", TLS: true}, ""},
		{"ami://pbx:1234/", URL{Addr: "pbx:1234"}, ""},
		{"amis://pbx:1234", URL{Addr: "pbx:1234", TLS: true}, ""},
		{"ami://u@[::1]", URL{User: "u", Addr: "[::1]:5038"}, ""},
		{"ami://us%20er@pbx", URL{User: "us er", Addr: "pbx:5038"}, ""},
		{"", URL{}, "not a URL"},
		{"ami://u:s3cret@pbx", URL{}, "a secret in a URL is refused (ami://u:[secret]@pbx)"},
		{"ami://u:@pbx", URL{}, "a secret in a URL"},
		{"http://pbx", URL{}, "neither ami:// nor amis://"},
		{"pbx", URL{}, "neither"},
		{"ami://u@", URL{}, "has no host"},
		{"ami://:5038", URL{}, "has no host"},
		{"ami://pbx/x", URL{}, "more than user, host and port"},
		{"ami://pbx?x=1", URL{}, "more than"},
		{"ami://pbx/?x", URL{}, "more than"},
		{"ami://pbx#x", URL{}, "more than"},
		{"ami://pbx:x", URL{}, "not a URL"},
	} {
		got, err := ParseURL(tt.text)
		if tt.says != "" {
			if err == nil || !strings.Contains(err.Error(), tt.says) || fail.Classify(err).Code != fail.CodeConfig || fail.Classify(err).Hint == "" {
				t.Errorf("%q: %v, want %q", tt.text, err, tt.says)
			}
			continue
		}
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%q: %v (-want +got):\n%s", tt.text, err, diff)
		}
	}
}

func TestHidePassword(t *testing.T) {
	for text, want := range map[string]string{
		"ami://u:p@h":     "ami://u:[secret]@h",
		"ami://u:p@q@h":   "ami://u:[secret]@h",
		"ami://u:p:q@h:1": "ami://u:[secret]@h:1",
		"ami://u@h:1":     "ami://u@h:1",
		"ami://:p@h":      "ami://:[secret]@h",
		"ami://h:1":       "ami://h:1",
		"u:p@h":           "u:[secret]@h",
		"a@b://c:d":       "a@b://c:d",
		"":                "",
		"@":               "@",
	} {
		if got := HidePassword(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// What is written as a TOML string or key reads back as it was.
func TestTomlStrings(t *testing.T) {
	for _, s := range []string{"", "plain", "with-dash_9", "two words", `a"b\c`, "tab\tline\nbell\x07\x1f \x7f\u0080", "ü漢", "a.b", "ü", "'"} {
		text := TOMLKey(s) + " = " + TOMLString(s)
		var got map[string]string
		if _, err := toml.Decode(text, &got); err != nil || got[s] != s {
			t.Errorf("%q became %s: %v, %v", s, text, got, err)
		}
	}
	for s, want := range map[string]string{"a-b_1": "a-b_1", "a b": `"a b"`, "": `""`, "\x1f\x7f ": `"\u001f\u007f "`} {
		if got := TOMLKey(s); got != want {
			t.Errorf("%q as a key is %s, want %s", s, got, want)
		}
	}
}

func TestIsReference(t *testing.T) {
	for s, want := range map[string]bool{"file:x": true, "env:X": true, "cmd:x y": true, "cred:x": true, "file": false, "http:x": false, "": false, ":x": false, "FILE:x": false} {
		if got := IsReference(s); got != want {
			t.Errorf("%q: %v", s, got)
		}
	}
}

func TestLoad(t *testing.T) {
	const lab = "[contexts.lab]\nuser = \"a\"\n"
	for _, tt := range []struct {
		name, text string
		mode       fs.FileMode
		says, hint string // nothing: it is taken
	}{
		{"private", lab + `secret = "env:X"`, 0o600, "", ""},
		{"others may read what holds no secret", lab + `secret = "file:x"`, 0o644, "", ""},
		{"a secret", lab + `secret = "x"`, 0o600, "itself holds a secret (contexts.lab.secret)", "write it to a file of mode 600"},
		{"a node's secret", lab + "[contexts.lab.nodes.n]\nsecret = \"x\"", 0o600, "(contexts.lab.nodes.n.secret)", "file:PATH"},
		{"a secret, the group reads it", lab + `secret = "x"`, 0o640, "others may read it", "change the secret"},
		{"a secret, others read it", lab + `secret = "x"`, 0o604, "others may read it", "chmod 600"},
		{"everybody may write it", lab, 0o602, "may be written by others", "chmod go-w"},
		{"the group may write it", lab, 0o660, "may be written by others", "chmod go-w"},
		{"no TOML", "a\nb = = 1", 0o600, "line 1, column 2:", "context --help"},
		{"a type that does not fit", "timeout = 1", 0o600, "incompatible types", "context --help"},
		{"an unknown key", lab + "secert = \"env:X\"", 0o600, "unknown key contexts.lab.secert", "secret"},
		{"a key of another case", "[conteXts.lab]\nuser = \"u\"", 0o600, "unknown key conteXts", "did you mean contexts?"},
		{"a key of another case beside it", lab + "\nUser = \"u\"", 0o600, "unknown key contexts.lab.User", "did you mean user?"},
		{"a field that is no key", lab + "\n[contexts.x]\n[path]\n", 0o600, "unknown key path", ""},
		{"a pattern that is none", "redact = [\"(\"]", 0o600, "redact:", "RE2"},
	} {
		path := filepath.Join(t.TempDir(), "config.toml")
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, tt.mode); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path)
		if tt.says == "" {
			if err != nil || c.Path != path || len(c.Contexts) != 1 {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.says) || fail.Classify(err).Code != fail.CodeConfig || !strings.Contains(fail.Classify(err).Hint, tt.hint) {
			t.Errorf("%s: %v (%+v), want %q and %q", tt.name, err, fail.Classify(err), tt.says, tt.hint)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := Load(t.TempDir()); err == nil || fail.Classify(err).Code != fail.CodeConfig {
		t.Errorf("a folder: %v", err)
	}
}

// What serve alone reads stops serve alone, and what is mistyped there is looked for there.
func TestDaemon(t *testing.T) {
	for text, want := range map[string]struct{ says, hint string }{
		"[serve]\nhttp = \"127.0.0.1:1\"\n" + spec.Example: {},
		"[[users]]\nuser = \"ops\"":                        {"unknown key users.user", "the keys there are name, secret, nodes, events, actions,"},
		"[[users]]\nrole = \"admin\"":                      {"unknown key users.role", "the keys there are name"},
		"[[users]]\nadmin = true":                          {"unknown key users.admin", "the keys there are name"},
		"[[users]]\nparts = [\"calls\"]":                   {"unknown key users.parts", "the keys there are name"},
		"[[users]]\nsecert = \"file:x\"":                   {"unknown key users.secert", "did you mean secret?"},
		"[[users]]\nactoins = [\"Ping\"]":                  {"unknown key users.actoins", "did you mean actions?"},
		"[serve]\nport = 8080":                             {"unknown key serve.port", "the keys there are http, ami,"},
		"[serve]\nhttp = 8080":                             {"line 2, column 8", "serve --help"},
		"[[users]]\nname = \"ops\"\nsecret = \"x\"":        {"itself holds a secret (users.ops.secret)", "file:PATH"},
	} {
		path := filepath.Join(t.TempDir(), "config.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path)
		if err != nil {
			t.Errorf("%q stops every command: %v", text, err)
			continue
		}
		d, err := c.Daemon()
		if want.says == "" {
			if err != nil || d.Serve.HTTP == "" || len(d.Users) != 1 || d.Users[0].Secret != "file:"+filepath.Join(filepath.Dir(path), "wall.secret") {
				t.Errorf("%q: %+v, %v", text, d, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want.says) || fail.Classify(err).Code != fail.CodeConfig || !strings.Contains(fail.Classify(err).Hint, want.hint) {
			t.Errorf("%q: %v (%+v), want %+v", text, err, fail.Classify(err), want)
		}
	}
	if d, err := (&File{}).Daemon(); err != nil || d.Serve.HTTP != "" {
		t.Errorf("without a file: %+v, %v", d, err)
	}
}

// A node's own name goes before a glob.
func TestContextMatches(t *testing.T) {
	c := &Context{Nodes: map[string]*Node{"pbx1": {}, "pbx2": {}, "pbx*": {}}}
	for _, tt := range []struct {
		word, name string
		want       bool
	}{
		{"pbx1", "pbx1", true},
		{"pbx1", "pbx2", false},
		{"pbx?", "pbx2", true},
		{"p*1", "pbx1", true},
		{"p*1", "pbx2", false},
		{"pbx*", "pbx*", true},
		{"pbx*", "pbx1", false},
		{"other", "pbx1", false},
	} {
		if got := c.Matches(tt.word, tt.name); got != tt.want {
			t.Errorf("%q, %q: %v", tt.word, tt.name, got)
		}
	}
	if names := c.NodeNames(); !cmp.Equal(names, []string{"pbx*", "pbx1", "pbx2"}) {
		t.Error(names)
	}
}

// The line goes to the top, and what is below it stays, also lines that look like it.
func TestContextLineKeepsTheRest(t *testing.T) {
	for text, want := range map[string]string{
		"": "context = \"b\"\n\n",
		"# mine\ncontext = \"a\" # now\noutput = \"json\"\n[contexts.a]\n": "# mine\ncontext = \"b\"\noutput = \"json\"\n[contexts.a]\n",
		"[contexts.a]\ncontext = \"x\"\n":                                  "context = \"b\"\n\n[contexts.a]\ncontext = \"x\"\n",
		"output = \"json\"\n":                                              "context = \"b\"\n\noutput = \"json\"\n",
		"\ufeffoutput = \"json\"\n":                                        "\ufeffcontext = \"b\"\n\noutput = \"json\"\n",
	} {
		if got := WithContextLine(text, "b"); got != want {
			t.Errorf("%q:\n%q, want\n%q", text, got, want)
		}
	}
}
