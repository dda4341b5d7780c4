package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// ours leaves out where a configuration comes from.
var ours = cmpopts.IgnoreUnexported(File{})

const severalContexts = `# ours
context = "lab"
timeout = "5s"

[contexts.lab]   # the first
user = "admin"

[contexts.lab.nodes.pbx1]
url = "ami://127.0.0.1"

# the second
[contexts."a.b"]
user = "x"
[ contexts . 'a.b' . nodes."p 1"]
url = "ami://127.0.0.2"
labels = { context = "lab" }

[contexts.labs]
user = "lab"
`

func TestWithoutContext(t *testing.T) {
	got, err := WithoutContext(severalContexts, "lab")
	want := "# ours\ntimeout = \"5s\"\n\n" + severalContexts[strings.Index(severalContexts, "[contexts.\"a.b\"]"):]
	if err != nil || got != want {
		t.Errorf("%v\n%s", err, cmp.Diff(want, got))
	}
	got, err = WithoutContext(severalContexts, "a.b")
	want = severalContexts[:strings.Index(severalContexts, "[contexts.\"a.b\"]")] + "[contexts.labs]\nuser = \"lab\"\n"
	if err != nil || got != want {
		t.Errorf("%v\n%s", err, cmp.Diff(want, got))
	}
	if got, err := WithoutContext("[contexts.a]\nuser = \"u\"\n", "a"); err != nil || got != "" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestWithContextRenamed(t *testing.T) {
	got, err := WithContextRenamed(severalContexts, "lab", "my test")
	want := strings.NewReplacer(`context = "lab"`+"\ntimeout", `context = "my test"`+"\ntimeout", "[contexts.lab]", `[contexts."my test"]`, "[contexts.lab.nodes", `[contexts."my test".nodes`).Replace(severalContexts)
	if err != nil || got != want {
		t.Errorf("%v\n%s", err, cmp.Diff(want, got))
	}
	got, err = WithContextRenamed(severalContexts, "a.b", "b")
	want = strings.NewReplacer(`contexts."a.b"`, "contexts.b", `contexts . 'a.b' `, "contexts . b ").Replace(severalContexts)
	if err != nil || got != want {
		t.Errorf("%v\n%s", err, cmp.Diff(want, got))
	}
}

// What is written another way than by lines that begin tables is left alone, and so is what only looks like such a line.
func TestContextsThatOnlyAnEditorCanChange(t *testing.T) {
	for _, text := range []string{
		"[contexts]\nlab = { user = \"u\" }\n",
		"contexts.lab.user = \"u\"\n",
		"[contexts]\n[contexts.lab]\nuser = \"u\"\nsecret = '''cmd:cat <<X\n[contexts.other]\nX'''\n",
	} {
		if got, err := WithoutContext(text, "lab"); err == nil {
			t.Errorf("%q became %q", text, got)
		}
		if got, err := WithContextRenamed(text, "lab", "b"); err == nil && !strings.Contains(text, "'''") {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func FuzzContextsAreRenamedAndBack(f *testing.F) {
	f.Add(severalContexts, "lab", "b c")
	f.Add("[contexts.a]\nuser='x'\n[conteXts.a]\nuser='y'", "a", "b")
	f.Add("[contexts.\"a\\\"b\"]\nuser='x'", `a"b`, "ü")
	f.Fuzz(func(t *testing.T, text, name, to string) {
		before, err := decoded(text)
		if err != nil || name == "" || before.Contexts[name] == nil || before.Contexts[to] != nil { // nobody can name a nameless one
			return
		}
		there, err := WithContextRenamed(text, name, to)
		if err != nil {
			return
		}
		back, err := WithContextRenamed(there, to, name)
		if err != nil {
			t.Fatalf("%q: %v", there, err)
		}
		if after, err := decoded(back); err != nil || !cmp.Equal(before, after, ours) {
			t.Errorf("%v: %s", err, cmp.Diff(before, after, ours))
		}
	})
}
