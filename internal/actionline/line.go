package actionline

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/duration"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// Form is how an action is written, for who wrote it otherwise.
const Form = `{"action":"Ping","fields":{"Key":"value"},"id":"1","node":"pbx1","timeout":"5s"}; "wait":"answer" is for an Originate`

// What is waited for of an Originate, whose Success alone says only that it was queued (action_originate in manager.c).
const (
	WaitNot    = "no"
	WaitAnswer = "answer" // it ends by its OriginateResponse
	WaitHangup = "hangup" // and then the call is followed to its end
)

// A Line is an action as somebody asks for it.
type Line struct {
	ID     string // the caller's own
	Node   string
	Action ami.Action
	Wait   string // "" if nothing is said
}

const longLine = 1 << 10

// Parse reads one JSON object: action, and optionally fields, node, id, timeout, wait. Numbers and booleans go as they are
// written, an array repeats a header; null, objects, unknown and repeated keys are errors. The ID is there even with an error,
// if it could be read. Of an action that cannot be sent the error is an *ami.OpError.
func Parse(text string) (l Line, err error) {
	if !gjson.Valid(text) {
		return l, errors.New("not JSON")
	}
	object := gjson.Parse(text)
	if !object.IsObject() {
		return l, errors.New("not a JSON object")
	}
	var seen [len(lineKeys)]bool
	object.ForEach(func(key, value gjson.Result) bool {
		if wrong := l.take(key.Str, value, &seen); err == nil {
			err = wrong
		}
		return true // the id may come behind the mistake
	})
	if len(text) > longLine { // what stays while the action is in flight must not keep all of it
		l.ID, l.Node, l.Action.Name = strings.Clone(l.ID), strings.Clone(l.Node), strings.Clone(l.Action.Name)
	}
	if err == nil && l.Action.Name == "" {
		err = errors.New("no action")
	}
	if err == nil {
		if refused := l.Action.Check(); refused != nil {
			err = &ami.OpError{Op: ami.OpDo, Action: l.Action.Name, Err: refused}
		}
	}
	return l, err
}

// lineKeys are in the order of the seen marks.
var lineKeys = [...]string{"action", "fields", "node", "id", "timeout", "wait"}

func (l *Line) take(key string, value gjson.Result, seen *[len(lineKeys)]bool) error {
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
		return l.takeFields(value)
	}
	s, err := scalar(key, value)
	if err != nil {
		return err
	}
	switch key {
	case "action":
		l.Action.Name = s
	case "node":
		l.Node = s
	case "id":
		l.ID = s
	case "wait":
		if l.Wait = s; s != WaitNot && s != WaitAnswer && s != WaitHangup {
			return fmt.Errorf("wait %q is not one of answer, hangup and no", s)
		}
	case "timeout":
		l.Action.Timeout, err = duration.Parse(s)
		if err != nil {
			return fmt.Errorf("timeout %q: %w", s, err)
		}
	}
	return nil
}

func (l *Line) takeFields(value gjson.Result) (err error) {
	if !value.IsObject() {
		return fmt.Errorf("fields is not an object")
	}
	l.Action.Fields = make([]ami.Field, 0, 4)
	value.ForEach(func(key, v gjson.Result) bool {
		if len(l.Action.Fields) > wire.MaxHeaders { // they are refused, and looking for repeats among more takes the square of the time
			return false
		}
		for i := range l.Action.Fields { // a few names: no map is needed
			if l.Action.Fields[i].Name == key.Str {
				err = fmt.Errorf("the field %q repeats; an array repeats a header", key.Str)
				return false
			}
		}
		if !v.IsArray() {
			var s string
			if s, err = scalar(key.Str, v); err == nil {
				l.Action.Fields = append(l.Action.Fields, ami.Field{Name: key.Str, Value: s})
			}
			return err == nil
		}
		v.ForEach(func(_, item gjson.Result) bool {
			var s string
			if s, err = scalar(key.Str, item); err == nil {
				l.Action.Fields = append(l.Action.Fields, ami.Field{Name: key.Str, Value: s})
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
