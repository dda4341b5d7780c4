package cli

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/cli/completion"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/redact"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// root is the repository's, from here.
const root = "../.."

// What the pages name is there: where links lead, files, tests, commands with their flags, and, as their readers set
// servers up by them, defaults and counters, of which none may be missing either.
func TestPages(t *testing.T) {
	pages := readPages(t)
	tests, sources := readSources(t)
	check := map[string]struct {
		least  int // so many must be found: a pattern that fits nothing proves nothing
		pages  func(name string) bool
		names  *regexp.Regexp
		exists func(page, name string) string // what is wrong, or ""
	}{
		"links": {20, every, regexp.MustCompile(`\]\(([^)#: ]+)(?:#[^)]*)?\)`), func(page, name string) string {
			return exists(filepath.Join(root, filepath.Dir(page), name))
		}},
		"files": {30, current, regexp.MustCompile("`((?:cmd|docs|internal|pkg|scripts|testdata)/[\\w./-]+)`"), func(_, name string) string {
			return exists(filepath.Join(root, name))
		}},
		"files of the engine": {30, func(page string) bool { return page == "docs/DESIGN.md" }, regexp.MustCompile("`([a-z_]+\\.go)`"), func(_, name string) string {
			if !slices.ContainsFunc(slices.Collect(maps.Keys(sources)), func(path string) bool { return filepath.Base(path) == name }) {
				return "there is no such file"
			}
			return ""
		}},
		"tests": {50, every, regexp.MustCompile("`((?:Test|Fuzz)\\w+…?)`"), func(_, name string) string {
			begins, many := strings.CutSuffix(name, "…")
			if !many {
				begins += "("
			}
			if !strings.Contains(tests, "\nfunc "+begins) {
				return "there is no such test"
			}
			return ""
		}},
		"commands": {40, every, regexp.MustCompile("`(amictl [^`]*)`|(?m:^\\$ (?:.*&& )?(amictl .*))"), func(_, line string) string {
			if strings.ContainsAny(line, "…<") || strings.Contains(line, "COMMAND") {
				return "" // it stands for many
			}
			if err := commandExists(line); err != nil {
				return err.Error()
			}
			return ""
		}},
	}
	for what, c := range check {
		t.Run(what, func(t *testing.T) {
			found := 0
			for page, text := range pages {
				if !c.pages(page) {
					continue
				}
				for _, m := range c.names.FindAllStringSubmatch(text, -1) {
					found++
					name := strings.TrimSpace(strings.Join(m[1:], ""))
					if wrong := c.exists(page, name); wrong != "" {
						t.Errorf("%s: %s: %s", page, name, wrong)
					}
				}
			}
			if found < c.least {
				t.Errorf("only %d were found", found)
			}
		})
	}
	guide := pages["docs/operations.md"]
	t.Run("defaults", func(t *testing.T) { defaultsAreExplained(t, guide, sources) })
	t.Run("counters", func(t *testing.T) { countersAreExplained(t, guide, sources) })
}

func every(string) bool { return true }

// current are the pages that tell of today, not of what once was.
func current(page string) bool { return page != "CHANGELOG.md" }

func exists(path string) string {
	if _, err := os.Stat(path); err != nil {
		return "it is not there"
	}
	return ""
}

// readPages returns the text of every page, by its path in the repository.
func readPages(t *testing.T) map[string]string {
	t.Helper()
	pages := make(map[string]string)
	for _, pattern := range []string{"docs/*.md", "*.md", "examples/*.md"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			pages[filepath.Join(filepath.Dir(pattern), filepath.Base(path))] = string(text)
		}
	}
	if len(pages) < 10 {
		t.Fatalf("only %d pages", len(pages))
	}
	return pages
}

