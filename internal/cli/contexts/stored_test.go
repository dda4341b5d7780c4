package contexts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// configText is the configuration as it is in its file.
func configText(t *testing.T, r *runtest.Run) string {
	t.Helper()
	path, _ := r.ConfigPath()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}

// A node is appended with what was given and nothing else; what was in the file before stays as it is.
func TestWhatIsStored(t *testing.T) {
	for name, test := range map[string]struct {
		flags   run.Globals
		options addOptions
		before  string // "": there is no configuration
		want    string // after that
	}{
		"the first": {
			run.Globals{Nodes: flags.List{"ami://ops@pbx1"}},
			addOptions{context: "lab"},
			"",
			"context = \"lab\"\n\n[contexts.lab.nodes.pbx1]\nurl = \"ami://ops@pbx1\"\nsecret = \"env:S\"\n",
		},
		"the first, protected": {
			run.Globals{Nodes: flags.List{"ami://ops@pbx1"}},
			addOptions{context: "lab", protect: true},
			"",
			"context = \"lab\"\n\n[contexts.lab]\nprotect = true\n\n[contexts.lab.nodes.pbx1]\nurl = \"ami://ops@pbx1\"\nsecret = \"env:S\"\n",
		},
		"everything": {
			run.Globals{Nodes: flags.List{"amis://ops@pbx1"}, CA: "/ca.pem", TLSName: "pbx", Labels: flags.List{"site=fra", "rack="}},
			addOptions{context: "lab"},
			"",
			"context = \"lab\"\n\n[contexts.lab.nodes.pbx1]\nurl = \"amis://ops@pbx1\"\nsecret = \"env:S\"\nca = \"/ca.pem\"\ntls_name = \"pbx\"\nlabels = { rack = \"\", site = \"fra\" }\n",
		},
		"one more, behind a line without an end": {
			run.Globals{Nodes: flags.List{"ami://ops@pbx1"}},
			addOptions{context: "lab"},
			"[contexts.lab.nodes.pbx0]\nurl = \"ami://ops@pbx0\"",
			"[contexts.lab.nodes.pbx0]\nurl = \"ami://ops@pbx0\"\n\n[contexts.lab.nodes.pbx1]\nurl = \"ami://ops@pbx1\"\nsecret = \"env:S\"\n",
		},
		"to be the current one": {
			run.Globals{Nodes: flags.List{"ami://ops@pbx1"}},
			addOptions{context: "lab", use: true},
			"[contexts.other]\n",
			"context = \"lab\"\n\n[contexts.other]\n\n[contexts.lab.nodes.pbx1]\nurl = \"ami://ops@pbx1\"\nsecret = \"env:S\"\n",
		},
		"a host that is there on another port": {
			run.Globals{Nodes: flags.List{"ami://ops@pbx0:5099"}},
			addOptions{context: "lab"},
			"[contexts.lab.nodes.pbx0]\nurl = \"ami://pbx0\"\n",
			"[contexts.lab.nodes.pbx0]\nurl = \"ami://pbx0\"\n\n[contexts.lab.nodes.pbx0-5099]\nurl = \"ami://ops@pbx0:5099\"\nsecret = \"env:S\"\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := withConfig(t, test.before, test.flags)
			test.options.noTest, test.options.secret = true, "env:S"
			if err := add(t.Context(), r.Run, &test.options); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, configText(t, r)); diff != "" {
				t.Error(diff)
			}
			if !strings.HasSuffix(r.Err.String(), " added to context lab\n") || strings.Contains(r.Err.String(), "keep it") {
				t.Errorf("it says %q", r.Err)
			}
		})
	}
}

