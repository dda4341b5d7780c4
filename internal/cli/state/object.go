package state

import (
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/apntalk/amictl/pkg/ami/state"
	"github.com/apntalk/amictl/pkg/output"
)

// A column is a key of the objects of a part.
type column struct {
	key   string
	keys  []string // what a condition calls it, or what is within
	index int      // of the struct's field
	omits bool     // an empty value is absent
	look  output.Look
}

// columnsOf reads the keys of a part off its type, in the order in which JSON has them.
func columnsOf(p *part) (all []column) {
	for i := range p.of.NumField() {
		f := p.of.Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		c := column{key: key, keys: []string{key}, index: i, omits: strings.Contains(options, "omit")}
		switch f.Type {
		case reflect.TypeFor[state.Party]():
			c.keys = nil
			for inner := range f.Type.Fields() {
				name, _, _ := strings.Cut(inner.Tag.Get("json"), ",")
				c.keys = append(c.keys, key+"."+name)
			}
		case reflect.TypeFor[map[string]string]():
			c.keys, c.look = nil, output.Prose
		}
		if slices.Contains(p.minor, key) {
			c.look = output.Minor
		}
		all = append(all, c)
	}
	return all
}

// record is an object as it is printed, with what stands behind its type.
func (p *part) record(o state.Object, behind ...output.Pair) output.Record {
	r := append(output.Record{{Key: "type", Value: string(p.kind)}}, behind...)
	v := reflect.ValueOf(o).Elem()
	for i := range p.columns {
		c := &p.columns[i]
		f := v.Field(c.index)
		pair := output.Pair{Key: c.key, Look: c.look}
		if empty := f.IsZero() || (f.Kind() == reflect.Slice || f.Kind() == reflect.Map) && f.Len() == 0; !empty || !c.omits {
			pair.Value = f.Interface()
			pair.Text = text(c.key, pair.Value)
			pair.Tone = tone(c.key, pair.Value)
		}
		r = append(r, pair)
	}
	return r
}

// text is what people see of a value; "" if that is the value itself.
func text(key string, value any) string {
	switch v := value.(type) {
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case int64:
		if strings.HasSuffix(key, "_us") {
			return output.Duration(time.Duration(v) * time.Microsecond)
		}
	case time.Time:
		return moment(v, time.Now())
	case []string:
		return strings.Join(v, " ")
	case map[string]string:
		return unfollowed(v)
	case state.Party:
		return party(v)
	}
	return ""
}

// moment is a time on the clock, with its date if that is not today's.
func moment(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

// unfollowed tells of the parts of a node that are not known by their list and every event.
func unfollowed(parts map[string]string) string {
	var odd []string
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		if parts[name] != state.Followed {
			odd = append(odd, name+": "+parts[name])
		}
	}
	return strings.Join(odd, ", ")
}

func party(p state.Party) string {
	switch {
	case p.Number == "" && p.Name == "":
		return p.Endpoint
	case p.Name == "" || p.Name == p.Number:
		return p.Number
	}
	return strings.TrimSpace(p.Number + " " + p.Name)
}

// tone colours what somebody should look at.
func tone(key string, value any) output.Tone {
	switch value {
	case true:
		if key == "stale" {
			return output.Bad
		}
	case "unavailable", "invalid", "unreachable", "rejected", "unregistered":
		if key == "state" || key == "reach" {
			return output.Bad
		}
	}
	return output.Neutral
}

// stamp is how times are written in JSON.
const stamp = "2006-01-02T15:04:05.000000Z"

// fields are the keys of an object and their values as text, as conditions ask for them.
func fields(r output.Record) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for i := range r {
			if !fieldsOf(r[i].Key, r[i].Value, yield) {
				return
			}
		}
	}
}

func fieldsOf(key string, value any, yield func(string, string) bool) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return yield(key, v)
	case time.Time:
		return yield(key, v.UTC().Format(stamp))
	case []string:
		for _, s := range v {
			if !yield(key, s) {
				return false
			}
		}
		return true
	case map[string]string:
		for name, s := range v {
			if !yield(key+"."+name, s) {
				return false
			}
		}
		return true
	case state.Party:
		for _, f := range []struct{ name, value string }{{"number", v.Number}, {"name", v.Name}, {"endpoint", v.Endpoint}, {"uniqueid", v.Uniqueid}} {
			if f.value != "" && !yield(key+"."+f.name, f.value) {
				return false
			}
		}
		return true
	}
	return yield(key, fmt.Sprint(value))
}

// textOf is the value of a key that is text, "" if there is none.
func textOf(r output.Record, key string) string {
	for i := range r {
		if s, ok := r[i].Value.(string); ok && r[i].Key == key {
			return s
		}
	}
	return ""
}

// line is a change for people: when, what and to whom, and the keys that are of interest.
func (v *view) line(p *part, op state.Op, at time.Time, record output.Record, changed []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %-6s  %s", moment(at, time.Now()), op, p.kind)
	for _, key := range append([]string{"node"}, p.ident...) {
		if s := textOf(record, key); s != "" {
			b.WriteString("  " + output.Safe(s))
		}
	}
	for i := range record {
		c := &record[i]
		if c.Key == "node" || c.Key == "type" || slices.Contains(p.ident, c.Key) || op == state.OpRemove {
			continue
		}
		wanted := slices.Contains(v.form.Fields, c.Key)
		if len(v.form.Fields) == 0 {
			wanted = op == state.OpChange && slices.Contains(changed, c.Key) || op == state.OpAdd && c.Look != output.Minor && c.Value != nil
		}
		if wanted {
			fmt.Fprintf(&b, "  %s=%s", c.Key, output.Safe(cell(c)))
		}
	}
	if v.form.Width > 0 {
		return output.Cut(b.String(), v.form.Width)
	}
	return b.String()
}

// cell is what people see of a value, as in a table.
func cell(p *output.Pair) string {
	switch p.Value.(type) {
	case nil, []string, map[string]string:
		return p.Text
	}
	if p.Text != "" {
		return p.Text
	}
	return fmt.Sprint(p.Value)
}
