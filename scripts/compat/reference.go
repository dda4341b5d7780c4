package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A promise is a row of the reference: a flag, a variable, an exit status; or a subcommand.
type promise struct {
	part string
	word string // its name alone
	what string // what must stay: whether a flag takes a value, what a status means
}

func referenceChanges(old, now string) ([]change, error) {
	var read [2]map[string]promise
	for i, dir := range []string{old, now} {
		text, err := os.ReadFile(filepath.Join(dir, "docs", "reference.md"))
		if err != nil {
			return nil, err
		}
		read[i] = readReference(string(text))
	}
	return comparePromises(read[0], read[1]), nil
}

func comparePromises(before, after map[string]promise) (all []change) {
	for _, name := range slices.Sorted(maps.Keys(before)) {
		was, is := before[name], after[name]
		switch {
		case is.part == "":
			all = append(all, change{part: was.part, name: name, word: was.word, what: "is gone", breaking: true})
		case was.what != is.what:
			all = append(all, change{part: was.part, name: name, word: was.word, what: fmt.Sprintf("%s, and was: %s", is.what, was.what), breaking: true})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if p := after[name]; before[name].part == "" {
			all = append(all, change{part: p.part, name: name, word: p.word, what: "is new"})
		}
	}
	return all
}

var (
	row      = regexp.MustCompile(`^\| (.+?) \| (.+) \|$`)
	flagName = regexp.MustCompile(`^--?[a-zA-Z]`)
)

// readReference reads the promises of the generated reference, by their names.
func readReference(text string) map[string]promise {
	all := make(map[string]promise)
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if title, ok := strings.CutPrefix(line, "## "); ok {
			if section = title; strings.HasPrefix(title, "amictl ") {
				all[title] = promise{part: "subcommand", word: strings.TrimPrefix(title, "amictl ")}
			}
			continue
		}
		m := row.FindStringSubmatch(line)
		if m == nil || m[1] == "---" {
			continue
		}
		cell, about := strings.Trim(m[1], "`"), m[2]
		switch {
		case section == "Exit status" && cell != "status":
			all["exit status "+cell] = promise{part: "exit status", word: cell, what: about}
		case section == "Environment" && cell != "variable":
			all["$"+cell] = promise{part: "variable", word: cell}
		case flagName.MatchString(cell):
			readFlag(all, section, cell)
		}
	}
	return all
}

// readFlag reads "-C, --context NAME".
func readFlag(all map[string]promise, section, cell string) {
	what := "takes no value"
	var names []string
	for word := range strings.FieldsSeq(strings.ReplaceAll(cell, ",", " ")) {
		if flagName.MatchString(word) {
			names = append(names, word)
		} else {
			what = "takes a value"
		}
	}
	for _, name := range names {
		all[section+" "+name] = promise{part: "flag", word: name, what: what}
	}
}