// withConfig is a run with these flags, and a configuration of this text unless it is "".
func withConfig(t *testing.T, text string, globals run.Globals) *runtest.Run {
	t.Helper()
	globals.Config = filepath.Join(t.TempDir(), "config.toml")
	if text != "" {
		if err := os.WriteFile(globals.Config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return runtest.New(t, runtest.Setup{Flags: globals})
}

// What contradicts itself or is not enough is refused before anything is tried or written.
func TestAddRefuses(t *testing.T) {
	one := flags.List{"ami://ops@pbx1"}
	for name, test := range map[string]struct {
		flags   run.Globals
		options addOptions
		want    string
		code    fail.Code
	}{
		"two nodes":                   {run.Globals{Nodes: flags.List{"ami://a@b", "ami://a@c"}}, addOptions{}, "takes one --node", fail.CodeUsage},
		"this host's own":             {run.Globals{Nodes: one, Local: true}, addOptions{}, "no --local", fail.CodeUsage},
		"no node":                     {run.Globals{}, addOptions{}, "--node is missing", fail.CodeUsage},
		"no URL":                      {run.Globals{Nodes: flags.List{"pbx1"}}, addOptions{}, "neither ami", fail.CodeConfig},
		"no user":                     {run.Globals{Nodes: flags.List{"ami://pbx1"}}, addOptions{}, "ami://pbx1 has no user", fail.CodeUsage},
		"a CA without TLS":            {run.Globals{Nodes: one, CA: "ca.pem"}, addOptions{}, "is not TLS", fail.CodeUsage},
		"a TLS name without TLS":      {run.Globals{Nodes: one, TLSName: "pbx"}, addOptions{}, "is not TLS", fail.CodeUsage},
		"a label without a value":     {run.Globals{Nodes: one, Labels: flags.List{"fra"}}, addOptions{}, `"fra" is not KEY=VALUE`, fail.CodeUsage},
		"a label without a name":      {run.Globals{Nodes: one, Labels: flags.List{"=fra"}}, addOptions{}, `"=fra" is not KEY=VALUE`, fail.CodeUsage},
		"no secret":                   {run.Globals{Nodes: one}, addOptions{}, "no secret was given", fail.CodeUsage},
		"the secret itself":           {run.Globals{Nodes: one}, addOptions{secret: "mine"}, "where the secret is, not the secret", fail.CodeUsage},
		"a name that is taken":        {run.Globals{Nodes: one}, addOptions{secret: "env:S", name: "pbx0"}, `has a node "pbx0" already`, fail.CodeUsage},
		"the same server once more":   {run.Globals{Nodes: flags.List{"ami://ops@pbx0:5038"}}, addOptions{secret: "env:S"}, `has a node "pbx0" already`, fail.CodeUsage},
		"protection of what there is": {run.Globals{Nodes: one}, addOptions{secret: "env:S", protect: true}, "--protect is for new ones", fail.CodeUsage},
		"a file that is not there":    {run.Globals{Nodes: flags.List{"amis://ops@pbx1"}, CA: "/no/ca.pem"}, addOptions{secret: "env:S"}, "/no/ca.pem", fail.CodeConfig},
	} {
		t.Run(name, func(t *testing.T) {
			const before = "[contexts.lab.nodes.pbx0]\nurl = \"ami://ops@pbx0\"\n"
			r := withConfig(t, before, test.flags)
			test.options.context = "lab"
			runtest.Refused(t, add(t.Context(), r.Run, &test.options), test.code, test.want)
			if got := configText(t, r); got != before {
				t.Errorf("the configuration is %q", got)
			}
		})
	}
}

// --protect for a context that is protected already asks for nothing new.
func TestAddToAProtectedContext(t *testing.T) {
	r := withConfig(t, "[contexts.lab]\nprotect = true\n", run.Globals{Nodes: flags.List{"ami://ops@pbx1"}})
	if err := add(t.Context(), r.Run, &addOptions{context: "lab", protect: true, noTest: true, secret: "env:S"}); err != nil {
		t.Fatal(err)
	}
	if got := configText(t, r); strings.Count(got, "protect") != 1 {
		t.Errorf("the configuration is %q", got)
	}
}

// Who cannot log in is told how to store the node anyway; who can sees what answered.
func TestAddTriesTheServer(t *testing.T) {
	pbx := runtest.Server(t, "pbx1", amitest.WithFailDelay(0))
	node := flags.List{"ami://" + amitest.DefaultUser + "@" + pbx.Addr()}
	for secret, want := range map[string]string{amitest.DefaultSecret: "lab-pbx: logged in, Asterisk Call Manager/", "wrong": ""} {
		r := runtest.New(t, runtest.Setup{Flags: run.Globals{Nodes: node}, Env: map[string]string{"S": secret}})
		err := add(t.Context(), r.Run, &addOptions{context: "lab", name: "lab-pbx", secret: "env:S"})
		if (err == nil) != (want != "") || !strings.Contains(r.Err.String(), want) {
			t.Errorf("%s: %v; it says %q", secret, err, r.Err)
		}
		if f := fail.Classify(err); err != nil && !strings.HasSuffix(f.Hint, "; --no-test stores it anyway") {
			t.Errorf("the hint is %q", f.Hint)
		}
	}
}

// A file of --secret-file is named by its whole path.
func TestSecretFileIsStoredAsAPath(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	r := withConfig(t, "", run.Globals{Nodes: flags.List{"ami://ops@pbx1"}, SecretFile: "my.secret"})
	if err := add(t.Context(), r.Run, &addOptions{context: "lab", noTest: true}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(here, "my.secret")
	if got := configText(t, r); !strings.Contains(got, `secret = "file:`+path+`"`) {
		t.Errorf("the configuration is %q", got)
	}
	if !strings.Contains(r.Err.String(), path+" is read at each login: keep it") {
		t.Errorf("it says %q", r.Err)
	}
}
