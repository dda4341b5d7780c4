package amitest

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// faultKinds are all kinds, for checking and for random choice.
var faultKinds = []FaultKind{
	FaultLatency, FaultSlow, FaultSegment, FaultCoalesce,
	FaultDup, FaultForeign, FaultWrongID, FaultNoID, FaultDrop, FaultReorder, FaultTruncate, FaultGarbage,
	FaultOversize, FaultRefuse, FaultNewline,
	FaultReset, FaultFin, FaultStall, FaultHalfOpen, FaultSlowReader,
	FaultBanner, FaultSlowLogin, FaultRefuseLogin, FaultAuthLimit, FaultFlood, FaultRestart, FaultFlap,
}

// FaultKinds returns all kinds.
func FaultKinds() []FaultKind { return slices.Clone(faultKinds) }

// ParseFault reads a fault's text form. Unknown kinds and keys, values that do not
// fit and repeated keys are errors.
func ParseFault(line string) (Fault, error) {
	words, err := splitWords(line)
	if err != nil {
		return Fault{}, fmt.Errorf("amitest: fault %q: %w", line, err)
	}
	if len(words) == 0 {
		return Fault{}, fmt.Errorf("amitest: fault %q: empty", line)
	}
	f := Fault{Kind: FaultKind(words[0])}
	if !slices.Contains(faultKinds, f.Kind) {
		return Fault{}, fmt.Errorf("amitest: fault %q: unknown kind %q", line, words[0])
	}
	seen := make(map[string]bool)
	for _, w := range words[1:] {
		key, value, ok := strings.Cut(w, "=")
		if !ok {
			value = "true"
		}
		if seen[key] {
			return Fault{}, fmt.Errorf("amitest: fault %q: %s given twice", line, key)
		}
		seen[key] = true
		if err := f.set(key, value); err != nil {
			return Fault{}, fmt.Errorf("amitest: fault %q: %w", line, err)
		}
	}
	return f, nil
}

// maxFaultBytes bounds what a fault given as text makes up.
const maxFaultBytes = 256 << 20

// field finds the field of a key.
func (f *Fault) field(key string) (reflect.Value, bool) {
	v := reflect.ValueOf(f).Elem()
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; name != "Kind" && strings.ToLower(name) == key {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

func (f *Fault) set(key, value string) error {
	field, ok := f.field(key)
	if !ok {
		return fmt.Errorf("unknown key %q", key)
	}
	switch p := field.Addr().Interface().(type) {
	case *time.Duration:
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 {
			return fmt.Errorf("%s: %q is not a duration", key, value)
		}
		*p = d
	case *int:
		if key == "times" && value == "always" {
			*p = Always
			return nil
		}
		n, err := strconv.Atoi(strings.TrimSuffix(value, "bytes"))
		if err != nil || n < 0 {
			return fmt.Errorf("%s: %q is not a number", key, value)
		}
		if key == "bytes" && n > maxFaultBytes {
			return fmt.Errorf("bytes: %d is more than %d", n, maxFaultBytes)
		}
		*p = n
	case *float64:
		x, err := strconv.ParseFloat(value, 64)
		if err != nil || x < 0 || math.IsInf(x, 0) || math.IsNaN(x) {
			return fmt.Errorf("%s: %q is not a number", key, value)
		}
		*p = x
	case *bool:
		b, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("%s: %q is neither true nor false", key, value)
		}
		*p = b
	case *string:
		*p = value
	}
	return nil
}

// String returns the text form, which ParseFault reads back.
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(string(f.Kind))
	v := reflect.ValueOf(f)
	for i := range v.NumField() {
		name := strings.ToLower(v.Type().Field(i).Name)
		if name == "kind" || v.Field(i).IsZero() {
			continue
		}
		switch x := v.Field(i).Interface().(type) {
		case time.Duration:
			fmt.Fprintf(&b, " %s=%v", name, x)
		case int:
			if name == "times" && x == Always {
				b.WriteString(" times=always")
				continue
			}
			fmt.Fprintf(&b, " %s=%d", name, x)
		case float64:
			fmt.Fprintf(&b, " %s=%s", name, strconv.FormatFloat(x, 'g', -1, 64))
		case bool:
			b.WriteString(" " + name)
		case string:
			fmt.Fprintf(&b, " %s=%s", name, strconv.Quote(x))
		}
	}
	return b.String()
}

// splitWords splits at blanks; a double-quoted part of a word is read as Go does.
func splitWords(s string) ([]string, error) {
	var words []string
	for s = strings.TrimLeft(s, " \t"); s != ""; s = strings.TrimLeft(s, " \t") {
		var w strings.Builder
		for s != "" && s[0] != ' ' && s[0] != '\t' {
			if s[0] != '"' {
				w.WriteByte(s[0])
				s = s[1:]
				continue
			}
			quoted, err := strconv.QuotedPrefix(s)
			if err != nil {
				return nil, fmt.Errorf("unbalanced quote in %s", s)
			}
			text, err := strconv.Unquote(quoted)
			if err != nil {
				return nil, err
			}
			w.WriteString(text)
			s = s[len(quoted):]
		}
		words = append(words, w.String())
	}
	return words, nil
}