// readSources returns the text of all tests, and that of every other Go file by its path.
func readSources(t *testing.T) (tests string, sources map[string]string) {
	t.Helper()
	var all strings.Builder
	sources = make(map[string]string)
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.HasSuffix(path, "_test.go") {
			all.Write(text)
		} else {
			sources[filepath.ToSlash(strings.TrimPrefix(path, root+"/"))] = string(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String(), sources
}

// commandExists reads the first command of a line of shell as amictl would read its arguments: no test runs it, but the
// subcommand and the flags that a page gives it are there.
func commandExists(line string) error {
	line = strings.ReplaceAll(line, `\|`, "|") // as a table has it
	words := completion.SplitLine(strings.TrimSpace(line))[1:]
	for i, w := range words {
		if rest, ends := strings.CutSuffix(w, ";"); ends {
			words = append(words[:i], rest)
			break
		}
		if slices.Contains([]string{"|", ">", "2>", "&&", "||", "#"}, w) {
			words = words[:i]
			break
		}
	}
	r := run.New(words, nil, nil, nil, noEnv)
	arranged, err := arrange(r, everything(r), r.Args)
	if err != nil {
		return err
	}
	if err == nil && !arranged.help {
		return arranged.unwanted()
	}
	return nil
}

// What TestPages holds commands to must be able to fail.
func TestCommandExists(t *testing.T) {
	for line, want := range map[string]bool{
		"amictl send Ping -n pbx1 | jq .": true, "amictl health --nosuch": false, "amictl nosuch": false, "amictl send A -- B": false,
		"amictl wait E -- Ping; echo": true, "amictl context": true, `amictl tail --where 'A=~"x | y"'`: true,
	} {
		if err := commandExists(line); (err == nil) != want {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// defaults are those that the guide explains, by the name that it has for them.
var defaults = map[string]any{
	"DialTimeout": ami.DefaultDialTimeout, "LoginTimeout": ami.DefaultLoginTimeout, "ActionTimeout": ami.DefaultActionTimeout,
	"Keepalive": ami.DefaultKeepalive, "PingTimeout": ami.DefaultPingTimeout, "KeepaliveMisses": ami.DefaultKeepaliveMisses,
	"BackoffMin": ami.DefaultBackoffMin, "BackoffMax": ami.DefaultBackoffMax, "BreakerAfter": ami.DefaultBreakerAfter,
	"LoginBackoffMin": ami.DefaultLoginBackoffMin, "LoginBackoffMax": ami.DefaultLoginBackoffMax,
	"StableAfter": ami.DefaultStableAfter, "Pending": ami.DefaultPending, "WriteBuffer": ami.DefaultWriteBuffer,
	"ListItems": ami.DefaultListItems, "ListBytes": ami.DefaultListBytes, "Unauthorized": ami.DefaultUnauthorized,
	"RingEvents": ami.DefaultRingEvents, "RingBytes": ami.DefaultRingBytes, "Budget": ami.DefaultBudget, "MaxDials": ami.DefaultMaxDials,
	"RedialRate": ami.DefaultRedialRate,
	"Queue":      redact.DefaultQueue, "QueueBytes": redact.DefaultQueueBytes, "CloseTimeout": redact.DefaultCloseTimeout,
	"Banner": wire.DefaultBanner, "Line": wire.DefaultLine, "Headers": wire.DefaultHeaders,
	"Packet": wire.DefaultPacket, "Answer": wire.DefaultAnswer,
}

// defaultsAreExplained wants a row of the guide for each default of the library, with its value in it.
func defaultsAreExplained(t *testing.T, guide string, sources map[string]string) {
	declared := make(map[string]bool)
	constant := regexp.MustCompile(`(?m)^\t?(?:const )?Default(\w+) +=`)
	for path, text := range sources {
		if slices.Contains([]string{"pkg/ami", "pkg/ami/redact", "pkg/ami/wire"}, filepath.ToSlash(filepath.Dir(path))) {
			for _, m := range constant.FindAllStringSubmatch(text, -1) {
				declared[m[1]] = true
			}
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(declared)), slices.Sorted(maps.Keys(defaults))); diff != "" {
		t.Errorf("defaults (-declared +explained):\n%s", diff)
	}
	for name, value := range defaults {
		row := regexp.MustCompile("(?m)^\\|.*`" + name + "`.*$").FindString(guide)
		told := false
		for _, m := range amount.FindAllStringSubmatch(row, -1) {
			told = told || quantity(t, strings.ReplaceAll(m[1], ",", ""), m[2]) == value
		}
		if !told {
			t.Errorf("the row of %s does not say %v: %s", name, value, row)
		}
	}
}

// amount is a number with its unit, as a guide writes it.
var amount = regexp.MustCompile(`\b([0-9](?:[0-9,]*[0-9])?)(?: (ms|s|min|KiB|MiB|GiB)\b)?`)

// quantity is a number with a unit as Go has it: a duration, a count or bytes.
func quantity(t *testing.T, number, unit string) any {
	t.Helper()
	n, err := strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	switch unit {
	case "ms":
		return time.Duration(n) * time.Millisecond
	case "s":
		return time.Duration(n) * time.Second
	case "min":
		return time.Duration(n) * time.Minute
	case "KiB":
		return n << 10
	case "MiB":
		return n << 20
	case "GiB":
		return n << 30
	}
	return n
}

// countersAreExplained wants every counter that there is in the guide, and no other.
func countersAreExplained(t *testing.T, guide string, sources map[string]string) {
	there, explained := make(map[string]bool), make(map[string]bool)
	for path, text := range sources {
		if dir := filepath.ToSlash(filepath.Dir(path)); slices.Contains([]string{"internal/metrics", "internal/cli/health", "internal/cli/check"}, dir) {
			for _, m := range regexp.MustCompile(`"(ami_[a-z_]*[a-z])"`).FindAllStringSubmatch(text, -1) {
				there[m[1]] = true
			}
		}
	}
	for _, m := range regexp.MustCompile(`\bami_[a-z_]*[a-z]`).FindAllString(guide, -1) {
		explained[m] = true
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(there)), slices.Sorted(maps.Keys(explained))); diff != "" || len(there) < 40 {
		t.Errorf("%d counters (-there +explained):\n%s", len(there), diff)
	}
}
