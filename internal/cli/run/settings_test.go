package run

import (
	"errors"
	"math"
	"os"
	"os/user"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/cli/fail"
)

func TestFirst(t *testing.T) {
	m := newRun(t, map[string]string{"SET": "e", "EMPTY": ""})
	for _, tt := range []struct{ flag, env, context, file, def, value, source string }{
		{"f", "SET", "c", "l", "d", "f", "flag"},
		{"", "SET", "c", "l", "d", "e", "SET"},
		{"", "EMPTY", "c", "l", "d", "c", "context"},
		{"", "UNSET", "c", "l", "d", "c", "context"},
		{"", "", "c", "l", "d", "c", "context"},
		{"", "", "", "l", "d", "l", "file"},
		{"", "UNSET", "", "", "d", "d", "default"},
		{"", "", "", "", "", "", ""},
	} {
		if value, source := m.First(tt.flag, tt.env, tt.context, tt.file, tt.def); value != tt.value || source != tt.source {
			t.Errorf("%q: %q of %q", tt, value, source)
		}
	}
}

const layered = `
context = "lab"
output = "wide"
timeout = "4s"
connect_timeout = "5s"
color = "always"
[contexts.lab]
output = "jsonl"
timeout = "6s"
connect_timeout = "7s"
color = "never"
[contexts.bare]
user = "x"
`

