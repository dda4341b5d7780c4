package web

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
	"github.com/apntalk/amictl/pkg/output"
)

// A part is a kind of objects under the name that `amictl state` has for it.
type part struct {
	name string
	kind state.Kind
	of   reflect.Type
}

// parts are in the order in which a snapshot has them.
var parts = []part{
	{"nodes", state.KindNode, reflect.TypeFor[state.Node]()},
	{"channels", state.KindChannel, reflect.TypeFor[state.Channel]()},
	{"bridges", state.KindBridge, reflect.TypeFor[state.Bridge]()},
	{"calls", state.KindCall, reflect.TypeFor[state.Call]()},
	{"queues", state.KindQueue, reflect.TypeFor[state.Queue]()},
	{"members", state.KindMember, reflect.TypeFor[state.Member]()},
	{"callers", state.KindCaller, reflect.TypeFor[state.Caller]()},
	{"endpoints", state.KindEndpoint, reflect.TypeFor[state.Endpoint]()},
	{"devices", state.KindDevice, reflect.TypeFor[state.Device]()},
	{"hints", state.KindHint, reflect.TypeFor[state.Hint]()},
	{"registrations", state.KindRegistration, reflect.TypeFor[state.Registration]()},
	{"conferences", state.KindConference, reflect.TypeFor[state.Conference]()},
	{"parked", state.KindParked, reflect.TypeFor[state.Parked]()},
}

func partNames() (names []string) {
	for i := range parts {
		names = append(names, parts[i].name)
	}
	return names
}

// partsNamed returns the part of a name, all of "", none if there is no such part.
func partsNamed(name string) []part {
	if name == "" {
		return parts
	}
	at := slices.IndexFunc(parts, func(p part) bool { return p.name == name })
	if at < 0 {
		return nil
	}
	return parts[at : at+1]
}

// An encoder writes objects as `amictl state -o jsonl` does.
type encoder struct {
	buf     bytes.Buffer
	printer *output.Printer
}

func newEncoder() *encoder {
	e := &encoder{}
	e.printer = output.NewPrinter(&e.buf, output.Options{})
	return e
}

// encode returns an object as JSON, until the next call.
func (e *encoder) encode(o state.Object) []byte {
	v := reflect.ValueOf(o).Elem()
	r := output.Record{{Key: "type", Value: string(o.Kind())}}
	for f, field := range v.Fields() {
		key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		empty := field.IsZero() || (field.Kind() == reflect.Slice || field.Kind() == reflect.Map) && field.Len() == 0
		if !empty || !strings.Contains(options, "omit") {
			r = append(r, output.Pair{Key: key, Value: field.Interface()})
		}
	}
	return e.record(r)
}

// record returns a record as JSON, until the next call.
func (e *encoder) record(r output.Record) []byte {
	e.buf.Reset()
	_ = e.printer.Record(r) // a buffer takes everything
	_ = e.printer.Flush()
	return bytes.TrimSuffix(e.buf.Bytes(), []byte("\n"))
}

// matches reports whether an object that was encoded meets a condition.
func matches(where *ami.Where, node string, object []byte) bool {
	return where == nil || where.MatchFields(node, func(yield func(string, string) bool) {
		walk("", gjson.ParseBytes(object), yield)
	})
}

// walk yields the values of an object as text: those within as caller.number, each of an array under the same name.
func walk(name string, v gjson.Result, yield func(string, string) bool) (more bool) {
	if !v.IsObject() && !v.IsArray() {
		return yield(name, v.String())
	}
	more = true
	v.ForEach(func(key, inner gjson.Result) bool {
		inside := name
		if v.IsObject() {
			inside = strings.TrimPrefix(name+"."+key.Str, ".")
		}
		more = walk(inside, inner, yield)
		return more
	})
	return more
}

// checkWhere refuses a condition about what none of the parts has.
func checkWhere(where *ami.Where, asked []part) *failure {
	for _, field := range where.Fields() {
		if field != "*" && !slices.ContainsFunc(asked, func(p part) bool { return p.has(field) }) {
			return badRequest("the objects themselves show their keys", "no part that is asked for has a key %.50q", field)
		}
	}
	return nil
}

// has reports whether objects of a part may have a key, or one within, whatever its case.
func (p part) has(field string) bool { return strings.EqualFold(field, "type") || hasKey(p.of, field) }

func hasKey(t reflect.Type, field string) bool {
	key, rest, within := strings.Cut(field, ".")
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case !strings.EqualFold(name, key):
			continue
		case f.Type.Kind() == reflect.Map: // its keys are the server's
			return within
		case f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[time.Time]():
			return within && hasKey(f.Type, rest)
		}
		return !within
	}
	return false
}
