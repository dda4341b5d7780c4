package cli

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	linkTo  = regexp.MustCompile(`\]\(([^): ]*)#([^) ]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	fenced  = regexp.MustCompile("(?ms)^```.*?^```")
	unnamed = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchorsOf are the names that GitHub gives to the headings of a page.
func anchorsOf(text string) (all []string) {
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		name := unnamed.ReplaceAllString(strings.ToLower(strings.TrimSpace(m[1])), "")
		all = append(all, strings.ReplaceAll(name, " ", "-"))
	}
	return all
}

// Links into a page lead to a heading that is there.
func TestLinksToHeadings(t *testing.T) {
	pages := readPages(t)
	found := 0
	for page, text := range pages {
		for _, m := range linkTo.FindAllStringSubmatch(text, -1) {
			to := page
			if m[1] != "" {
				to = path.Join(path.Dir(page), m[1])
			}
			there, ok := pages[to]
			if !ok {
				continue // of a file that is no page, which TestPages looks for, or elsewhere
			}
			if found++; !slices.Contains(anchorsOf(there), m[2]) {
				t.Errorf("%s: %s has no heading #%s", page, to, m[2])
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d links were found", found)
	}
}

// The index leads to every page.
func TestIndexIsWhole(t *testing.T) {
	const index = "docs/README.md"
	pages := readPages(t)
	for page := range pages {
		if page == index || page == "README.md" {
			continue
		}
		rel := strings.TrimPrefix(page, "docs/")
		if rel == page {
			rel = "../" + page
		}
		if !strings.Contains(pages[index], "]("+rel+")") && !strings.Contains(pages[index], "]("+rel+"#") {
			t.Errorf("%s does not lead to %s", index, page)
		}
	}
}

// What TestLinksToHeadings looks for is what GitHub makes.
func TestAnchorsOf(t *testing.T) {
	got := anchorsOf("# A session\n```\n# a comment\n```\n## What keeps 2 true\n### `pkg/ami`: the engine, \"flat\"\n")
	if want := []string{"a-session", "what-keeps-2-true", "pkgami-the-engine-flat"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
