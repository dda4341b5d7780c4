package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// News is what a changelog tells of the time since a release.
type news struct {
	version string              // of the newest heading that has one; nothing while all is unreleased
	items   map[string][]string // by the kind of their heading: Added, Changed, …
}

// kinds are those of Keep a Changelog.
var kinds = []string{"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}

// telling are the kinds under which a change that breaks something is told.
var telling = []string{"Changed", "Removed", "Security"}

var versionHeading = regexp.MustCompile(`^## \[?([^\] ]+)\]?`)

// newsSince reads what stands above the heading of a version.
func newsSince(text, version string) news {
	n := news{items: make(map[string][]string)}
	kind := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if m := versionHeading.FindStringSubmatch(line); m != nil {
			if m[1] == version {
				break
			}
			if kind = ""; n.version == "" && m[1] != "Unreleased" {
				n.version = m[1]
			}
			continue
		}
		if title, ok := strings.CutPrefix(line, "### "); ok {
			kind = title
			continue
		}
		if strings.HasPrefix(line, "- ") {
			n.items[kind] = append(n.items[kind], line)
		} else if all := n.items[kind]; len(all) > 0 {
			all[len(all)-1] += "\n" + line
		}
	}
	return n
}

// tells is true if an item of one of the kinds has the word in it.
func (n news) tells(word string, kinds []string) bool {
	whole := regexp.MustCompile(`(^|[^\w-])` + regexp.QuoteMeta(word) + `($|[^\w-])`)
	for _, kind := range kinds {
		if slices.ContainsFunc(n.items[kind], whole.MatchString) {
			return true
		}
	}
	return false
}

// judge says what the changelog lacks, and whether the version's number is too low.
func judge(changes []change, n news, tag string) (wrong []string) {
	for kind := range n.items {
		if !slices.Contains(kinds, kind) {
			wrong = append(wrong, fmt.Sprintf("the changelog has items under %q, which is none of %s", kind, strings.Join(kinds, ", ")))
		}
	}
	added := slices.ContainsFunc(changes, func(c change) bool { return !c.breaking })
	if added && len(n.items["Added"])+len(n.items["Changed"]) == 0 {
		wrong = append(wrong, "something was added, and the changelog has nothing under Added or Changed")
	}
	for _, c := range changes {
		if c.breaking && !n.tells(c.word, telling) {
			wrong = append(wrong, fmt.Sprintf("%s %s: %s, but the changelog does not name %s under %s", c.part, c.name, c.what, c.word, strings.Join(telling, ", ")))
		}
	}
	if want := least(changes, tag); n.version != "" && compareVersions(n.version, want) < 0 {
		wrong = append(wrong, fmt.Sprintf("the changelog's version is %s, and has to be at least %s", n.version, want))
	}
	return wrong
}

// least is the lowest version that may follow a tag with such changes.
func least(changes []change, tag string) string {
	v := numbers(tag)
	switch {
	case strings.Contains(tag, "-") || v[0] == 0: // nothing is promised yet
		if strings.Contains(tag, "-") {
			return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2])
		}
		return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]+1)
	case slices.ContainsFunc(changes, func(c change) bool { return c.breaking }):
		return fmt.Sprintf("%d.0.0", v[0]+1)
	case len(changes) > 0:
		return fmt.Sprintf("%d.%d.0", v[0], v[1]+1)
	}
	return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]+1)
}

// numbers are the three of a version; those of what comes before it, such as -rc.1, are left out.
func numbers(version string) (v [3]int) {
	version, _, _ = strings.Cut(strings.TrimPrefix(version, "v"), "-")
	for i, text := range strings.SplitN(version, ".", 3) {
		v[i], _ = strconv.Atoi(text)
	}
	return v
}

// compareVersions compares the three numbers.
func compareVersions(a, b string) int {
	x, y := numbers(a), numbers(b)
	return slices.Compare(x[:], y[:])
}
