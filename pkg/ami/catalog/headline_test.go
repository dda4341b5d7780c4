package catalog_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami/catalog"
)

// Every headline is of an event that there is, and shows headers that the event has.
func TestHeadlinesAreOfHeadersThatThereAre(t *testing.T) {
	table, err := os.ReadFile("headlines.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		name, template, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(name, "#") {
			continue
		}
		e, ok := catalog.LookupEvent(name)
		if !ok || e.Name != name {
			t.Errorf("there is no event %s", name)
		}
		headline := catalog.HeadlineOf(strings.ToUpper(name))
		if headline == nil || len(headline.Words) == 0 {
			t.Errorf("%s has an empty headline", name)
		}
		if strings.Count(template, "{") != strings.Count(template, "}") {
			t.Errorf("%s: %s", name, template)
		}
		for _, header := range headline.Headers() {
			if !e.Open && !slices.ContainsFunc(e.Headers, func(h catalog.Header) bool { return h.Name == header }) {
				t.Errorf("%s has no header %s", name, header)
			}
		}
	}
	if catalog.HeadlineOf("NoSuchEvent") != nil {
		t.Error("an unknown event has a headline")
	}
}

func TestHeadlineWords(t *testing.T) {
	want := &catalog.Headline{Words: []catalog.HeadlineWord{
		{{Header: "Exten"}, {Text: "@"}, {Header: "Context"}},
		{{Header: "Status"}},
		{{Header: "Hint"}},
	}}
	if diff := cmp.Diff(want, catalog.HeadlineOf("ExtensionStatus")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The headers of a headline are those that it has a place for; how long a channel has been there is no header.
func TestHeadersOfAHeadline(t *testing.T) {
	h := &catalog.Headline{Words: []catalog.HeadlineWord{{{Header: "Channel"}, {Text: "/"}}, {{Header: catalog.Lifetime}, {Header: "Cause"}}}}
	if diff := cmp.Diff([]string{"Channel", "Cause"}, h.Headers()); diff != "" {
		t.Error(diff)
	}
	if none := (*catalog.Headline)(nil).Headers(); none != nil {
		t.Errorf("no headline has %q", none)
	}
}
