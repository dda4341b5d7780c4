package target

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/cli/config"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/internal/spool"
	"github.com/apntalk/amictl/pkg/ami"
)

// told is what a provider says, or why it says nothing.
func told(t *testing.T, ask ami.SecretProvider, err error) (string, error) {
	t.Helper()
	if err != nil {
		return "", err
	}
	s, err := ask(t.Context())
	return s.Reveal(), err
}

func TestSecretReferences(t *testing.T) {
	home, creds := t.TempDir(), t.TempDir()
	for _, path := range []string{filepath.Join(home, "s"), filepath.Join(creds, "ami")} {
		if err := os.WriteFile(path, []byte("geheim\r\nmore\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open := file(t, "open", "geheim\n")
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"HOME": home, "SET": "geheim", "EMPTY": "", "CREDENTIALS_DIRECTORY": creds}
	for reference, want := range map[string]string{
		"file:" + filepath.Join(home, "s"): "",
		"file:~/s":                         "",
		"env:SET":                          "",
		"cred:ami":                         "",
		"cred:../../ami":                   "", // a credential is a name, and no path
		"cmd:echo geheim":                  "",
		"cmd:echo geheim; exit 1":          "the secret's command failed: exit status 1",
		"cmd:true":                         "the output of the secret's command is empty",
		"file:/none":                       "the secret file cannot be read: ",
		"file:" + home:                     "the secret file cannot be read: ",
		"file:" + open:                     "may be read by others",
		"file:" + file(t, "empty", "\n"):   " is empty",
		"env:EMPTY":                        "the variable EMPTY, which should hold the secret, is not set",
		"env:UNSET":                        "the variable UNSET, which should hold the secret, is not set",
		"cred:none":                        "the secret file cannot be read: ",
		"file:":                            `the secret reference "file:" is not valid`,
		"geheim":                           `the secret reference "geheim" is not valid`,
		"":                                 `the secret reference "" is not valid`,
	} {
		ask, err := SecretFrom(runtest.New(t, runtest.Setup{Env: env}).Run, reference)
		got, err := told(t, ask, err)
		if want != "" {
			if runtest.Refused(t, err, fail.CodeConfig, want); got != "" {
				t.Errorf("%s: %q", reference, got)
			}
		} else if got != "geheim" || err != nil {
			t.Errorf("%s: %q, %v", reference, got, err)
		}
	}
	for _, dir := range []map[string]string{nil, {"CREDENTIALS_DIRECTORY": ""}} {
		_, err := SecretFrom(runtest.New(t, runtest.Setup{Env: dir}).Run, "cred:ami")
		runtest.Refused(t, err, fail.CodeConfig, "the secret cred:ami needs CREDENTIALS_DIRECTORY")
	}
}

// A file is read at each login: a secret that was changed is picked up.
func TestSecretFileIsReadAtEachLogin(t *testing.T) {
	path := file(t, "secret", "old\n")
	ask := fileSecret(path)
	for _, want := range []string{"old", "new"} {
		if err := os.WriteFile(path, []byte(want+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := told(t, ask, nil); got != want || err != nil {
			t.Errorf("%q, %v; want %s", got, err, want)
		}
	}
}

// The flags come before the environment, and both before the configuration.
func TestSecretOfANode(t *testing.T) {
	flag, env := file(t, "flag", "flag\n"), file(t, "env", "env\n")
	for name, tt := range map[string]struct {
		flags     run.Globals
		env       map[string]string
		reference string
		want      string
	}{
		"the configuration": {run.Globals{}, nil, "env:OWN", "own"},
		"the environment":   {run.Globals{}, map[string]string{"AMICTL_SECRET_FILE": env}, "env:OWN", "env"},
		"a flag":            {run.Globals{SecretFile: flag}, map[string]string{"AMICTL_SECRET_FILE": env}, "env:OWN", "flag"},
		"standard input":    {run.Globals{SecretStdin: true}, map[string]string{"AMICTL_SECRET_FILE": env}, "env:OWN", "stdin"},
		"no configuration":  {run.Globals{SecretFile: flag}, nil, "", "flag"},
	} {
		vars := map[string]string{"OWN": "own"}
		for k, v := range tt.env {
			vars[k] = v
		}
		r := runtest.New(t, runtest.Setup{Env: vars, Flags: tt.flags, Stdin: "stdin\nmore\n"})
		for range 2 { // each node, and each login, has the same
			n, err := Node(r.Run, "pbx1", &config.Node{URL: anURL, Secret: tt.reference}, &config.Context{})
			for range 2 {
				if got, err := told(t, n.Secret, err); got != tt.want || err != nil {
					t.Errorf("%s: %q, %v; want %s", name, got, err, tt.want)
				}
			}
		}
	}
	r := runtest.New(t, runtest.Setup{})
	_, err := Node(r.Run, "pbx1", &config.Node{URL: anURL}, &config.Context{})
	runtest.Refused(t, err, fail.CodeUsage, "pbx1: no secret is given")
	_, err = Node(r.Run, "pbx1", &config.Node{URL: anURL, Secret: "x"}, &config.Context{})
	runtest.Refused(t, err, fail.CodeConfig, `the secret reference "x" is not valid`)
}

func TestSecretFlagsThatAreRefused(t *testing.T) {
	both := runtest.New(t, runtest.Setup{Flags: run.Globals{SecretStdin: true, SecretFile: "x"}})
	_, err := flagSecret(both.Run)
	runtest.Refused(t, err, fail.CodeUsage, "--secret-file and --secret-stdin do not go together")
	taken := runtest.New(t, runtest.Setup{Flags: run.Globals{SecretStdin: true}})
	taken.StdinFor = "send -"
	_, err = flagSecret(taken.Run)
	runtest.Refused(t, err, fail.CodeUsage, "send - and --secret-stdin both read standard input")
	empty := runtest.New(t, runtest.Setup{Flags: run.Globals{SecretStdin: true}})
	ask, err := flagSecret(empty.Run)
	_, err = told(t, ask, err)
	runtest.Refused(t, err, fail.CodeConfig, "standard input is empty")
	none := runtest.New(t, runtest.Setup{})
	if ask, err := flagSecret(none.Run); ask != nil || err != nil {
		t.Errorf("nobody asked for one: %v", err)
	}
}

// Standard input that says nothing is given up when the run is over.
func TestSecretFromStandardInputIsGivenUp(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Flags: run.Globals{SecretStdin: true}})
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = in.Close(), out.Close() }()
	stopped := make(chan struct{})
	close(stopped)
	r.Stdin, r.Stopped = in, stopped
	ask, err := flagSecret(r.Run)
	_, err = told(t, ask, err)
	runtest.Refused(t, err, fail.CodeConfig, "the secret cannot be read from standard input: ")
}

// What a subcommand takes for itself is nothing that the nodes of its run have.
func TestTakeSecret(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Env: map[string]string{"OWN": "own"}, Flags: run.Globals{SecretFile: file(t, "flag", "flag\n")}})
	ask, err := TakeSecret(r.Run)
	if got, err := told(t, ask, err); got != "flag" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	n, err := Node(r.Run, "pbx1", &config.Node{URL: anURL, Secret: "env:OWN"}, &config.Context{})
	if got, err := told(t, n.Secret, err); got != "own" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// A secret that no line of AMI can hold is refused before it is sent.
