package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/cli/completion"
	"github.com/apntalk/amictl/internal/cli/run"
)

// inline are the commands that stand in a page's text or after a prompt: between backquotes, or behind "$ ".
var inline = regexp.MustCompile("`(amictl [^`]*)`|(?m:^\\$ (?:.*&& )?(amictl .*))")

// Commands that no test runs, in tables, in text and in transcripts of terminals, are at least commands: each has the
// subcommand and the flags that the page gives it.
func TestCommandsOfPagesExist(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	found := 0
	for _, page := range append(pages, "../../README.md", "../../SECURITY.md", "../../CONTRIBUTING.md", "../../CHANGELOG.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range inline.FindAllStringSubmatch(string(text), -1) {
			line := strings.TrimSpace(m[1] + m[2])
			if strings.ContainsAny(line, "…<") || strings.Contains(line, "COMMAND") {
				continue // it stands for many
			}
			found++
			if err := commandExists(line); err != nil {
				t.Errorf("%s: %s: %v", filepath.Base(page), line, err)
			}
		}
	}
	if found < 40 {
		t.Errorf("only %d commands were found", found)
	}
}

// commandExists reads the first command of a line of shell as amictl would read its arguments.
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
	arranged, err := arrange(r, Commands(r), r.Args)
	if err != nil && !strings.Contains(err.Error(), "needs a subcommand") { // a group is named alone
		return err
	}
	if err == nil && !arranged.help {
		return arranged.unwanted()
	}
	return nil
}

// What the test above holds to is no more than that: it must be able to fail.
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
