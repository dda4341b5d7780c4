package main

import (
	"io"
	"slices"
	"strings"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/catalog"
)

// parseAction reads an action from arguments: its name, then Key=Value each. The first `=` splits; order and repeats
// are kept; a value is never interpreted. `Key@=FILE` reads the value from a file, "-" from standard input.
func (a *app) parseAction(words []string) (ami.Action, error) {
	if len(words) == 0 {
		return ami.Action{}, usageError("such as `amictl send CoreStatus`", "an action's name is missing")
	}
	action := ami.Action{Name: words[0], Timeout: a.timeout()}
	if strings.Contains(words[0], "=") {
		return action, usageError("such as `amictl send Getvar Variable=EPOCH`", "the first argument is the action's name, not %q", words[0])
	}
	for _, word := range words[1:] {
		field, err := a.parseField(word)
		if err != nil {
			return action, err
		}
		action.Fields = append(action.Fields, field)
	}
	return action, checkAction(&action)
}

// checkAction refuses before anything is dialled what the engine would refuse before anything is sent.
func checkAction(action *ami.Action) error {
	if err := action.Check(); err != nil {
		return &ami.OpError{Op: "do", Action: action.Name, Err: err}
	}
	return nil
}

func (a *app) parseField(word string) (ami.Field, error) {
	name, value, found := strings.Cut(word, "=")
	if !found {
		return ami.Field{}, usageError("an empty value is written "+word+"=", "%q is not Key=Value", word)
	}
	if file, ok := strings.CutSuffix(name, "@"); ok {
		text, err := a.readValue(value, word)
		return ami.Field{Name: file, Value: text}, err
	}
	return ami.Field{Name: name, Value: value}, nil
}

// maxValue is how much of a file Key@=FILE reads: more than any line may hold, so that the refusal is the right one.
const maxValue = 64 << 10

func (a *app) readValue(file, who string) (string, error) {
	in, err := a.open(file, who)
	if err != nil {
		return "", err
	}
	defer func() { _ = in.Close() }()
	text, err := io.ReadAll(io.LimitReader(in, maxValue))
	if err != nil {
		return "", usageError(readHint, "%s: %v", who, err)
	}
	s := strings.TrimSuffix(string(text), "\n")
	return strings.TrimSuffix(s, "\r"), nil
}

// warnUnknown tells of a header that the catalogue does not have for the action, as a typing error would be. It is
// sent all the same: a newer server may know more.
func (a *app) warnUnknown(action *ami.Action) {
	known, ok := catalog.Lookup(action.Name)
	if !ok || len(known.Params) == 0 || known.Name == "UserEvent" { // whose headers are free
		return
	}
	names := make([]string, 0, len(known.Params))
	for _, p := range known.Params {
		names = append(names, paramStem(p.Name))
	}
	for i := range action.Fields {
		name := action.Fields[i].Name
		if slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, paramStem(name)) }) || strings.EqualFold(name, "Variable") || strings.EqualFold(name, "ChanVariable") {
			continue
		}
		near := nearest(name, names)
		if near != "" {
			near = "; did you mean " + near + "?"
		}
		a.note("%s has no parameter %s in the catalogue%s", known.Name, name, near)
	}
}

// warnEvents tells of a name that is a typing error away from an event's in the catalogue, and is none. It is waited for
// all the same: a newer server may send it.
func (a *app) warnEvents(names []string) {
	known := catalog.Events()
	for _, name := range names {
		if strings.ContainsAny(name, "*?") || slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) }) {
			continue
		}
		if near := nearest(name, known); near != "" {
			a.note("there is no event %s in the catalogue; did you mean %s?", name, near)
		}
	}
}

// paramStem cuts off what counts a parameter: Action-000000, UnitAmount(0).
func paramStem(name string) string {
	if at := strings.IndexAny(name, "-("); at > 0 {
		return name[:at]
	}
	return name
}
