package tomlfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A TableError is what is wrong at one place of a file that can be decoded.
type TableError struct {
	Where string // path, line, column and key
	What  string
	Hint  string // what to write instead
}

func (m *TableError) Error() string { return m.Where + ": " + m.What }

// A Table of a file is read key by key, where each mistake is to be told with its place: a decoder into structs knows no
// places of values in arrays of tables. What a table is asked for it must have in the right kind, and what it is not asked for
// it must not have. The first mistake counts.
type Table struct {
	file   *file
	key    string // "" for the file itself
	values map[string]any
	asked  []string
}

type file struct {
	path   string
	places map[string]Place
	err    *TableError
}

// ReadTable decodes a text, which path names in mistakes. The error is for Explain.
func ReadTable(path, text string) (*Table, error) {
	var values map[string]any
	if _, err := Decode(text, &values); err != nil {
		return nil, err
	}
	return &Table{file: &file{path: path, places: Places(text)}, values: values}, nil
}

// Mistake returns the first mistake in the file, nil if there is none.
func (t *Table) Mistake() *TableError { return t.file.err }

// Wrong notes a mistake in the value of a key.
func (t *Table) Wrong(key, hint, format string, args ...any) {
	if t.file.err == nil {
		t.file.err = &TableError{Where: t.At(key), What: fmt.Sprintf(format, args...), Hint: hint}
	}
}

// At says where the value of a key is.
func (t *Table) At(key string) string {
	name := t.child(key)
	return strings.TrimSuffix(fmt.Sprintf("%s, %v: %s", t.file.path, At(t.file.places, name), name), ": ")
}

func (t *Table) child(key string) string { return strings.Trim(t.key+"."+key, ".") }

// get returns the value of a key, nil if there is none.
func (t *Table) get(key string) any {
	t.asked = append(t.asked, key)
	return t.values[key]
}

// Text reads a string, "" if there is none.
func (t *Table) Text(key string) string {
	v := t.get(key)
	s, ok := v.(string)
	if v != nil && !ok {
		t.Wrong(key, "it is written in quotes", "it is no text")
	}
	return s
}

// Texts reads an array of strings, or one string.
func (t *Table) Texts(key string) (all []string) {
	switch v := t.get(key).(type) {
	case nil:
	case string:
		all = append(all, v)
	case []any:
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				t.Wrong(key, `such as ["a", "b"]`, "not all of it is text")
			}
			all = append(all, s)
		}
	default:
		t.Wrong(key, `such as "a", or ["a", "b"]`, "it is neither a text nor an array of them")
	}
	return all
}

// Whole reads a whole number of at least 0; it returns otherwise if there is none.
func (t *Table) Whole(key string, otherwise int) int {
	v := t.get(key)
	n, ok := v.(int64)
	switch {
	case v == nil:
		return otherwise
	case !ok || n < 0:
		t.Wrong(key, "such as "+fmt.Sprint(otherwise), "it is not a whole number of at least 0")
	}
	return int(n)
}

// Child reads a table, nil if there is none.
func (t *Table) Child(key string) *Table {
	v := t.get(key)
	values, ok := v.(map[string]any)
	switch {
	case v == nil:
		return nil
	case !ok:
		t.Wrong(key, "such as ["+key+"]", "it is no table")
		return nil
	}
	return &Table{file: t.file, key: t.child(key), values: values}
}

// Children reads an array of tables; a single table is one, too. An element may be a string, which stands for a table that has it
// as its name: of such a one short is true.
func (t *Table) Children(key string) (all []*Table, short []bool) {
	add := func(values map[string]any, name bool) {
		all = append(all, &Table{file: t.file, key: fmt.Sprintf("%s[%d]", t.child(key), len(all)), values: values})
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
				t.Wrong(key, "such as [["+key+"]]", "not all of it is a name or a table")
			}
		}
	case map[string]any:
		add(v, false)
		all[0].key = t.child(key)
	default:
		t.Wrong(key, "such as [["+key+"]]", "it is not an array of tables")
	}
	return all, short
}

// Done notes a key that was not asked for. The hint is made of it, and of those that were.
func (t *Table) Done(hint func(key string, asked []string) string) {
	for _, key := range slices.Sorted(maps.Keys(t.values)) {
		if !slices.Contains(t.asked, key) && t.file.err == nil {
			where := fmt.Sprintf("%s, %v", t.file.path, At(t.file.places, t.child(key)))
			t.file.err = &TableError{Where: where, What: "unknown key " + key, Hint: hint(key, t.asked)}
		}
	}
}
