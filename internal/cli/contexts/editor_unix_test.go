//go:build unix

package contexts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
)

// withEditor is a run whose editor is a shell script, which has the file in $1 and the configuration itself in $config.
func withEditor(t *testing.T, before, script string) *runtest.Run {
	t.Helper()
	r := withConfig(t, before, run.Globals{})
	path, _ := r.ConfigPath()
	editor := filepath.Join(t.TempDir(), "editor")
	if err := os.WriteFile(editor, []byte("config='"+path+"'\n"+script+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := r.Env
	r.Env = func(name string) (string, bool) {
		switch name {
		case "VISUAL":
			return "  ", true // as good as none
		case "EDITOR":
			return "sh " + editor, true
		}
		return env(name)
	}
	return r
}

// keptText is what is left of what was typed, beside the configuration, and where it is.
func keptText(t *testing.T, r *runtest.Run) (text, path string) {
	t.Helper()
	config, _ := r.ConfigPath()
	kept, err := filepath.Glob(filepath.Join(filepath.Dir(config), "edit-*.toml"))
	if err != nil || len(kept) > 1 {
		t.Fatal(kept, err)
	}
	if len(kept) == 0 {
		return "", ""
	}
	read, err := os.ReadFile(kept[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(read), kept[0]
}

// What is right replaces the configuration; what is not stays beside it, and so does what an editor left that failed.
func TestEditor(t *testing.T) {
	const before = "[contexts.lab]\n"
	for name, test := range map[string]struct {
		before, script string
		refused        string // "": it is not
		want, kept     string
		said           string
	}{
		"a change":                 {before, `echo '[contexts.b]' >>"$1"`, "", before + "[contexts.b]\n", "", "stored"},
		"no change":                {before, `:`, "", before, "", "nothing was changed"},
		"a first text":             {"", `echo '[contexts.b]' >"$1"`, "", "[contexts.b]\n", "", "stored"},
		"a mistake":                {before, `echo 'contxt = 1' >"$1"`, "your changes are kept there", before, "contxt = 1\n", ""},
		"a failure":                {before, `exit 3`, "nothing was stored", before, "", ""},
		"a change, then a failure": {before, `echo '[contexts.b]' >"$1"; exit 3`, "nothing was stored; your changes are kept in ", before, "[contexts.b]\n", ""},
		"somebody was quicker":     {before, `echo '# theirs' >"$config"; echo '[contexts.b]' >"$1"`, "was changed meanwhile, and nothing was stored; your changes are kept in ", "# theirs\n", "[contexts.b]\n", ""},
		"the file is gone":         {before, `rm "$1"`, "the edited config cannot be read", before, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := withEditor(t, test.before, test.script)
			err := edit(t.Context(), r.Run)
			kept, path := keptText(t, r)
			if test.refused != "" {
				runtest.Refused(t, err, fail.CodeConfig, test.refused)
				if message := fail.Classify(err).Message; strings.Contains(message, "changes are kept") != (kept != "") || strings.Count(message, path) < 1 {
					t.Errorf("%q is kept in %s, and it says %q", kept, path, message)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			if got := configText(t, r); got != test.want || kept != test.kept {
				t.Errorf("the configuration is %q, and %q is kept", got, kept)
			}
			if !strings.Contains(r.Err.String(), test.said) || (test.said == "") != (r.Err.String() == "") {
				t.Errorf("it says %q", r.Err)
			}
		})
	}
}

func TestEditOfNoPlace(t *testing.T) {
	r := withEditor(t, "", ":")
	r.Flags.Config = t.TempDir()
	runtest.Refused(t, edit(t.Context(), r.Run), fail.CodeConfig, "the config cannot be read")
}