func TestSecretThatCannotBeSent(t *testing.T) {
	for value, wrong := range map[string]bool{"geheim": false, "ge heim": false, "ge\rheim": true, "ge\x00heim": true, strings.Repeat("x", 2000): true} {
		ask := carried("pbx1", ami.StaticSecret(value))
		got, err := told(t, ask, nil)
		if wrong {
			if runtest.Refused(t, err, fail.CodeConfig, "the secret of pbx1 cannot be sent: it "); got != "" || strings.Contains(err.Error(), "heim") {
				t.Errorf("%q, %v", got, err)
			}
		} else if got != value || err != nil {
			t.Errorf("%q: %q, %v", value, got, err)
		}
	}
	n, err := Node(runtest.New(t, runtest.Setup{Env: map[string]string{"X": "a\rb"}}).Run, "pbx1", &config.Node{URL: anURL, Secret: "env:X"}, &config.Context{})
	_, err = told(t, n.Secret, err)
	runtest.Refused(t, err, fail.CodeConfig, "the secret of pbx1 cannot be sent")
}

func TestExpandHome(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Env: map[string]string{"HOME": "/h"}})
	for path, want := range map[string]string{"~/a/b": "/h/a/b", "/a": "/a", "a": "a", "~a": "~a", "~": "~", "": ""} {
		if got, err := ExpandHome(r.Run, path); got != want || err != nil {
			t.Errorf("%q: %q, %v", path, got, err)
		}
	}
}

// A spool's files are where TMPDIR says, and it takes a megabyte at least.
func TestSpool(t *testing.T) {
	folder := t.TempDir()
	r := runtest.New(t, runtest.Setup{Env: map[string]string{"TMPDIR": folder}})
	for size, wrong := range map[int64]bool{spool.LeastDisk - 1: true, spool.LeastDisk: false, spool.LeastDisk + 1: false} {
		s, o, err := Spool(r.Run, flags.Size{Value: size, Given: true})
		if wrong {
			runtest.Refused(t, err, fail.CodeUsage, "--spool is less than 1M")
			continue
		}
		if err != nil || o.Disk != size || o.Dir != folder {
			t.Errorf("%d: %+v, %v", size, o, err)
			continue
		}
		s.Close()
	}
	r = runtest.New(t, runtest.Setup{Env: map[string]string{"TMPDIR": filepath.Join(folder, "none")}})
	_, _, err := Spool(r.Run, flags.Size{Value: spool.LeastDisk})
	runtest.Refused(t, err, fail.CodeUsage, "--spool: ")
	if f := fail.Classify(err); f.Hint != "TMPDIR names the folder of its files" || errors.Is(err, os.ErrExist) {
		t.Errorf("%+v", f)
	}
}
