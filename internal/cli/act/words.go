package act

import (
	"io"
	"slices"
	"strings"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/catalog"
)

// ParseAction reads an action from arguments: its name, then Key=Value each. The first `=` splits; order and repeats
// are kept; a value is never interpreted. `Key@=FILE` reads the value from a file, "-" from standard input.
func ParseAction(r *run.Run, words []string) (ami.Action, error) {
	if len(words) == 0 {
		return ami.Action{}, fail.Usage("such as `amictl send CoreStatus`", "an action's name is missing")
	}
	action := ami.Action{Name: words[0], Timeout: r.Settings.Timeout}
	if strings.Contains(words[0], "=") {
		return action, fail.Usage("such as `amictl send Getvar Variable=EPOCH`", "the first argument is the action's name, not %q", words[0])
	}
	for _, word := range words[1:] {
		field, err := ParseField(r, word)
		if err != nil {
			return action, err
		}
		action.Fields = append(action.Fields, field)
	}
	return action, CheckAction(&action)
}

// CheckAction refuses before anything is dialled what the engine would refuse before anything is sent.
func CheckAction(action *ami.Action) error {
	if err := action.Check(); err != nil {
		return &ami.OpError{Op: ami.OpDo, Action: action.Name, Err: err}
	}
	return nil
}

// ParseField reads Key=Value, or Key@=FILE.
func ParseField(r *run.Run, word string) (ami.Field, error) {
	name, value, found := strings.Cut(word, "=")
	if !found {
		return ami.Field{}, fail.Usage("an empty value is written "+word+"=", "%q is not Key=Value", word)
	}
	if file, ok := strings.CutSuffix(name, "@"); ok {
		text, err := readValue(r, value, word)
		return ami.Field{Name: file, Value: text}, err
	}
	return ami.Field{Name: name, Value: value}, nil
}

// maxValue is how much of a file Key@=FILE reads: more than any line may hold, so that the refusal is the right one.
const maxValue = 64 << 10

func readValue(r *run.Run, file, who string) (string, error) {
	in, err := r.Open(file, who)
	if err != nil {
		return "", err
	}
	defer func() { _ = in.Close() }()
	text, err := io.ReadAll(io.LimitReader(in, maxValue))
	if err != nil {
		return "", fail.Usage(fail.ReadHint, "%s: %v", who, err)
	}
	s := strings.TrimSuffix(string(text), "\n")
	return strings.TrimSuffix(s, "\r"), nil
}

// WarnUnknown tells of a header that the catalogue does not have for the action, as a typing error would be. It is
// sent all the same: a newer server may know more.
func WarnUnknown(r *run.Run, action *ami.Action) {
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
		near := fail.Nearest(name, names)
		if near != "" {
			near = "; did you mean " + near + "?"
		}
		r.Note("%s has no parameter %s in the catalogue%s", known.Name, name, near)
	}
}

// WarnEvents tells of a name that is a typing error away from an event's in the catalogue, and is none. It is waited for
// all the same: a newer server may send it.
func WarnEvents(r *run.Run, names []string) {
	known := catalog.EventNames()
	for _, name := range names {
		if strings.ContainsAny(name, "*?") || slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) }) {
			continue
		}
		if near := fail.Nearest(name, known); near != "" {
			r.Note("there is no event %s in the catalogue; did you mean %s?", name, near)
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
