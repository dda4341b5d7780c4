package amitest

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// faultKinds are all kinds but the deeds.
var faultKinds = []string{
	faultLatency, faultSlow, faultSegment, faultCoalesce,
	faultDup, faultForeign, faultWrongID, faultNoID, faultDrop, faultReorder, faultTruncate, faultGarbage,
	faultOversize, faultRefuse, faultNewline,
	faultReset, faultFin, faultStall, faultHalfOpen, faultSlowReader,
	faultBanner, faultSlowLogin, faultRefuseLogin, faultAuthLimit, faultFlood, faultRestart, faultFlap,
}

// deeds are the kinds that set the server to a state.
var deeds = sync.OnceValue(func() map[string]func(*Server) {
	return map[string]func(*Server){
		deedKick:   (*Server).Kick,
		deedDown:   func(s *Server) { s.SetDown(true) },
		deedUp:     func(s *Server) { s.SetDown(false) },
		deedBooted: (*Server).SetBooted,
		deedDeny:   func(s *Server) { s.Deny(true) },
		deedAllow:  func(s *Server) { s.Deny(false) },
		deedClear:  (*Server).ClearFaults,
	}
})

// FaultKinds returns the kinds of faults, sorted.
func FaultKinds() []string {
	kinds := append(slices.Collect(maps.Keys(deeds())), faultKinds...)
	slices.Sort(kinds)
	return kinds
}

// check returns an error for a kind that there is not, and for what would silently do
// nothing.
func (f Fault) check() error {
	_, deed := deeds()[f.Kind]
	if !deed && !slices.Contains(faultKinds, f.Kind) {
		return fmt.Errorf("unknown kind %q, known are %s", f.Kind, strings.Join(FaultKinds(), " "))
	}
	bare := Fault{Kind: f.Kind}
	if f.Kind == deedKick {
		bare.Period, bare.Times, bare.During = f.Period, f.Times, f.During
	}
	switch {
	case deed && f != bare:
		return fmt.Errorf("%s takes no such key", f.Kind)
	case f.Period > 0 && !deed && f.Kind != faultFlap && !f.atOnce():
		return fmt.Errorf("%s takes no period, or not with action or after", f.Kind)
	}
	return nil
}

// atOnce says whether the fault meets the sessions that are open when it is injected.
func (f Fault) atOnce() bool {
	switch f.Kind {
	case faultReset, faultFin, faultStall, faultHalfOpen, faultSlowReader:
		return f.Action == "" && f.After == 0
	}
	return false
}

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
	f := Fault{Kind: words[0]}
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
	if err := f.check(); err != nil {
		return Fault{}, fmt.Errorf("amitest: fault %q: %w", line, err)
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
			*p = always
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
	b.WriteString(f.Kind)
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
			if name == "times" && x == always {
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
