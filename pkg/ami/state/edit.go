package state

import (
	"strings"
	"time"
)

// maxValue bounds a value that is kept, in bytes. Asterisk's own names are at most 80 to 150 bytes.
const maxValue = 256

// An edit sets fields of an object's copy and notes the JSON keys of those that differ.
type edit struct {
	keys [24]string
	n    int
}

func (e *edit) add(key string) {
	if e.n < len(e.keys) {
		e.keys[e.n] = key
		e.n++
	}
}

// changed returns the keys noted.
func (e *edit) changed() []string {
	if e.n == 0 {
		return nil
	}
	return append(make([]string, 0, e.n), e.keys[:e.n]...)
}

// str sets text that may be borrowed: it is cloned if it is kept.
func (e *edit) str(field *string, v, key string) {
	v = v[:min(len(v), maxValue)]
	if *field != v {
		*field = strings.Clone(v)
		e.add(key)
	}
}

// word sets text that is a constant or owned already.
func (e *edit) word(field *string, v, key string) { set(e, field, v, key) }

// set sets any other comparable field.
func set[T comparable](e *edit, field *T, v T, key string) {
	if *field != v {
		*field = v
		e.add(key)
	}
}

// moment sets a time unless it is unknown or the same.
func (e *edit) moment(field *time.Time, v time.Time, key string) {
	if !v.IsZero() && !field.Equal(v) {
		*field = v
		e.add(key)
	}
}
