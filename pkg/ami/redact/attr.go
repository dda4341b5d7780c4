package redact

import (
	"encoding"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// maxNesting is how deep groups and maps are followed; what lies deeper is hidden whole.
const maxNesting = 16

// Attr returns a log attribute with its secrets hidden: by its key and by those of its groups, and in its value,
// whatever that is: text, groups, maps and slices of text, errors, fmt.Stringers and structs. A value that holds none
// stays what it is; one that does becomes a copy or, if its kind is not known here, text. It fits
// slog.HandlerOptions.ReplaceAttr (which takes groups apart, so that the Value beside a telling Variable in one group is
// not seen there; a LogSink with a Redactor sees it), and resolves slog.LogValuers. A value that panics while it is printed is replaced.
func (r *Redactor) Attr(groups []string, a slog.Attr) slog.Attr {
	return r.attr(groups, a, packetFacts{}, 0)
}

func (r *Redactor) attr(groups []string, a slog.Attr, facts packetFacts, depth int) (out slog.Attr) {
	defer func() {
		if recover() != nil {
			out = slog.String(a.Key, "[panicked while it was printed]")
		}
	}()
	v := a.Value.Resolve()
	out = slog.Attr{Key: a.Key, Value: v}
	if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) && v.Kind() != slog.KindString {
		return out
	}
	if depth > maxNesting || r.secretKey(a.Key) || slices.ContainsFunc(groups, r.secretKey) {
		if v.Kind() != slog.KindString || v.String() != "" {
			out.Value = slog.StringValue(hidden)
		}
		return out
	}
	switch v.Kind() {
	case slog.KindString:
		if s := v.String(); facts.hides(a.Key, s) {
			out.Value = slog.StringValue(hidden)
		} else if t := r.Field(a.Key, s); t != s {
			out.Value = slog.StringValue(t)
		}
	case slog.KindGroup:
		out.Value = r.group(v.Group(), depth)
	case slog.KindAny:
		out.Value = r.anyValue(a.Key, v, facts, depth)
	default: // numbers, times, durations: a known secret may be one
		if t := r.Field(a.Key, v.String()); t != v.String() {
			out.Value = slog.StringValue(t)
		}
	}
	return out
}

func (r *Redactor) group(attrs []slog.Attr, depth int) slog.Value {
	var facts packetFacts
	for _, a := range attrs {
		if a.Value.Kind() == slog.KindString {
			facts.note(r, a.Key, a.Value.String())
		}
	}
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = r.attr(nil, a, facts, depth+1)
	}
	return slog.GroupValue(clean...)
}

// anyValue hides the secrets of a value of any other type.
func (r *Redactor) anyValue(key string, v slog.Value, facts packetFacts, depth int) slog.Value {
	clean := r.plain(key, v.Any(), facts, depth)
	if s, ok := clean.(string); ok {
		return slog.StringValue(s)
	}
	return slog.AnyValue(clean)
}

// plain returns x, or a copy without its secrets.
func (r *Redactor) plain(key string, x any, facts packetFacts, depth int) any {
	if x == nil {
		return nil
	}
	if depth > maxNesting || r.secretKey(key) {
		return hidden
	}
	switch x := x.(type) {
	case string:
		if facts.hides(key, x) {
			return hidden
		}
		return r.Field(key, x)
	case []byte:
		if s := r.Field(key, string(x)); s != string(x) {
			return s
		}
		return x
	case []string:
		clean := make([]string, len(x))
		for i, s := range x {
			clean[i] = r.plain(key, s, facts, depth+1).(string)
		}
		return clean
	case []any:
		clean := make([]any, len(x))
		for i, e := range x {
			clean[i] = r.plain(key, e, facts, depth+1)
		}
		return clean
	case []wire.Field:
		return r.fields(x)
	case map[string]string:
		return plainMap(r, x, depth)
	case map[string][]string:
		return plainMap(r, x, depth)
	case map[string]any:
		return plainMap(r, x, depth)
	}
	return r.printed(key, x)
}

// plainMap treats a map as a packet of headers.
func plainMap[V any](r *Redactor, m map[string]V, depth int) any {
	if m == nil {
		return m
	}
	var facts packetFacts
	for k, v := range m {
		if s, ok := any(v).(string); ok {
			facts.note(r, k, s)
		}
	}
	clean := make(map[string]V, len(m))
	for k, v := range m {
		name := r.Text(k) // a key can be a known secret
		switch c := r.plain(k, any(v), facts, depth+1).(type) {
		case V:
			clean[name] = c
		case string: // a list of texts, hidden whole
			one, _ := any([]string{c}).(V)
			clean[name] = one
		}
	}
	return clean
}

func (r *Redactor) fields(fields []wire.Field) []wire.Field {
	var facts packetFacts
	for _, f := range fields {
		facts.note(r, f.Name, f.Value)
	}
	clean := slices.Clone(fields)
	for i, f := range fields {
		if clean[i].Value = r.Field(f.Name, f.Value); facts.hides(f.Name, f.Value) {
			clean[i].Value = hidden
		}
	}
	return clean
}

// printed looks at every text that a handler may make of x. If none holds a secret x stays as it is.
func (r *Redactor) printed(key string, x any) any {
	text := fmt.Sprintf("%+v", x)
	clean := r.Field(key, text)
	if clean != text {
		return clean
	}
	if t, ok := x.(encoding.TextMarshaler); ok {
		if b, err := t.MarshalText(); err == nil && r.Field(key, string(b)) != string(b) {
			return r.Field(key, string(b))
		}
	}
	if err, ok := x.(error); ok {
		if s := err.Error(); r.Field(key, s) != s { // %+v may have printed something else
			return r.Field(key, s)
		}
		if _, ok := x.(json.Marshaler); !ok {
			return x // encoders print its Error, not its fields
		}
	}
	b, err := json.Marshal(x)
	if err != nil {
		return x
	}
	if s := r.Field(key, string(b)); s != string(b) {
		return s // a pointer's target, which %+v does not print
	}
	return x
}
