package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/cli/fail"
)

// written is a file of this text and mode, in a folder of its own.
func written(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
	return path
}

// refused fails the test unless an error is about the configuration, with these texts in its message and hint.
func refused(t *testing.T, what string, err error, says, hint string) {
	t.Helper()
	if f := fail.Classify(err); f.Code != fail.CodeConfig || !strings.Contains(f.Message, says) || !strings.Contains(f.Hint, hint) {
		t.Errorf("%s: %+v, want %q and %q", what, f, says, hint)
	}
}

// What is written as TOML is read as what it was.
func TestTOMLText(t *testing.T) {
	for in, want := range map[string]string{
		"": `""`, "a b": `"a b"`, `a"b\c`: `"a\"b\\c"`, "\x00\x1f\x7f": `"\u0000\u001f\u007f"`, "\n\t": `"\u000a\u0009"`, "ü \u0080": "\"ü \u0080\"", " !~": `" !~"`,
	} {
		got := TOMLString(in)
		var back struct{ A string }
		if _, err := toml.Decode("A = "+got, &back); got != want || err != nil || back.A != in {
			t.Errorf("%q is written %s, and read as %q, %v", in, got, back.A, err)
		}
	}
	for in, want := range map[string]string{"": `""`, "a-b_C9": "a-b_C9", "a.b": `"a.b"`, "ü": `"ü"`, "-": "-", "a ": `"a "`} {
		if got := TOMLKey(in); got != want {
			t.Errorf("%q is the key %s", in, got)
		}
	}
}

// A secret says where it is, in one of four ways.
func TestReferences(t *testing.T) {
	for in, want := range map[string]bool{"file:x": true, "env:X": true, "cmd:pass": true, "cred:a": true, "file:": true, "file": false, "FILE:x": false, "x:file": false, "": false, ":": false} {
		if got := IsReference(in); got != want {
			t.Errorf("%q is a reference: %t", in, got)
		}
	}
}

// A secret in the file itself is refused, and is to be changed if others could read it.
func TestSecretsInTheFile(t *testing.T) {
	const change = "change the secret"
	for name, test := range map[string]struct {
		text  string
		mode  os.FileMode
		says  string
		hints bool // that it is to be changed
	}{
		"of a context":               {"[contexts.a]\nsecret = \"x\"\n", 0o600, "itself holds a secret (contexts.a.secret)", false},
		"of a node":                  {"[contexts.a.nodes.b]\nurl = \"ami://b\"\nsecret = \"x\"\n", 0o600, "itself holds a secret (contexts.a.nodes.b.secret)", false},
		"the group may read it":      {"[contexts.a]\nsecret = \"x\"\n", 0o640, "and others may read it", true},
		"everybody may read it":      {"[contexts.a]\nsecret = \"x\"\n", 0o604, "and others may read it", true},
		"others may read references": {"[contexts.a]\nsecret = \"env:X\"\n[contexts.a.nodes.b]\nurl = \"ami://b\"\n", 0o644, "", false},
	} {
		path := written(t, test.text, test.mode)
		_, err := Load(path)
		if test.says == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		hint := "put secret = \"file:PATH\""
		refused(t, name, err, test.says, hint)
		if got := strings.Contains(fail.Classify(err).Hint, "chmod 600 "+path+", "+change); got != test.hints {
			t.Errorf("%s: the hint is %q", name, fail.Classify(err).Hint)
		}
	}
}

