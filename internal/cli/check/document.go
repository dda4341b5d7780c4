package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/tomlfile"
)

// A document is the text of a profile, decoded, and where in it everything is.
type document struct {
	path   string
	places map[string]tomlfile.Place
	err    error    // the first mistake
	notes  []string // what may be one
}

// A table of a document. What it is asked for it must have in the right kind, and what it is not asked for it must not have.
type table struct {
	doc    *document
	key    string // "" for the document itself
	values map[string]any
	asked  []string
}

const profileHint = "see `amictl check --help` for an example"

// readDocument decodes a text.
func readDocument(path, text string) (*table, error) {
	var values map[string]any
	if _, err := tomlfile.Decode(text, &values); err != nil {
		return nil, fail.Config(profileHint, "%s, %s", path, tomlfile.Explain(err))
	}
	return &table{doc: &document{path: path, places: tomlfile.Places(text)}, values: values}, nil
}

// wrong notes a mistake in the value of a key.
func (t *table) wrong(key, hint, format string, args ...any) {
	if t.doc.err == nil {
		t.doc.err = fail.Config(hint, "%s: %s", t.at(key), fmt.Sprintf(format, args...))
	}
}

// at says where the value of a key is, and of which.
func (t *table) at(key string) string {
	name := t.child(key)
	return strings.TrimSuffix(fmt.Sprintf("%s, %v: %s", t.doc.path, tomlfile.At(t.doc.places, name), name), ": ")
}

func (t *table) child(key string) string {
	return strings.Trim(t.key+"."+key, ".")
}

// get returns the value of a key, nil if there is none.
func (t *table) get(key string) any {
	t.asked = append(t.asked, key)
	return t.values[key]
}

// text reads a string, "" if there is none.
func (t *table) text(key string) string {
	v := t.get(key)
	s, ok := v.(string)
	if v != nil && !ok {
		t.wrong(key, "it is written in quotes", "it is no text")
	}
	return s
}

// texts reads an array of strings, or one string.
func (t *table) texts(key string) (all []string) {
	switch v := t.get(key).(type) {
	case nil:
	case string:
		all = append(all, v)
	case []any:
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				t.wrong(key, `such as ["a", "b"]`, "not all of it is text")
			}
			all = append(all, s)
		}
	default:
		t.wrong(key, `such as "a", or ["a", "b"]`, "it is neither a text nor an array of them")
	}
	return all
}

// whole reads a whole number of at least 0; it returns def if there is none.
func (t *table) whole(key string, def int) int {
	v := t.get(key)
	n, ok := v.(int64)
	switch {
	case v == nil:
		return def
	case !ok || n < 0:
		t.wrong(key, "such as "+fmt.Sprint(def), "it is no whole number of at least 0")
	}
	return int(n)
}

// table reads a table, nil if there is none.
func (t *table) table(key string) *table {
	v := t.get(key)
	values, ok := v.(map[string]any)
	switch {
	case v == nil:
		return nil
	case !ok:
		t.wrong(key, "such as ["+key+"]", "it is no table")
		return nil
	}
	return &table{doc: t.doc, key: t.child(key), values: values}
}

// tables reads an array of tables. An element may be a string: that is a table with that name, and short.
func (t *table) tables(key string) (all []*table, short []bool) {
	add := func(values map[string]any, name bool) {
		all = append(all, &table{doc: t.doc, key: fmt.Sprintf("%s[%d]", t.child(key), len(all)), values: values})
		short = append(short, name)
	}
	switch v := t.get(key).(type) {
	case nil:
	case []map[string]any:
		for _, values := range v {
			add(values, false)
		}
	case []any:
		for _, e := range v {
			switch e := e.(type) {
			case string:
				add(map[string]any{"name": e}, true)
			case map[string]any:
				add(e, false)
			default:
				t.wrong(key, "such as [["+key+"]]", "not all of it is a name or a table")
			}
		}
	case map[string]any:
		add(v, false)
		all[0].key = t.child(key)
	default:
		t.wrong(key, "such as [["+key+"]]", "it is no array of tables")
	}
	return all, short
}

// done notes a key that nobody asked for.
func (t *table) done() {
	for _, key := range slices.Sorted(maps.Keys(t.values)) {
		if !slices.Contains(t.asked, key) && t.doc.err == nil {
			t.doc.err = fail.Config(fail.NearHint(key, t.asked, profileHint), "%s, %v: unknown key %s", t.doc.path, tomlfile.At(t.doc.places, t.child(key)), key)
		}
	}
}
