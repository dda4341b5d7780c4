package main

import (
	"fmt"
	"path/filepath"
	"strings"
)

// A change is one of what is promised.
type change struct {
	part     string // of the promises: Go, schema, flag, variable, exit status, subcommand
	name     string // what has changed, and where: ./pkg/ami.Node.Do, health.state, amictl check --every
	word     string // what the changelog has to call it by, if the change breaks something
	what     string
	breaking bool
}

func (c change) String() string {
	kind := "added"
	if c.breaking {
		kind = "BREAKS"
	}
	return fmt.Sprintf("%-6s  %s %s: %s", kind, c.part, c.name, c.what)
}

// apiChanges asks apidiff about the packages that are promised.
func apiChanges(old, now, apidiff string) ([]change, error) {
	module, err := output(now, "go", "list", "-m")
	if err != nil {
		return nil, err
	}
	export := filepath.Join(old, ".git", "api") // in no package's folder
	if _, err := output(old, apidiff, "-m", "-w", export, module); err != nil {
		return nil, err
	}
	text, err := output(now, apidiff, "-m", export, module)
	if err != nil {
		return nil, err
	}
	return readAPIDiff(text, module), nil
}

// readAPIDiff reads what apidiff prints: a line a change under two headings.
func readAPIDiff(text, module string) (all []change) {
	breaking := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if heading, ok := strings.CutSuffix(line, "compatible changes:"); ok {
			breaking = heading == "In"
			continue
		}
		if strings.HasPrefix(line, "Compatible changes:") {
			breaking = false
			continue
		}
		line, ok := strings.CutPrefix(line, "- ")
		if !ok {
			continue
		}
		line = strings.TrimPrefix(strings.Replace(line, module, ".", 1), "package ")
		name, what, _ := strings.Cut(line, ": ")
		if !strings.HasPrefix(name, "./pkg/") || strings.HasPrefix(name, "./pkg/ami/simtest") {
			continue
		}
		all = append(all, change{part: "Go", name: name, word: name[strings.LastIndexAny(name, "./")+1:], what: what, breaking: breaking})
	}
	return all
}
