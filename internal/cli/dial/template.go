package dial

import (
	"fmt"
	"strings"
)

// A template is a flag's value in which {column} stands for what a row has there. {{ is a {. A ${…} is Asterisk's own and
// stays.
type template struct {
	texts   []string // one more than columns: what stands around them
	columns []string
}

// parseTemplate reads a value.
func parseTemplate(s string) (t template, err error) {
	var text strings.Builder
	for at := 0; at < len(s); {
		rest := s[at:]
		switch {
		case strings.HasPrefix(rest, "{{"):
			text.WriteByte('{')
			at += 2
		case strings.HasPrefix(rest, "${"):
			text.WriteString("${")
			at += 2
		case rest[0] == '{':
			name, _, found := strings.Cut(rest[1:], "}")
			if !found {
				return t, fmt.Errorf("the { at character %d has no }; a { itself is written {{", at+1)
			}
			t.texts, t.columns = append(t.texts, text.String()), append(t.columns, name)
			text.Reset()
			at += len(name) + 2
		default:
			text.WriteByte(rest[0])
			at++
		}
	}
	t.texts = append(t.texts, text.String())
	return t, nil
}

// fill returns the value for one row.
func (t *template) fill(value func(column string) string) string {
	if len(t.columns) == 0 {
		return t.texts[0]
	}
	var b strings.Builder
	for i, name := range t.columns {
		b.WriteString(t.texts[i])
		b.WriteString(value(name))
	}
	b.WriteString(t.texts[len(t.columns)])
	return b.String()
}
