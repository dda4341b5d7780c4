package send

import (
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
	"github.com/apntalk/amictl/pkg/output"
)

// A lineRequest is one line of `send -`.
type lineRequest struct {
	line   int
	id     string
	node   string
	action ami.Action
	wait   string // for what of a call, "" as --wait says
	bytes  int    // that it holds while it waits
	err    error  // why the line is refused; id is known if it could be read
}

// kept is how many bytes of a line stay while it is in flight: its values are on the wire then.
func (r *lineRequest) kept() int { return len(r.id) + lineBytes }

func (r *lineRequest) origin() output.Origin {
	return output.Origin{Action: r.action.Name, ID: r.id, Line: r.line}
}

const longLine = 1 << 10

const lineForm = `a line is {"action":"Ping","fields":{"Key":"value"},"id":"1","node":"pbx1","timeout":"5s"}; "wait":"answer" is for an Originate`

// parseLine reads one JSON object: action, and optionally fields, node, id, timeout. Numbers and booleans go as they
// are written, an array repeats a header; null, objects, unknown and repeated keys are errors.
func parseLine(number int, text string) (r lineRequest) {
	r.line, r.bytes = number, len(text)+lineBytes
	if !gjson.Valid(text) {
		r.err = fail.Input(lineForm, "line %d is not JSON", number)
		return r
	}
	object := gjson.Parse(text)
	if !object.IsObject() {
		r.err = fail.Input(lineForm, "line %d is not a JSON object", number)
		return r
	}
	var seen [len(lineKeys)]bool
	object.ForEach(func(key, value gjson.Result) bool {
		if err := r.take(key.Str, value, &seen); err != nil && r.err == nil {
			r.err = fail.Input(lineForm, "line %d: %v", number, err)
		}
		return true // the id may come behind the mistake
	})
	if len(text) > longLine { // what stays while the action is in flight must not keep all of it
		r.id, r.node, r.action.Name = strings.Clone(r.id), strings.Clone(r.node), strings.Clone(r.action.Name)
	}
	if r.err == nil && r.action.Name == "" {
		r.err = fail.Input(lineForm, "line %d: no action", number)
	}
	if r.err == nil {
		if err := act.CheckAction(&r.action); err != nil {
			f := fail.Classify(err)
			r.err = fail.Input(f.Hint, "line %d: %s", number, f.Message)
		}
	}
	return r
}

// lineKeys are in the order of the seen marks.
var lineKeys = [...]string{"action", "fields", "node", "id", "timeout", "wait"}

func (r *lineRequest) take(key string, value gjson.Result, seen *[len(lineKeys)]bool) error {
	at := -1
	for i, k := range lineKeys {
		if k == key {
			at = i
		}
	}
	switch {
	case at < 0:
		return fmt.Errorf("unknown key %q", key)
	case seen[at]:
		return fmt.Errorf("the key %q repeats", key)
	}
	seen[at] = true
	if key == "fields" {
		return r.takeFields(value)
	}
	s, err := scalar(key, value)
	if err != nil {
		return err
	}
	switch key {
	case "action":
		r.action.Name = s
	case "node":
		r.node = s
	case "id":
		r.id = s
	case "wait":
		if r.wait = s; s != waitNot && s != waitAnswer && s != waitHangup {
			return fmt.Errorf("wait %q is not one of answer, hangup and no", s)
		}
	case "timeout":
		r.action.Timeout, err = flags.ParseDuration(s)
		if err != nil {
			return fmt.Errorf("timeout %q: %w", s, err)
		}
	}
	return nil
}

func (r *lineRequest) takeFields(value gjson.Result) (err error) {
	if !value.IsObject() {
		return fmt.Errorf("fields is not an object")
	}
	r.action.Fields = make([]ami.Field, 0, 4)
	value.ForEach(func(key, v gjson.Result) bool {
		if len(r.action.Fields) > wire.MaxHeaders { // they are refused, and looking for repeats among more takes the square of the time
			return false
		}
		for i := range r.action.Fields { // a few names: no map is needed
			if r.action.Fields[i].Name == key.Str {
				err = fmt.Errorf("the field %q repeats; an array repeats a header", key.Str)
				return false
			}
		}
		if !v.IsArray() {
			var s string
			if s, err = scalar(key.Str, v); err == nil {
				r.action.Fields = append(r.action.Fields, ami.Field{Name: key.Str, Value: s})
			}
			return err == nil
		}
		v.ForEach(func(_, item gjson.Result) bool {
			var s string
			if s, err = scalar(key.Str, item); err == nil {
				r.action.Fields = append(r.action.Fields, ami.Field{Name: key.Str, Value: s})
			}
			return err == nil
		})
		return err == nil
	})
	return err
}

// scalar returns a string's text, and a number or boolean as it is written. It may be a part of the line.
func scalar(key string, v gjson.Result) (string, error) {
	switch v.Type {
	case gjson.String:
		return v.Str, nil
	case gjson.Number, gjson.True, gjson.False:
		return v.Raw, nil
	case gjson.Null:
		return "", fmt.Errorf("%q is null; leave it out, or give \"\"", key)
	}
	return "", fmt.Errorf("%q is neither a string nor a number", key)
}
