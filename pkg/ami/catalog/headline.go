package catalog

import (
	_ "embed"
	"strings"
	"sync"
)

//go:embed headlines.tsv
var headlineTable string

// A Headline is what somebody should see of an event, in order.
type Headline struct {
	Words   []HeadlineWord
	Outcome Outcome // of the event whatever it holds
}

// A HeadlineWord is text and headers that stand together, as in Exten@Context. It is to be left out if none of its headers
// holds something.
type HeadlineWord []HeadlinePart

// A HeadlinePart is the value of a header, or if that is "", text.
type HeadlinePart struct{ Header, Text string }

// Lifetime in place of a header is how long the event's channel has been there.
const Lifetime = "+lifetime"

// HeadlineOf returns the headline of an event, whatever the case of its name, or nil. The caller must not change it.
func HeadlineOf(event string) *Headline { return headlines()[strings.ToLower(event)] }

// Headers are the headers that a headline shows; none if it is nil.
func (h *Headline) Headers() (names []string) {
	if h == nil {
		return nil
	}
	for _, word := range h.Words {
		for _, part := range word {
			if part.Header != "" && part.Header != Lifetime {
				names = append(names, part.Header)
			}
		}
	}
	return names
}

var headlines = sync.OnceValue(func() map[string]*Headline {
	all := make(map[string]*Headline)
	for line := range strings.Lines(headlineTable) {
		col := append(strings.Split(strings.TrimSuffix(line, "\n"), "\t"), "", "")
		if !strings.HasPrefix(line, "#") {
			all[strings.ToLower(col[0])] = &Headline{parseHeadline(col[1]), outcomes[col[2]]}
		}
	}
	return all
})

func parseHeadline(template string) (words []HeadlineWord) {
	for text := range strings.FieldsSeq(template) {
		text = strings.ReplaceAll(text, "~", " ")
		var word HeadlineWord
		for text != "" {
			before, rest, open := strings.Cut(text, "{")
			if before != "" {
				word = append(word, HeadlinePart{Text: before})
			}
			if !open {
				break
			}
			header, behind, _ := strings.Cut(rest, "}")
			word, text = append(word, HeadlinePart{Header: header}), behind
		}
		words = append(words, word)
	}
	return words
}
