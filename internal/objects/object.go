package objects

import (
	"cmp"
	"fmt"
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
	index  []int // of the struct's field
	omits  bool  // an empty value is absent
	form   form
	within []column // of an object, or of a list of objects
	look   output.Look
}

// A form is what the values of a key are.
type form uint8

const (
	text          form = iota
	number             // one that JSON leaves out is 0
	flag               // true, or false or left out
	moment             // left out if it is not known
	object             // with keys of its own
	list               // of texts
	listOfObjects      // each with keys of its own
	open               // an object whose keys are the server's
)

// formOf tells the form of a type.
func formOf(t reflect.Type) form {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return moment
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		return listOfObjects
	case t.Kind() == reflect.Slice:
		return list
	case t.Kind() == reflect.Struct:
		return object
	case t.Kind() == reflect.Map:
		return open
	case t.Kind() == reflect.Bool:
		return flag
	case t.Kind() == reflect.String:
		return text
	}
	return number
}

// columnsOf reads the keys of a struct off its type, in the order in which JSON has them.
func columnsOf(t reflect.Type, minor ...string) (all []column) {
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous {
			continue // its fields are visible, too
		}
		key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		c := column{key: key, index: f.Index, omits: strings.Contains(options, "omit"), form: formOf(f.Type)}
		switch c.form {
		case object:
			c.within = columnsOf(f.Type)
		case listOfObjects:
			c.within = columnsOf(f.Type.Elem())
		case open:
			c.look = output.Prose
		}
		if slices.Contains(minor, key) {
			c.look = output.Minor
		}
		all = append(all, c)
	}
	return all
}

// keys are those of its values in JSON, those of objects within by caller.number.
func (c *column) keys() (keys []string) {
	switch {
	case c.form == open:
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
			pair.Value, pair.Text, pair.Tone = c.value(f), textOf(c.key, value), tone(c.key, value)
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

// textOf is what people see of a value; "" if that is the value itself.
func textOf(key string, value any) string {
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
