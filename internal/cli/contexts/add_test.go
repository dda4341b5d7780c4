package contexts

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
