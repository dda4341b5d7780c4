//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/skip"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

const examples = "../../examples"

// example reads a file of the examples.
func example(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(examples, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// service is what compose.yaml says of one of them.
func service(t *testing.T, name string) string {
	t.Helper()
	m := regexp.MustCompile(`(?ms)^  ` + name + `:\n((?:    .*?\n|\n)+)`).FindStringSubmatch(example(t, "compose.yaml"))
	if m == nil {
		t.Fatalf("compose.yaml has no service %s", name)
	}
	return m[1]
}

// The daemon of the example, run as it is there, reaches its servers with the secret that they have.
func TestExamplesServe(t *testing.T) {
	secret := regexp.MustCompile(`(?m)^secret = (.*)$`).FindStringSubmatch(example(t, "asterisk/manager.conf"))
	if secret == nil || strings.TrimSpace(example(t, "asterisk/pbx.secret")) != secret[1] {
		t.Fatalf("pbx.secret is not the secret %q of manager.conf", secret)
	}
	file := filepath.Join(t.TempDir(), "pbx.secret")
	if err := os.WriteFile(file, []byte(secret[1]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var args []string
	for _, m := range regexp.MustCompile(`(?m)^      - (--\S+)(?: #.*)?$`).FindAllStringSubmatch(service(t, "serve"), -1) {
		args = append(args, m[1])
	}
	if len(args) < 5 {
		t.Fatalf("only %q was found", args)
	}
	here := strings.NewReplacer("--http=127.0.0.1:8080", "--http=127.0.0.1:0", "--nats=nats://nats:4222", "--nats=embedded",
		"/run/secrets/pbx", file)
	for i := range args {
		for _, name := range []string{"pbx1", "pbx2"} {
			if strings.Contains(args[i], name+":5038") {
				server := amitest.NewServer(amitest.WithUsers(amitest.User{Name: "amictl", Secret: secret[1], Read: amitest.ClassAll, Write: amitest.ClassAll}))
				defer server.Close()
				args[i] = strings.Replace(args[i], name+":5038", server.Addr(), 1)
			}
		}
		args[i] = here.Replace(args[i])
	}
	d := serving(t, []string{"STATE_DIRECTORY=" + t.TempDir(), "AMICTL_CONFIG=" + os.DevNull}, append(args, "--require", "2")...)
	for end := time.Now().Add(patience); d.status("/readyz", "") != 200; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not reach its servers")
		}
	}
}

// The files that compose.yaml mounts are there, and those that name each other agree.
func TestExamplesAgree(t *testing.T) {
	mounts := regexp.MustCompile(`(?m)^ +- (\.\.?/[^:]+):([^:]+):ro$`).FindAllStringSubmatch(example(t, "compose.yaml"), -1)
	if len(mounts) < 8 {
		t.Fatalf("only %d mounts were found", len(mounts))
	}
	at := make(map[string]string)
	for _, m := range mounts {
		if _, err := os.Stat(filepath.Join(examples, m[1])); err != nil {
			t.Error(err)
		}
		at[m[2]] = m[1]
	}
	for file, says := range map[string]string{
		"prometheus/prometheus.yml":          strings.TrimPrefix(regexp.MustCompile(`--http=(\S+)`).FindString(service(t, "serve")), "--http="),
		"grafana/datasources/prometheus.yml": "http://127.0.0.1:9090",
		"grafana/dashboards/amictl.yml":      "path: /etc/dashboards",
		"README.md":                          "--cluster " + strings.TrimPrefix(regexp.MustCompile(`--cluster=\S+`).FindString(service(t, "serve")), "--cluster="),
		"asterisk/manager.conf":              "port = 5038",
	} {
		if !strings.Contains(example(t, file), says) {
			t.Errorf("%s does not say %s", file, says)
		}
	}
	if at["/etc/dashboards/amictl-serve.json"] == "" || at["/etc/prometheus/rules/amictl-serve.yml"] == "" {
		t.Errorf("dashboard or alerts are not mounted: %v", at)
	}
	for _, shares := range []string{"prometheus", "grafana"} {
		if !strings.Contains(service(t, shares), `network_mode: "service:serve"`) {
			t.Errorf("%s is not where serve's door is", shares)
		}
	}
}

// Each file of the examples is right by the program that reads it.
func TestExamplesByTheirTools(t *testing.T) {
	prometheus := t.TempDir()
	for from, to := range map[string]string{"examples/prometheus/prometheus.yml": "prometheus.yml", "docs/prometheus/amictl-serve.rules.yml": "rules/amictl-serve.yml"} {
		text, err := os.ReadFile(filepath.Join("../..", from))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(prometheus, to)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(prometheus, to), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name, program, says string
		args                []string
	}{
		{"compose", "docker-compose", "", []string{"-f", filepath.Join(examples, "compose.yaml"), "config", "-q"}},
		{"prometheus", "promtool", "1 rule files found", []string{"check", "config", filepath.Join(prometheus, "prometheus.yml")}},
		{"nats", "go", "is valid", []string{"run", "github.com/nats-io/nats-server/v2", "-t", "-c", filepath.Join(examples, "nats.conf")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path, err := exec.LookPath(tt.program)
			if err != nil {
				skip.Loudly(t, tt.program+" is not here")
			}
			c := exec.CommandContext(t.Context(), path, tt.args...) //nolint:gosec // the test's own
			c.Env = append(os.Environ(), "AMICTL_USER=1000:1000")
			out, err := c.CombinedOutput()
			if err != nil || !strings.Contains(string(out), tt.says) {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
