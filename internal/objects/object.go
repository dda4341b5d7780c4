package objects

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/pkg/ami/state"
	"github.com/apntalk/amictl/pkg/output"
)

// A column is a key of the objects of a part.
type column struct {
	key    string
	index  []int    // of the struct's field
	omits  bool     // an empty value is absent
	within []column // of an object, or of a list of objects
	open   bool     // it has keys that are the server's
	look   output.Look
}

// columnsOf reads the keys of a struct off its type, in the order in which JSON has them.
func columnsOf(t reflect.Type, minor ...string) (all []column) {
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous {
			continue // its fields are visible, too
		}
		key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		c := column{key: key, index: f.Index, omits: strings.Contains(options, "omit")}
		inner := f.Type
		if inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		switch {
		case inner.Kind() == reflect.Struct && inner != reflect.TypeFor[time.Time]():
			c.within = columnsOf(inner)
		case inner.Kind() == reflect.Map:
			c.open, c.look = true, output.Prose
		}
		if slices.Contains(minor, key) {
			c.look = output.Minor
		}
		all = append(all, c)
	}
	return all
}

// keys are those that a condition may ask for, those of objects within by caller.number.
func (c *column) keys() (keys []string) {
	switch {
	case c.open:
	case len(c.within) == 0:
		keys = append(keys, c.key)
	default:
		for i := range c.within {
			keys = append(keys, c.key+"."+c.within[i].key)
		}
	}
	return keys
}

// Record is an object as it is printed, with what stands behind its type.
func (p *Part) Record(o state.Object, behind ...output.Pair) output.Record {
	r := append(output.Record{{Key: "type", Value: string(p.Kind)}}, behind...)
	return record(r, reflect.ValueOf(o).Elem(), p.all())
}

// record appends the keys of a struct.
func record(dst output.Record, v reflect.Value, columns []column) output.Record {
	for i := range columns {
		c := &columns[i]
		f := v.FieldByIndex(c.index)
		pair := output.Pair{Key: c.key, Look: c.look}
		if empty := f.IsZero() || (f.Kind() == reflect.Slice || f.Kind() == reflect.Map) && f.Len() == 0; !empty || !c.omits {
			value := f.Interface()
			pair.Value, pair.Text, pair.Tone = c.value(f), text(c.key, value), tone(c.key, value)
		}
		dst = append(dst, pair)
	}
	return dst
}

// value is a field as JSON has it.
func (c *column) value(f reflect.Value) any {
	switch {
	case len(c.within) == 0:
		return f.Interface()
	case f.Kind() == reflect.Struct:
		return record(nil, f, c.within)
	}
	all := make([]output.Record, f.Len())
	for i := range all {
		all[i] = record(nil, f.Index(i), c.within)
	}
	return all
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
		return Moment(v, time.Now())
	case []string:
		return strings.Join(v, " ")
	case map[string]string:
		return unfollowed(v)
	case state.Party:
		return PartyText(v)
	case []state.Leg:
		names := make([]string, len(v))
		for i := range v {
			names[i] = cmp.Or(v[i].Endpoint, v[i].Channel)
		}
		return strings.Join(names, " ")
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []state.MemberFigures:
		names := make([]string, len(v))
		for i := range v {
			names[i] = fmt.Sprintf("%s %d", cmp.Or(v[i].Name, v[i].Interface), v[i].Answered)
		}
		return strings.Join(names, ", ")
	case []state.Transfer:
		all := make([]string, len(v))
		for i := range v {
			all[i] = TransferText(&v[i])
		}
		return strings.Join(all, ", ")
	}
	return ""
}

// TransferText is a transfer or a pickup as people see it.
func TransferText(t *state.Transfer) string {
	words := t.Kind
	if t.By != "" {
		words += " by " + t.By
	}
	if t.To != "" {
		words += " to " + t.To
	}
	return words
}

// Moment is a time on the clock, with its date if that is not today's.
func Moment(t, now time.Time) string {
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

// PartyText is one end of a call as people see it.
func PartyText(p state.Party) string {
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

// Fields are the keys of an object and their values as text, as conditions ask for them.
func Fields(r output.Record) iter.Seq2[string, string] {
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
	case output.Record:
		for i := range v {
			if !fieldsOf(key+"."+v[i].Key, v[i].Value, yield) {
				return false
			}
		}
		return true
	case []output.Record:
		for _, r := range v {
			if !fieldsOf(key, r, yield) {
				return false
			}
		}
		return true
	}
	return yield(key, fmt.Sprint(value))
}

// TextOf is the value of a key that is text, "" if there is none.
func TextOf(r output.Record, key string) string {
	for i := range r {
		if s, ok := r[i].Value.(string); ok && r[i].Key == key {
			return s
		}
	}
	return ""
}

// A Line is how a change is told to people.
type Line struct {
	Fields []string // the only keys to show; none: those that are of interest
	Width  int      // in columns; 0: any
}

// Of is a change as a line: when, what and to whom, and the keys that are of interest.
func (l Line) Of(p *Part, op state.Op, at time.Time, record output.Record, changed []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %-6s  %s", Moment(at, time.Now()), op, p.Kind)
	ident := append([]string{"node"}, p.ident...)
	for i := range record {
		if s := Cell(&record[i]); s != "" && slices.Contains(ident, record[i].Key) {
			b.WriteString("  " + output.Safe(s))
		}
	}
	for i := range record {
		c := &record[i]
		if c.Key == "type" || slices.Contains(ident, c.Key) || op == state.OpRemove {
			continue
		}
		wanted := slices.Contains(l.Fields, c.Key)
		if len(l.Fields) == 0 {
			wanted = op == state.OpChange && slices.Contains(changed, c.Key) || op == state.OpAdd && c.Look != output.Minor && c.Value != nil
		}
		if wanted {
			fmt.Fprintf(&b, "  %s=%s", c.Key, output.Safe(Cell(c)))
		}
	}
	if l.Width > 0 {
		return output.Cut(b.String(), l.Width)
	}
	return b.String()
}

// Cell is what people see of a value, as in a table.
func Cell(p *output.Pair) string {
	switch p.Value.(type) {
	case nil, []string, map[string]string, []output.Record:
		return p.Text
	}
	if p.Text != "" {
		return p.Text
	}
	return fmt.Sprint(p.Value)
}
