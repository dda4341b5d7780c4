package contexts

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// What the flags do not say is asked for: the server, its user, its name, its secret. The secret goes to a file of its own.
func TestAddAsks(t *testing.T) {
	const other = "[contexts.lab.nodes.pbx0]\nurl = \"ami://ops@pbx0\"\n"
	for name, test := range map[string]struct {
		flags run.Globals
		typed []string
		want  string // what is added, without the secret
		said  string // in a complaint
	}{
		"a host":                   {run.Globals{}, []string{"pbx1", "ops", "", "s3cret"}, "[contexts.lab.nodes.pbx1]\nurl = \"ami://ops@pbx1\"\n", ""},
		"a URL and a name":         {run.Globals{}, []string{"amis://ops@pbx1:99", "main", "s3cret"}, "[contexts.lab.nodes.main]\nurl = \"amis://ops@pbx1:99\"\n", ""},
		"a user that needs quotes": {run.Globals{}, []string{"pbx1", "o@s", "", "s3cret"}, "[contexts.lab.nodes.pbx1]\nurl = \"ami://o%40s@pbx1\"\n", ""},
		"a mistake first":          {run.Globals{}, []string{"http://a", "ops@pbx1", "", "s3cret"}, "[contexts.lab.nodes.pbx1]\nurl = \"ami://ops@pbx1\"\n", "neither ami"},
		"a name that is taken":     {run.Globals{}, []string{"ops@pbx0:77", "", "s3cret"}, "[contexts.lab.nodes.pbx0-77]\nurl = \"ami://ops@pbx0:77\"\n", ""},
		"the secret alone":         {run.Globals{Nodes: flags.List{"ami://ops@pbx1"}}, []string{"s3cret"}, "[contexts.lab.nodes.pbx1]\nurl = \"ami://ops@pbx1\"\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := withConfig(t, other, test.flags)
			r.AtTerminal(t, test.typed...)
			if err := add(t.Context(), r.Run, &addOptions{context: "lab", noTest: true}); err != nil {
				t.Fatal(err)
			}
			got, secret, _ := strings.Cut(strings.TrimPrefix(configText(t, r), other+"\n"), "secret = ")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			path := strings.TrimPrefix(strings.Trim(secret, "\"\n"), "file:")
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if text, _ := os.ReadFile(path); string(text) != "s3cret\n" || info.Mode().Perm() != 0o600 {
				t.Errorf("%s has %q, %s", path, text, info.Mode())
			}
			runtest.Eventually(t, r.Err, "added to context lab")
			if shown := r.Err.String(); !strings.Contains(shown, test.said) || strings.Contains(shown, "is read at each login") {
				t.Errorf("it says %q", shown)
			}
		})
	}
}

// Whoever does not answer adds nothing.
func TestAddWithoutAnAnswer(t *testing.T) {
	for name, test := range map[string]struct {
		typed []string
		want  string
	}{
		"no server": {[]string{"\x04"}, "nothing was added"},
		"no user":   {[]string{"pbx1", ""}, "nothing was added"},
		"no name":   {[]string{"ops@pbx1", "\x04"}, "nothing was added"},
		"no secret": {[]string{"ops@pbx1", "", ""}, "no secret was given; nothing was added"},
	} {
		t.Run(name, func(t *testing.T) {
			r := withConfig(t, "", run.Globals{})
			r.AtTerminal(t, test.typed...)
			runtest.Refused(t, add(t.Context(), r.Run, &addOptions{context: "lab", noTest: true}), fail.CodeUsage, test.want)
			if got := configText(t, r); got != "" {
				t.Errorf("the configuration is %q", got)
			}
		})
	}
}

// A secret that was typed is tried as it is, before it is in any file.
func TestATypedSecretIsTried(t *testing.T) {
	pbx := runtest.Server(t, "pbx1")
	r := withConfig(t, "", run.Globals{Nodes: flags.List{"ami://" + amitest.DefaultUser + "@" + pbx.Addr()}})
	r.AtTerminal(t, amitest.DefaultSecret)
	if err := add(t.Context(), r.Run, &addOptions{context: "lab", name: "pbx1"}); err != nil {
		t.Fatal(err)
	}
	runtest.Eventually(t, r.Err, "pbx1: logged in, ")
}

// Whoever made a mistake in the editor may go back to it, or give up and keep what was typed.
func TestEditAgain(t *testing.T) {
	const script = `if [ -e "$config.once" ]; then echo '[contexts.b]' >"$1"; else : >"$config.once"; echo 'contxt = 1' >"$1"; fi`
	for answer, again := range map[string]bool{"": true, "y": true, "Y": true, "n": false, "No": false, "\x04": false} {
		r := withEditor(t, "[contexts.lab]\n", script)
		r.AtTerminal(t, answer)
		err := edit(t.Context(), r.Run)
		runtest.Eventually(t, r.Err, "Edit it again? [Y/n] ")
		kept, _ := keptText(t, r)
		if stored := configText(t, r) == "[contexts.b]\n"; stored != again || (err == nil) != again || (kept == "") != again {
			t.Errorf("answer %q: stored: %t, %v; %q is kept", answer, stored, err, kept)
		}
	}
}
