package serve

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/config"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/serve/users"
)

// The help has a configuration that can be read, with every key that there is, and every path of the HTTP door.
func TestHelpIsWhole(t *testing.T) {
	d := daemonOf(t, section(t, "Configuration:"))
	for i, v := 0, reflect.ValueOf(d.Serve); i < v.NumField(); i++ {
		key := v.Type().Field(i).Tag.Get("toml")
		if v.Field(i).IsZero() {
			t.Errorf("the help does not say serve.%s", key)
		}
		if flag := strings.ReplaceAll(key, "_", "-"); !hasFlag(flag) {
			t.Errorf("the key serve.%s is that of no flag", key)
		}
	}
	if len(d.Users) != 1 || len(d.Users[0].Actions) == 0 {
		t.Errorf("the users of the help are %+v", d.Users)
	}
	document, err := os.ReadFile("../../serve/web/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	there := make(map[string]bool)
	for _, path := range regexp.MustCompile(`(/[\w./{}]*)`).FindAllString(section(t, "Paths:"), -1) {
		there[path] = true
	}
	for path := range gjson.GetBytes(document, "paths").Map() {
		if !there[path] {
			t.Errorf("the help does not say %s", path)
		}
	}
}

// What a package puts into /etc/amictl is a configuration as it is, and one with every key of a user once it is uncommented.
func TestPackagedConfiguration(t *testing.T) {
	text, err := os.ReadFile("../../../packaging/etc/config.toml")
	if err != nil {
		t.Fatal(err)
	}
	if d := daemonOf(t, string(text)); len(d.Users) > 0 || d.Serve.HTTP != "" {
		t.Errorf("it says something: %+v", d)
	}
	_, commented, _ := strings.Cut(string(text), "\n#\n# context")
	plain := strings.ReplaceAll("\n# context"+commented, "\n# ", "\n")
	if d := daemonOf(t, strings.ReplaceAll(plain, "\n#\n", "\n")); d.Serve.HTTP == "" || len(d.Users) != 1 {
		t.Errorf("uncommented it says %+v", d)
	}
	if !strings.Contains(plain, users.Example) {
		t.Errorf("it has another user than the help:\n%s", plain)
	}
}

// section is what stands behind a heading of the help, up to the next.
func section(t *testing.T, heading string) string {
	t.Helper()
	_, text, ok := strings.Cut(description(), "\n"+heading+"\n")
	if !ok {
		t.Fatalf("the help has no %q", heading)
	}
	var lines []string
	for line := range strings.Lines(text) {
		if line != "\n" && !strings.HasPrefix(line, "  ") {
			break
		}
		lines = append(lines, strings.TrimPrefix(line, "  "))
	}
	return strings.Join(lines, "")
}

// daemonOf reads a configuration.
func daemonOf(t *testing.T, text string) *config.Daemon {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path)
	if err != nil {
		t.Fatalf("%v of\n%s", err, text)
	}
	d, err := c.Daemon()
	if err != nil {
		t.Fatalf("%v of\n%s", err, text)
	}
	return d
}

// hasFlag reports whether serve has a flag.
func hasFlag(name string) bool {
	for _, f := range Command(run.New(nil, nil, nil, nil, nil)).Flags {
		if f.Names()[0] == name {
			return true
		}
	}
	return false
}
