package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/cli/fail"
)

// Whatever the environment lacks, nothing in a stranger's folder is taken for a configuration, and no command of it is run.
func TestNothingIsReadFromAStrangersFolder(t *testing.T) {
	p := newProcess(t)
	stranger := filepath.Join(p.home, "stranger")
	marker := filepath.Join(p.home, "marker")
	trap := "context = \"x\"\n[contexts.x]\nuser = \"admin\"\nsecret = \"cmd:touch " + marker + "; echo secret\"\n" +
		"[contexts.x.nodes.a]\nurl = \"ami://" + p.server.Addr() + "\"\n"
	for _, name := range []string{".config/amictl/config.toml", "amictl/config.toml", "config.toml", "~/.config/amictl/config.toml", "x/amictl/config.toml", "x/.config/amictl/config.toml"} {
		p.file("stranger/"+name, trap)
	}
	p.file("stranger/.previous", "x\n")
	for _, env := range [][]string{
		{},
		{"HOME="},
		{"HOME=."},
		{"HOME=x"},
		{"HOME=~"},
		{"XDG_CONFIG_HOME=."},
		{"XDG_CONFIG_HOME=.config"},
		{"XDG_CONFIG_HOME=", "HOME="},
		{"XDG_CONFIG_HOME=x", "HOME=" + p.home},
		{"XDG_CONFIG_HOME=../stranger/x", "HOME=../stranger"},
	} {
		for _, args := range []string{"send Ping", "health", "tail --count 1", "context check", "context use -"} {
			var stderr bytes.Buffer
			c := p.command(append([]string{"amictl"}, strings.Fields(args)...)...)
			c.Env = slices.Concat(inherited(), []string{"PATH=" + os.Getenv("PATH")}, env)
			c.Dir, c.Stderr = stranger, &stderr
			_ = c.Run()
			if status := c.ProcessState.ExitCode(); status != fail.ExitUsage {
				t.Errorf("%v amictl %s: status %d: %s", env, args, status, stderr.String())
			}
			if _, err := os.Stat(marker); err == nil {
				t.Fatalf("%v amictl %s: the stranger's command was run", env, args)
			}
		}
	}
	if n := p.server.Ledger().Sessions; n != 0 {
		t.Errorf("%d sessions", n)
	}
}
