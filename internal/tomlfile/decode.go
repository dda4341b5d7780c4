package tomlfile

import (
	"cmp"
	"encoding"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// An Unmarshaler reads a value itself: a string, int64, float64, bool or time.Time, a map[string]any, []map[string]any or []any.
type Unmarshaler interface{ UnmarshalTOML(v any) error }

// A decoder writes nodes into Go's values.
type decoder struct {
	structs map[reflect.Type]map[string]int // the fields of structs, by their keys
	unknown []Unknown
}

// decode writes a node into a value, key being its own.
func (d *decoder) decode(n *node, into reflect.Value, key Key) error {
	if into.Kind() == reflect.Pointer {
		if into.IsNil() {
			into.Set(reflect.New(into.Type().Elem()))
		}
		return d.decode(n, into.Elem(), key)
	}
	if into.CanAddr() {
		switch own := into.Addr().Interface().(type) {
		case Unmarshaler:
			return n.told(own.UnmarshalTOML(n.plain()))
		case encoding.TextUnmarshaler:
			if n.scalar == nil {
				return n.misfit("text")
			}
			return n.told(own.UnmarshalText([]byte(n.text)))
		}
	}
	switch into.Kind() {
	case reflect.Interface:
		into.Set(reflect.ValueOf(n.plain()))
		return nil
	case reflect.Struct:
		return d.decodeStruct(n, into, key)
	case reflect.Map:
		return d.decodeMap(n, into, key)
	case reflect.Slice:
		return d.decodeSlice(n, into, key)
	}
	return n.decodeScalar(into)
}

// told is an error of a value that reads itself, with its place.
func (n *node) told(err error) error {
	if err == nil {
		return nil
	}
	return mistake(n.at, "%v", err)
}

// misfit is the error of a value that is of another kind than is wanted.
func (n *node) misfit(wanted string) error {
	return mistake(n.at, "incompatible types: this is of type %s, and has to be of type %s", kindNames[n.kind], wanted)
}

func (d *decoder) decodeStruct(n *node, into reflect.Value, key Key) error {
	if n.kind != aTable {
		return n.misfit("table")
	}
	fields := d.fields(into.Type())
	for _, name := range n.keys {
		v := n.table[name]
		i, ok := fields[name]
		if !ok {
			d.unknown = append(d.unknown, Unknown{append(slices.Clone(key), name), known(fields), v.at})
			continue
		}
		if err := d.decode(v, into.Field(i), append(key, name)); err != nil {
			return err
		}
	}
	return nil
}

// known are the keys of a struct in the order of its fields.
func known(fields map[string]int) []string {
	return slices.SortedFunc(maps.Keys(fields), func(a, b string) int { return cmp.Compare(fields[a], fields[b]) })
}

// fields returns the fields of a struct, by their keys.
func (d *decoder) fields(t reflect.Type) map[string]int {
	fields := d.structs[t]
	if fields == nil {
		fields = make(map[string]int)
		for i := range t.NumField() {
			f := t.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
			if name != "-" && f.IsExported() {
				fields[cmp.Or(name, f.Name)] = i
			}
		}
		d.structs[t] = fields
	}
	return fields
}

func (d *decoder) decodeMap(n *node, into reflect.Value, key Key) error {
	if n.kind != aTable {
		return n.misfit("table")
	}
	if into.IsNil() {
		into.Set(reflect.MakeMapWithSize(into.Type(), len(n.keys)))
	}
	for _, name := range n.keys {
		v := reflect.New(into.Type().Elem()).Elem()
		if err := d.decode(n.table[name], v, append(key, name)); err != nil {
			return err
		}
		into.SetMapIndex(reflect.ValueOf(name), v)
	}
	return nil
}

func (d *decoder) decodeSlice(n *node, into reflect.Value, key Key) error {
	if n.kind != anArray && n.kind != tables {
		return n.misfit("array")
	}
	all := reflect.MakeSlice(into.Type(), len(n.list), len(n.list))
	for i, v := range n.list {
		if err := d.decode(v, all.Index(i), key); err != nil {
			return err
		}
	}
	into.Set(all)
	return nil
}

func (n *node) decodeScalar(into reflect.Value) error {
	whole, isWhole := n.scalar.(int64)
	switch {
	case into.Kind() == reflect.String:
		if n.kind != aString {
			return n.misfit("string")
		}
		into.SetString(n.text)
	case into.Kind() == reflect.Bool:
		if n.kind != aBool {
			return n.misfit("boolean")
		}
		into.SetBool(n.scalar.(bool))
	case into.CanFloat():
		f, isFloat := n.scalar.(float64)
		if isWhole {
			f = float64(whole)
		} else if !isFloat {
			return n.misfit("float")
		}
		into.SetFloat(f)
	case !isWhole:
		return n.misfit("integer")
	case into.CanInt() && !into.OverflowInt(whole):
		into.SetInt(whole)
	case into.CanUint() && whole >= 0 && !into.OverflowUint(uint64(whole)):
		into.SetUint(uint64(whole))
	default:
		return mistake(n.at, "%d is out of range", whole)
	}
	return nil
}