// Each setting is from the first that says it, and `config explain` shows whom.
func TestSettingsAreFromTheFirstThatSaysThem(t *testing.T) {
	path := writeFile(t, "c.toml", layered)
	vars := map[string]string{"AMICTL_CONFIG": path}
	more := map[string]string{"AMICTL_CONFIG": path, "AMICTL_CONTEXT": "bare", "AMICTL_OUTPUT": "csv", "AMICTL_TIMEOUT": "8s", "AMICTL_SECRET_FILE": "/s", "AMICTL_NODE": "n1"}
	for name, tt := range map[string]struct {
		vars map[string]string
		args []string
		want []string
	}{
		"defaults": {nil, nil, []string{"context=", "output=auto default", "timeout=30s default", "connect-timeout=", "color=auto default", "secret-file=", "node="}},
		"context": {vars, nil, []string{
			"context=lab file", "output=jsonl context", "timeout=6s context", "connect-timeout=7s context", "color=never context", "secret-file=", "node=",
		}},
		"file": {vars, []string{"-C", "bare"}, []string{
			"context=bare flag", "output=wide file", "timeout=4s file", "connect-timeout=5s file", "color=always file", "secret-file=", "node=",
		}},
		"environment": {more, nil, []string{
			"context=bare AMICTL_CONTEXT", "output=csv AMICTL_OUTPUT", "timeout=8s AMICTL_TIMEOUT", "connect-timeout=5s file", "color=always file", "secret-file=/s AMICTL_SECRET_FILE", "node=n1 AMICTL_NODE",
		}},
		"flags": {more, []string{"-C", "lab", "-o", "raw", "--timeout", "9s", "--connect-timeout", "10s", "--color", "auto", "--secret-file", "/f", "-n", "n2"}, []string{
			"context=lab flag", "output=raw flag", "timeout=9s flag", "connect-timeout=10s flag", "color=auto flag", "secret-file=/f flag", "node=n2 flag",
		}},
		// With --local a context says nothing.
		"local": {vars, []string{"--local"}, []string{
			"context=lab file", "output=wide file", "timeout=4s file", "connect-timeout=5s file", "color=always file", "secret-file=", "node=",
		}},
	} {
		m := newRun(t, tt.vars, tt.args...)
		s, err := m.ResolveSettings(configMustBeRight)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, x := range s.Explain() {
			got = append(got, strings.TrimSpace(x.Name+"="+x.Value+" "+x.Source))
		}
		if diff := cmp.Diff(tt.want, got[1:]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		effect := []string{s.Context, string(s.Output), s.Timeout.String(), s.ConnectTimeout.String(), string(s.color), s.SecretFile, s.SecretFileFrom}
		wanted := make([]string, 6, 7)
		for i := range wanted {
			_, value, _ := strings.Cut(got[i+1], "=")
			wanted[i], _, _ = strings.Cut(value, " ")
		}
		if wanted[3] == "" {
			wanted[3] = "0s" // the engine's own defaults hold
		}
		if diff := cmp.Diff(append(wanted, s.sources[6].Source), effect); diff != "" {
			t.Errorf("%s: it has not what it explains: %s", name, diff)
		}
	}
}

// A value that makes no sense is refused, with who gave it and what it may be. The first one is told.
func TestSettingsThatMakeNoSense(t *testing.T) {
	for _, tt := range []struct {
		config string
		vars   map[string]string
		texts  []string
	}{
		{"", map[string]string{"AMICTL_OUTPUT": "xml"}, []string{`output "xml" (AMICTL_OUTPUT): not one of auto, table`, "jsonl, json, csv"}},
		{"color = 'red'", nil, []string{`color "red" (file): not one of auto, always, never`, "auto, always or never"}},
		{"timeout = '10'", nil, []string{`timeout "10" (file): `, "such as 500ms, 10s or 2m"}},
		{"connect_timeout = 'x'", nil, []string{`connect-timeout "x" (file): `, "such as 500ms"}},
		{"color = 'red'\ntimeout = 'y'", nil, []string{`timeout "y"`}},
	} {
		path := writeFile(t, "c.toml", tt.config)
		vars := map[string]string{"AMICTL_CONFIG": path}
		for k, v := range tt.vars {
			vars[k] = v
		}
		_, err := newRun(t, vars).ResolveSettings(configMustBeRight)
		refused(t, err, fail.CodeUsage, tt.texts...)
	}
	for _, o := range outputs { // those of single subcommands as well
		m := resolved(t, map[string]string{"AMICTL_OUTPUT": string(o)})
		if m.Settings.Output != o {
			t.Errorf("%s became %s", o, m.Settings.Output)
		}
	}
	for _, c := range []string{"auto", "always", "never"} {
		if m := resolved(t, nil, "--color", c); string(m.Settings.color) != c {
			t.Errorf("%s became %s", c, m.Settings.color)
		}
	}
}

// A configuration that somebody named has to be there, but for who makes it; the one at the usual place may be missing.
func TestConfigurationThatIsNotThere(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.toml")
	if s, err := newRun(t, nil).ResolveSettings(configMustBeRight); err != nil || !strings.HasSuffix(s.Config.Path, ".config/amictl/config.toml") {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := newRun(t, nil, "--config", missing).ResolveSettings(ConfigMayBeNew); err != nil || s.Config.Path != missing {
		t.Errorf("%+v, %v", s, err)
	}
	_, err := newRun(t, nil, "--config", missing).ResolveSettings(configMustBeRight)
	refused(t, err, fail.CodeConfig, missing+" does not exist", "amictl context --help")
	_, err = newRun(t, map[string]string{"AMICTL_CONFIG": missing}).ResolveSettings(configMustBeRight)
	refused(t, err, fail.CodeConfig, missing+" does not exist")
	if s, err := newRun(t, nil, "--config", missing, "--timeout", "3s").ResolveSettings(ConfigMayBeBroken); err != nil || s.Config.Path != missing || s.Timeout != 3*time.Second {
		t.Errorf("%+v, %v", s, err)
	}
}

// A broken configuration stops all but the subcommands that use no server.
func TestConfigurationThatIsBroken(t *testing.T) {
	broken := writeFile(t, "c.toml", "timeout =")
	for _, need := range []configNeed{configMustBeRight, ConfigMayBeNew} {
		_, err := newRun(t, nil, "--config", broken).ResolveSettings(need)
		refused(t, err, fail.CodeConfig, broken)
	}
	if s, err := newRun(t, nil, "--config", broken).ResolveSettings(ConfigMayBeBroken); err != nil || s.Output != OutputAuto {
		t.Errorf("%+v, %v", s, err)
	}
	// So is one with a value that makes no sense; one that is right is used.
	if s, err := newRun(t, nil, "--config", writeFile(t, "c.toml", "timeout = '5s'\noutput = 'xml'")).ResolveSettings(ConfigMayBeBroken); err != nil || s.Timeout != 30*time.Second {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := newRun(t, nil, "--config", writeFile(t, "c.toml", layered)).ResolveSettings(ConfigMayBeBroken); err != nil || s.Timeout != 6*time.Second {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestContextThatIsNotThere(t *testing.T) {
	path := writeFile(t, "c.toml", layered)
	_, err := newRun(t, nil, "--config", path, "-C", "lba").ResolveSettings(configMustBeRight)
	refused(t, err, fail.CodeConfig, `there is no context "lba" in `+path, "lab")
	if s, err := newRun(t, nil, "--config", path, "-C", "lba", "--local").ResolveSettings(configMustBeRight); err != nil || s.Context != "lba" {
		t.Errorf("with --local: %+v, %v", s, err)
	}
	if _, err := newRun(t, nil, "--config", writeFile(t, "c.toml", "timeout = '5s'")).ResolveSettings(configMustBeRight); err != nil {
		t.Errorf("none is asked for: %v", err)
	}
}

func TestConfigPath(t *testing.T) {
	for _, tt := range []struct {
		vars         map[string]string
		args         []string
		path, source string
	}{
		{map[string]string{"AMICTL_CONFIG": "/e", "HOME": "/h"}, []string{"--config", "/f"}, "/f", "flag"},
		{map[string]string{"AMICTL_CONFIG": "e", "HOME": "/h"}, nil, "e", "AMICTL_CONFIG"},
		{map[string]string{"AMICTL_CONFIG": "", "XDG_CONFIG_HOME": "/x", "HOME": "/h"}, nil, "/x/amictl/config.toml", "default"},
		{map[string]string{"XDG_CONFIG_HOME": "x", "HOME": "/h"}, nil, "/h/.config/amictl/config.toml", "default"},
		{map[string]string{"HOME": "/h"}, nil, "/h/.config/amictl/config.toml", "default"},
	} {
		if path, source := newRun(t, tt.vars, tt.args...).ConfigPath(); path != tt.path || source != tt.source {
			t.Errorf("%v: %s of %s", tt, path, source)
		}
	}
}

// Without a HOME that can be one, the user database knows it. A folder that is relative is nobody's home.
func TestHome(t *testing.T) {
	known := func(home string) func(string) (*user.User, error) {
		return func(uid string) (*user.User, error) {
			if uid != strconv.Itoa(os.Getuid()) {
				return nil, errors.New("another user")
			}
			return &user.User{HomeDir: home}, nil
		}
	}
	unknown := func(string) (*user.User, error) { return nil, user.UnknownUserIdError(1) }
	for _, tt := range []struct {
		home   string
		lookup func(string) (*user.User, error)
		want   string
	}{
		{"/h", known("/db"), "/h"},
		{"", known("/db"), "/db"},
		{"h", known("/db"), "/db"},
		{"", known("db"), ""},
		{"h", unknown, ""},
		{"/h", unknown, "/h"},
	} {
		if got := homeOf(tt.home, tt.lookup); got != tt.want {
			t.Errorf("HOME=%q: %q, want %q", tt.home, got, tt.want)
		}
	}
	if got := newRun(t, map[string]string{"HOME": "/h"}).Home(); got != "/h" {
		t.Errorf("it is %q", got)
	}
}

func TestRefuseTimeout(t *testing.T) {
	if err := newRun(t, nil).RefuseTimeout("--for"); err != nil {
		t.Error(err)
	}
	refused(t, newRun(t, nil, "--timeout", "5s").RefuseTimeout("--for"), fail.CodeUsage, "you may mean --for 5s", "there is none here")
}

func TestLists(t *testing.T) {
	m := newRun(t, nil, "-n", "a", "-n", "b", "-l", "x=1", "--fields", "A", "--deadline", "1m")
	if !slices.Equal(m.Flags.Nodes, []string{"a", "b"}) || !slices.Equal(m.Flags.Labels, []string{"x=1"}) || m.Flags.Deadline.Value != time.Minute {
		t.Errorf("%+v", m.Flags)
	}
}

// collector notes how the garbage collector is set, and has it so again behind the test.
func collector(t *testing.T) (read func() (percent int, limit int64)) {
	t.Helper()
	percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(math.MaxInt64)
	t.Cleanup(func() { debug.SetGCPercent(percent); debug.SetMemoryLimit(limit) })
	return func() (int, int64) {
		now := debug.SetGCPercent(100)
		return now, debug.SetMemoryLimit(math.MaxInt64)
	}
}

// Streams have a lazier collector, unless the user has said how it is to be.
func TestFavourStreams(t *testing.T) {
	read := collector(t)
	for _, tt := range []struct {
		gogc, limit string
		percent     int
		bytes       int64
	}{
		{"", "", 400, 1536 << 20},
		{"50", "", 100, 1536 << 20},
		{"", "1GiB", 400, math.MaxInt64},
		{"50", "1GiB", 100, math.MaxInt64},
	} {
		t.Setenv("GOGC", tt.gogc)
		t.Setenv("GOMEMLIMIT", tt.limit)
		FavourStreams()
		if percent, limit := read(); percent != tt.percent || limit != tt.bytes {
			t.Errorf("GOGC=%q GOMEMLIMIT=%q: %d %% and %d bytes", tt.gogc, tt.limit, percent, limit)
		}
	}
}

// The collector is made lazier for a large configuration alone.
func TestLargeConfiguration(t *testing.T) {
	read := collector(t)
	t.Setenv("GOGC", "")
	for size, want := range map[int]int{64 << 10: 100, 64<<10 + 1: 400} {
		path := writeFile(t, "c.toml", "#"+strings.Repeat("x", size-1))
		if _, err := newRun(t, nil, "--config", path).ResolveSettings(configMustBeRight); err != nil {
			t.Fatal(err)
		}
		if percent, _ := read(); percent != want {
			t.Errorf("%d bytes: %d %%, want %d", size, percent, want)
		}
	}
}
