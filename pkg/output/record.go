package output

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Record is an object of our own, such as a node's health: keys in order, each with its value for programs and its
// text for people.
type Record []Pair

// A Pair is one key of a Record. Text is what a table shows; if it is empty the value itself.
type Pair struct {
	Key   string
	Value any // what encoding/json encodes, a Record or []Record; a nil Value is left out of JSON
	Text  string
	Look  Look
	Tone  Tone
}

// append appends the record as a JSON object. A value that cannot be encoded is a bug and panics.
func (r Record) append(dst []byte) []byte {
	open, lossy := len(dst), false
	for _, p := range r {
		if p.Value == nil {
			continue
		}
		dst = append(dst, ',')
		dst, _ = appendString(dst, p.Key)
		dst = append(dst, ':')
		if s, ok := p.Value.(string); ok {
			var l bool
			dst, l = appendString(dst, s)
			lossy = lossy || l
			continue
		}
		dst = appendValue(dst, p.Value)
	}
	if len(dst) == open {
		return append(dst, "{}"...)
	}
	dst[open] = '{'
	return closeObject(dst, lossy)
}

func appendValue(dst []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		dst, _ = appendString(dst, v)
		return dst
	case int:
		return strconv.AppendInt(dst, int64(v), 10)
	case time.Time:
		return appendTimestamp(dst, v)
	case Record:
		return v.append(dst)
	case []Record:
		dst = append(dst, '[')
		for i, r := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = r.append(dst)
		}
		return append(dst, ']')
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("output: %T cannot be encoded: %v", v, err))
	}
	return append(dst, b...)
}

// text returns what a table shows.
func (p *Pair) text() string {
	switch v := p.Value.(type) {
	case nil, []string, map[string]string, Record, []Record: // of several values only the caller knows how they look
		return p.Text
	case string:
		if p.Text == "" {
			return v
		}
	}
	if p.Text == "" {
		return fmt.Sprint(p.Value)
	}
	return p.Text
}

// get returns the value of a key as a cell of CSV, "" if there is none. What is within a Record has its key behind a dot.
func (r Record) get(key string) string {
	for i := range r {
		if within, ok := strings.CutPrefix(key, r[i].Key+"."); ok {
			if inner, ok := r[i].Value.(Record); ok {
				return inner.get(within)
			}
		}
		if r[i].Key == key && r[i].Value != nil {
			return r[i].value()
		}
	}
	return ""
}

// value is the value as a cell of CSV: text as it is, anything else as in JSON.
func (p *Pair) value() string {
	switch v := p.Value.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	return strings.Trim(string(appendValue(nil, p.Value)), `"`)
}

func epoch(t time.Time) string {
	return string(appendMicros(strconv.AppendInt(nil, t.Unix(), 10), t.Nanosecond()))
}

func lineNumber(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
