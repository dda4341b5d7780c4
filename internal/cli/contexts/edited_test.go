package contexts

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/cli/config"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
)

// two is a configuration whose current context is lab.
const two = "context = \"lab\"\n# mine\n[contexts.lab]\nprotect = true\n[contexts.test]\n"

// What edits one line or table leaves the others, and says what it has done.
func TestEdits(t *testing.T) {
	for name, test := range map[string]struct {
		do       func(context.Context, *run.Run, *options) error
		args     []string
		want     string
		said     string
		previous string // "": none is remembered
	}{
		"remove the current one": {remove, []string{"lab"}, "# mine\n[contexts.test]\n", "context lab removed\namictl: it was the current one; `amictl context use NAME` chooses another\n", ""},
		"remove another":         {remove, []string{"test"}, "context = \"lab\"\n# mine\n[contexts.lab]\nprotect = true\n", "context test removed\n", ""},
		"rename the current one": {rename, []string{"lab", "l2"}, strings.NewReplacer(`"lab"`, `"l2"`, ".lab", ".l2").Replace(two), "context lab is now l2\n", ""},
		"rename another":         {rename, []string{"test", "t2"}, strings.ReplaceAll(two, ".test", ".t2"), "context test is now t2\n", ""},
		"use another":            {use, []string{"test"}, strings.ReplaceAll(two, `"lab"`, `"test"`), "the current context is now test\n", "lab\n"},
		"use the current one":    {use, []string{"lab"}, two, "the current context is now lab\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := withConfig(t, two, run.Globals{})
			if err := test.do(t.Context(), r.Run, &options{args: test.args}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, configText(t, r)); diff != "" {
				t.Error(diff)
			}
			if !strings.HasSuffix(r.Err.String(), test.said) || strings.Count(r.Err.String(), "\n") != strings.Count(test.said, "\n") {
				t.Errorf("it says %q", r.Err)
			}
			path, _ := r.ConfigPath()
			if previous, _ := os.ReadFile(path + config.PreviousSuffix); string(previous) != test.previous {
				t.Errorf("the previous context is %q", previous)
			}
		})
	}
}

// There is nothing to go back to from the first context that is ever chosen.
func TestUseForTheFirstTime(t *testing.T) {
	r := withConfig(t, "[contexts.lab]\n", run.Globals{})
	if err := use(t.Context(), r.Run, &options{args: []string{"lab"}}); err != nil {
		t.Fatal(err)
	}
	path, _ := r.ConfigPath()
	if _, err := os.Stat(path + config.PreviousSuffix); !os.IsNotExist(err) {
		t.Errorf("a previous context is remembered: %v", err)
	}
	if err := os.WriteFile(path+config.PreviousSuffix, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	runtest.Refused(t, use(t.Context(), r.Run, &options{args: []string{"-"}}), fail.CodeUsage, "there is no previous context")
}

func TestEditsAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(context.Context, *run.Run, *options) error
		args []string
		want string
	}{
		"remove none":          {remove, nil, "context remove takes one name"},
		"remove two":           {remove, []string{"lab", "test"}, "context remove takes one name"},
		"remove what is not":   {remove, []string{"lba"}, `there is no context "lba"`},
		"rename without a new": {rename, []string{"lab"}, "takes the old name and the new one"},
		"rename to nothing":    {rename, []string{"lab", ""}, "takes the old name and the new one"},
		"rename what is not":   {rename, []string{"lba", "l2"}, `there is no context "lba"`},
		"rename to another":    {rename, []string{"lab", "test"}, `there is a context "test" already`},
		"use two":              {use, []string{"lab", "test"}, "context use takes one name"},
	} {
		t.Run(name, func(t *testing.T) {
			r := withConfig(t, two, run.Globals{})
			runtest.Refused(t, test.do(t.Context(), r.Run, &options{args: test.args}), fail.CodeUsage, test.want)
			if got := configText(t, r); got != two {
				t.Errorf("the configuration is %q", got)
			}
		})
	}
}