// Every path of a configuration is of its folder, unless it is absolute or of the user's home.
func TestAllPathsAreAnchored(t *testing.T) {
	path := written(t, `[contexts.a]
ca = "ca.pem"
secret = "file:a.secret"
nats_creds = "creds"
nats_nkey = "~/nkey"
nats_ca = "/etc/ca"
[contexts.a.nodes.b]
url = "ami://b"
ca = "~/ca"
secret = "file:"
[serve]
users = "users.toml"
cert = "/c"
key = "k"
pprof = "~/p"
http = "h:1"
[[users]]
name = "ops"
secret = "file:ops"
[[users]]
name = "crm"
secret = "env:CRM"
`, 0o600)
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := c.Daemon()
	if err != nil {
		t.Fatal(err)
	}
	a, in := c.Contexts["a"], func(name string) string { return filepath.Join(filepath.Dir(path), name) }
	got := []string{a.CA, a.Secret, a.NATSCreds, a.NATSNKey, a.NATSCA, a.Nodes["b"].CA, a.Nodes["b"].Secret, d.Serve.Users, d.Serve.Cert, d.Serve.Key, d.Serve.Pprof, d.Serve.HTTP, d.Users[0].Secret, d.Users[1].Secret}
	want := []string{in("ca.pem"), "file:" + in("a.secret"), in("creds"), "~/nkey", "/etc/ca", "~/ca", "file:", in("users.toml"), "/c", in("k"), "~/p", "h:1", "file:" + in("ops"), "env:CRM"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A file of users is read as a configuration is, and has to have some.
func TestLoadUsers(t *testing.T) {
	path := written(t, "[[users]]\nname = \"a\"\nsecret = \"file:s\"\n[[users]]\nname = \"b\"\nsecret = \"env:B\"\n", 0o644)
	users, err := LoadUsers(path)
	if err != nil || len(users) != 2 || users[0].Secret != "file:"+filepath.Join(filepath.Dir(path), "s") || users[1].Secret != "env:B" {
		t.Errorf("%+v, %v", users, err)
	}
	for text, want := range map[string][2]string{
		"":                       {": there are none", "serve --help"},
		"[[users]]\nnam = \"a\"": {"unknown key users.nam", "did you mean name?"},
		"[[users]":               {"users ", "serve --help"},
		"[[users]]\nname = \"a\"\nsecret = \"x\"": {"itself holds a secret (users.a.secret)", "file:PATH"},
		"[serve]\nhttp = \"x\"":                   {"unknown key serve", ""},
	} {
		_, err := LoadUsers(written(t, text, 0o600))
		refused(t, text, err, want[0], want[1])
	}
	_, err = LoadUsers(filepath.Join(t.TempDir(), "none"))
	refused(t, "no file", err, "the users cannot be read: ", "serve --help")
}

// What is no valid configuration is not written, whoever changed it, and an error of the change is the edit's.
func TestEditsThatFail(t *testing.T) {
	path := written(t, "context = \"a\"\n", 0o600)
	to := func(text string) error {
		return EditConfig(path, func(string) (string, error) { return text, nil })
	}
	refused(t, "no TOML", to("context = "), "the change would make it invalid, so nothing was written", "with an editor")
	refused(t, "an unknown key", to("contxt = 1"), "unknown key contxt", "with an editor")
	mine := errors.New("mine")
	if err := EditConfig(path, func(old string) (string, error) { return old + "# x\n", mine }); !errors.Is(err, mine) {
		t.Errorf("an error of the change: %v", err)
	}
	if text, err := os.ReadFile(path); string(text) != "context = \"a\"\n" || err != nil {
		t.Errorf("it has %q, %v", text, err)
	}
	refused(t, "no place", EditConfig("", nil), "there is no home folder", "--config FILE")
	refused(t, "a folder", EditConfig(t.TempDir(), func(old string) (string, error) { return old, nil }), "is not a file", "give a file")
	refused(t, "no folder", EditConfig(filepath.Join(t.TempDir(), "a", "b"), func(old string) (string, error) { return old, nil }), "the config cannot be written", "")
	if err := to("context = \"b\"\n"); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(path); string(text) != "context = \"b\"\n" || err != nil {
		t.Errorf("it has %q, %v", text, err)
	}
}

// What is read is not always a configuration, and a text that is none is renamed and emptied by nobody.
func TestChangesOfWhatIsNoConfiguration(t *testing.T) {
	for _, change := range []func(text string) (string, error){
		func(text string) (string, error) { return WithoutContext(text, "a") },
		func(text string) (string, error) { return WithContextRenamed(text, "a", "b") },
	} {
		for _, text := range []string{"a = = 1", "contxt = 1"} {
			got, err := change(text)
			refused(t, text, err, "the config cannot be read", "context edit")
			if got != "" {
				t.Errorf("%q became %q", text, got)
			}
		}
	}
	_, err := WithContextRenamed("[contexts.a]\n", "a", "")
	refused(t, "no name", err, "a context needs a name", "letters and digits")
}

// The context that has no name is never the current one, and lines may end in CR LF.
func TestContextsOfOddNames(t *testing.T) {
	for name, test := range map[string]struct {
		change func() (string, error)
		want   string
	}{
		"the nameless one goes":     {func() (string, error) { return WithoutContext("[contexts.\"\"]\nuser = \"u\"\n[contexts.a]\n", "") }, "[contexts.a]\n"},
		"the nameless one is named": {func() (string, error) { return WithContextRenamed("[contexts.\"\"]\nuser = \"u\"\n", "", "a") }, "[contexts.a]\nuser = \"u\"\n"},
		"CR LF": {
			func() (string, error) {
				return WithoutContext("context = \"a\"\r\noutput = \"json\"\r\n[contexts.a]\r\nuser = \"u\"\r\n[contexts.b]\r\n", "a")
			},
			"output = \"json\"\r\n[contexts.b]\r\n",
		},
		"a line without an end": {func() (string, error) { return WithoutContext("[contexts.b]\n[contexts.a]", "a") }, "[contexts.b]\n"},
		"a remark behind it":    {func() (string, error) { return WithContextRenamed("[contexts.a] # [contexts.a]\r\n", "a", "b c") }, "[contexts.\"b c\"] # [contexts.a]\r\n"},
		"another stays current": {func() (string, error) { return WithoutContext("context = \"b\"\n[contexts.a]\n[contexts.b]\n", "a") }, "context = \"b\"\n[contexts.b]\n"},
		"another stays named": {func() (string, error) {
			return WithContextRenamed("context = \"b\"\n[contexts.a]\n[contexts.b]\n", "a", "c")
		}, "context = \"b\"\n[contexts.c]\n[contexts.b]\n"},
		"the last one goes": {func() (string, error) { return WithoutContext("context = \"a\"\n[contexts.a]\n", "a") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := test.change()
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("%v: %s", err, diff)
			}
		})
	}
}

// Contexts and nodes stand in the order of their numbers.
func TestNamesAreSorted(t *testing.T) {
	c := &File{Contexts: map[string]*Context{"lab10": {}, "lab2": {}, "a": {}}}
	if diff := cmp.Diff([]string{"a", "lab2", "lab10"}, c.ContextNames()); diff != "" {
		t.Error(diff)
	}
}
