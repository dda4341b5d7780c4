// Package query evaluates gjson paths on the objects that amictl prints, with two differences to gjson alone.
//
// All that a server sends is text, and gjson compares text with text: "2" > "100". Here an order against a number or a
// time (<, <=, > and >=, the value in quotes or not) compares quantities, as [ami.Where] does, and a value that is none
// does not match. What else gjson compares, it compares as ever.
//
// And [a,b,c] has a null where gjson leaves an absent value out, so that columns stay where they are. Objects of several
// paths, {a,b}, leave it out: they have names.
package query

import (
	"strings"
	"sync"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/pkg/ami"
)

// A Path is a gjson path that is ready to be evaluated. It is safe for concurrent use.
type Path struct{ text string }

// Compile makes a path ready. There is no path that is an error: gjson finds nothing for one that it cannot read.
func Compile(path string) Path {
	addModifiers()
	return Path{rewrite(path)}
}

// Get evaluates the path on one JSON object: a string is its text, anything else JSON. It is not ok if the path matches
// nothing.
func (p Path) Get(object []byte) (text string, ok bool) {
	r := gjson.GetBytes(object, p.text)
	if r.Type == gjson.String {
		return r.Str, r.Exists()
	}
	return r.Raw, r.Exists()
}

// The modifiers that rewritten paths call. gjson knows modifiers by name, for the whole process.
const (
	columns = "amictl_columns" // [[a],[],[c]] is [a,null,c]
	ordered = "amictl_ordered" // of [a]: whether a meets the condition; else nothing
	first   = "amictl_first"   // the first member of an array that meets the condition
	each    = "amictl_each"    // those members of an array that do
)

var addModifiers = sync.OnceFunc(func() {
	gjson.AddModifier(columns, func(json, _ string) string {
		out := []byte{'['}
		for _, column := range gjson.Parse(json).All() {
			if len(out) > 1 {
				out = append(out, ',')
			}
			value := column.Get("0").Raw
			if value == "" {
				value = "null"
			}
			out = append(out, value...)
		}
		return string(append(out, ']'))
	})
	gjson.AddModifier(ordered, func(json, arg string) string {
		if meets(gjson.Get(json, "0"), arg) {
			return "true"
		}
		return ""
	})
	gjson.AddModifier(first, func(json, arg string) string {
		list := gjson.Parse(json)
		if !list.IsArray() {
			return ""
		}
		for _, v := range list.All() {
			if meets(v, arg) {
				return v.Raw
			}
		}
		return ""
	})
	gjson.AddModifier(each, func(json, arg string) string {
		list := gjson.Parse(json)
		if !list.IsArray() {
			return ""
		}
		out := []byte{'['}
		for _, v := range list.All() {
			if !meets(v, arg) {
				continue
			}
			if len(out) > 1 {
				out = append(out, ',')
			}
			out = append(out, v.Raw...)
		}
		return string(append(out, ']'))
	})
})

// orders are the operators by the words that stand for them in a modifier's argument, where gjson would take the
// operators themselves for its own.
var orders = map[string]string{"lt": "<", "le": "<=", "gt": ">", "ge": ">="}

// conditions holds those of all modifiers' arguments, of which there are as many as paths were compiled.
var conditions sync.Map // string → *ami.Where

// meets reports whether a value meets the condition that a modifier's argument says: "gt 100", in quotes.
func meets(v gjson.Result, arg string) bool {
	where, ok := conditions.Load(arg)
	if !ok {
		word, number, _ := strings.Cut(strings.Trim(arg, `"`), " ")
		w, err := condition(orders[word], number)
		if err != nil {
			return false
		}
		where, _ = conditions.LoadOrStore(arg, w)
	}
	var text string
	switch v.Type {
	case gjson.String:
		text = v.Str
	case gjson.Number:
		text = plainNumber(v.Raw)
	default:
		return false
	}
	return where.(*ami.Where).MatchFields("", func(yield func(string, string) bool) { yield("value", text) })
}

func condition(op, number string) (*ami.Where, error) {
	return ami.ParseWhere("value" + op + `"` + number + `"`)
}
