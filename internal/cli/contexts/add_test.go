package contexts

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami"
)

// Two nodes whose names become the same file name keep secrets of their own.
func TestSecretsKeepFilesOfTheirOwn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a-b-c.secret")
	one := newNode{context: "a-b", name: "c", typed: ami.NewSecret("first"), file: file}
	two := newNode{context: "a", name: "b-c", typed: ami.NewSecret("second"), file: file}
	if err := errors.Join(one.storeSecret(), two.storeSecret()); err != nil {
		t.Fatal(err)
	}
	for n, want := range map[*newNode]string{&one: "first\n", &two: "second\n"} {
		if text, err := os.ReadFile(strings.TrimPrefix(n.config.Secret, "file:")); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", n.config.Secret, text, err)
		}
	}
}

// A secret's file is found from any folder later; what is of the user's home stays so, for another user of the same configuration.
func TestWhereASecretIs(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for said, want := range map[string]string{
		"file:pbx.secret":      "file:" + filepath.Join(here, "pbx.secret"),
		"file:/etc/pbx.secret": "file:/etc/pbx.secret",
		"file:~/pbx.secret":    "file:~/pbx.secret",
		"env:PBX":              "env:PBX",
		"cmd:pass show pbx":    "cmd:pass show pbx",
		"pbx.secret":           "",
	} {
		var n newNode
		err := gatherSecret(runtest.New(t, runtest.Setup{}).Run, &addOptions{secret: said}, &n)
		if n.config.Secret != want || (err == nil) != (want != "") {
			t.Errorf("--secret %s: %q is stored, %v", said, n.config.Secret, err)
		}
	}
}
