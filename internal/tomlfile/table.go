package tomlfile

import (
	"fmt"
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
	file  *file
	key   string // "" for the file itself
	node  *node
	asked []string
}

type file struct {
	path, text string
	err        *TableError
}

// ReadTable decodes a text, which path names in mistakes. The error is for Explain.
func ReadTable(path, text string) (*Table, error) {
	root, err := read(text)
	if err != nil {
		return nil, err
	}
	return &Table{file: &file{path: path, text: text}, node: root}, nil
}

// Mistake returns the first mistake in the file, nil if there is none.
func (t *Table) Mistake() *TableError { return t.file.err }

// Wrong notes a mistake in the value of a key.
func (t *Table) Wrong(key, hint, format string, args ...any) {
	if t.file.err == nil {
		t.file.err = &TableError{Where: t.At(key), What: fmt.Sprintf(format, args...), Hint: hint}
	}
}

// At says where the value of a key is, or the table where there is none.
func (t *Table) At(key string) string {
	return strings.TrimSuffix(fmt.Sprintf("%s: %s", t.place(key), t.child(key)), ": ")
}

func (t *Table) place(key string) string {
	at := t.node.at
	if v := t.node.table[key]; v != nil {
		at = v.at
	}
	return fmt.Sprintf("%s, %v", t.file.path, placeIn(t.file.text, at))
}

func (t *Table) child(key string) string { return strings.Trim(t.key+"."+key, ".") }

// get returns the value of a key, nil if there is none.
func (t *Table) get(key string) *node {
	t.asked = append(t.asked, key)
	return t.node.table[key]
}

// Text reads a string, "" if there is none.
func (t *Table) Text(key string) string {
	v := t.get(key)
	if v == nil {
		return ""
	}
	if v.kind != aString {
		t.Wrong(key, "it is written in quotes", "it is no text")
		return ""
	}
	return v.text
}

// Texts reads an array of strings, or one string.
func (t *Table) Texts(key string) (all []string) {
	v := t.get(key)
	switch {
	case v == nil:
	case v.kind == aString:
		all = append(all, v.text)
	case v.kind == anArray:
		for _, e := range v.list {
			text := ""
			if e.kind == aString {
				text = e.text
			} else {
				t.Wrong(key, `such as ["a", "b"]`, "not all of it is text")
			}
			all = append(all, text)
		}
	default:
		t.Wrong(key, `such as "a", or ["a", "b"]`, "it is neither a text nor an array of them")
	}
	return all
}

// Whole reads a whole number of at least 0; it returns otherwise if there is none.
func (t *Table) Whole(key string, otherwise int) int {
	v := t.get(key)
	if v == nil {
		return otherwise
	}
	n, ok := v.scalar.(int64)
	if !ok || n < 0 {
		t.Wrong(key, "such as "+fmt.Sprint(otherwise), "it is not a whole number of at least 0")
	}
	return int(n)
}

// Child reads a table, nil if there is none.
func (t *Table) Child(key string) *Table {
	v := t.get(key)
	if v == nil {
		return nil
	}
	if v.kind != aTable {
		t.Wrong(key, "such as ["+key+"]", "it is no table")
		return nil
	}
	return &Table{file: t.file, key: t.child(key), node: v}
}

// Children reads an array of tables; a single table is one, too. An element may be a string, which stands for a table that has it
// as its name: of such a one short is true.
func (t *Table) Children(key string) (all []*Table, short []bool) {
	v := t.get(key)
	if v == nil {
		return nil, nil
	}
	add := func(n *node, name bool) {
		all = append(all, &Table{file: t.file, key: fmt.Sprintf("%s[%d]", t.child(key), len(all)), node: n})
		short = append(short, name)
	}
	switch v.kind {
	case tables, anArray:
		for _, e := range v.list {
			switch e.kind {
			case aTable:
				add(e, false)
			case aString:
				named := newTable(e.at, inlined)
				named.add("name", e)
				add(named, true)
			default:
				t.Wrong(key, "such as [["+key+"]]", "not all of it is a name or a table")
			}
		}
	case aTable:
		add(v, false)
		all[0].key = t.child(key)
	default:
		t.Wrong(key, "such as [["+key+"]]", "it is not an array of tables")
	}
	return all, short
}

// Done notes a key that was not asked for. The hint is made of it, and of those that were.
func (t *Table) Done(hint func(key string, asked []string) string) {
	for _, key := range slices.Sorted(slices.Values(t.node.keys)) {
		if !slices.Contains(t.asked, key) && t.file.err == nil {
			t.file.err = &TableError{Where: t.place(key), What: "unknown key " + key, Hint: hint(key, t.asked)}
		}
	}
}
