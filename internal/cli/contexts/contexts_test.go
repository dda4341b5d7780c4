package contexts

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/config"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

func TestPrinted(t *testing.T) {
	pbx := runtest.Server(t, "pbx1")
	for name, test := range map[string]struct {
		do         func(context.Context, *run.Run, *options) error
		path, want string
	}{
		"list":    {list, "current", "true"},
		"show":    {show, "url", "ami://" + pbx.Addr()},
		"check":   {check, "ok", "true"},
		"explain": {explain, `..#(setting="nodes.pbx1.user").value`, amitest.DefaultUser},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{pbx}})
			if err := test.do(t.Context(), r.Run, &options{}); err != nil {
				t.Fatal(err)
			}
			if got := gjson.Get(r.Out.String(), test.path).String(); got != test.want {
				t.Errorf("%s is %q, want %q, of %s", test.path, got, test.want, r.Out)
			}
		})
	}
}

// The help has every key.
func TestHelpIsWhole(t *testing.T) {
	words := strings.FieldsFunc(help, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') })
	for _, table := range []any{config.File{}, config.Context{}, config.Node{}} {
		for i, v := 0, reflect.TypeOf(table); i < v.NumField(); i++ {
			if key := v.Field(i).Tag.Get("toml"); key != "" && key != "-" && !slices.Contains(words, key) {
				t.Errorf("the help does not say %s", key)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(context.Context, *run.Run, *options) error
		args []string
		want string
	}{
		"show what is not":    {show, []string{"tset"}, `no context "tset"`},
		"show two":            {show, []string{"test", "test"}, "takes one name"},
		"use none":            {use, nil, "takes one name"},
		"use what is not":     {use, []string{"lab"}, `no context "lab"`},
		"use without a first": {use, []string{"-"}, "there is no previous context"},
		"check two":           {check, []string{"test", "test"}, "takes one name"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Config: `protect = true`})
			runtest.Refused(t, test.do(t.Context(), r.Run, &options{args: test.args}), fail.CodeUsage, test.want)
		})
	}
}

// The previous context is remembered, and the rest of the file stays.
func TestUse(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Config: "# mine\n[contexts.other]"})
	if err := use(t.Context(), r.Run, &options{args: []string{"other"}}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(r.Settings.Config.Path)
	if err != nil || !strings.HasPrefix(string(text), "context = \"other\"\n") || !strings.Contains(string(text), "# mine") {
		t.Errorf("the configuration is %s, %v", text, err)
	}
	if err := use(t.Context(), r.Run, &options{args: []string{"-"}}); err != nil {
		t.Fatal(err)
	}
	if text, err = os.ReadFile(r.Settings.Config.Path); err != nil || !strings.HasPrefix(string(text), `context = "test"`) {
		t.Errorf("the configuration is %s, %v", text, err)
	}
}

// A node that cannot be logged in to is told of, and not stored.
func TestAdd(t *testing.T) {
	pbx := runtest.Server(t, "pbx1", amitest.WithFailDelay(0))
	url := "ami://" + amitest.DefaultUser + "@" + pbx.Addr()
	for name, test := range map[string]struct {
		secret string
		want   fail.Code
	}{
		"the right secret": {secret: amitest.DefaultSecret},
		"a wrong one":      {secret: "wrong", want: "login"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "secret")
			if err := os.WriteFile(file, []byte(test.secret), 0o600); err != nil {
				t.Fatal(err)
			}
			r := runtest.New(t, runtest.Setup{Flags: run.Globals{Nodes: flags.List{url}, SecretFile: file}})
			err := add(t.Context(), r.Run, &addOptions{context: "lab", name: "pbx1"})
			if got := fail.Classify(err).Code; got != test.want {
				t.Errorf("the error is %v", err)
			}
			text, _ := os.ReadFile(r.Settings.Config.Path)
			if stored := strings.Contains(string(text), url); stored != (test.want == "") {
				t.Errorf("the configuration is %q", text)
			}
			if kept := strings.Contains(r.Err.String(), file+" is read at each login: keep it"); kept != (test.want == "") {
				t.Errorf("it says %q", r.Err)
			}
			if strings.Contains(string(text), test.secret+`"`) && !strings.Contains(string(text), "file:") {
				t.Errorf("the secret itself is in %q", text)
			}
		})
	}
}
