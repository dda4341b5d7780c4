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
	if strings.ContainsAny(words[0], "=: \t") { // no action of any server is called so
		return action, fail.Usage("such as `amictl send Getvar Variable=EPOCH`; a command of the console is `amictl command core show channels`",
			"the first argument is the action's name, not %q", words[0])
	}
	for _, word := range words[1:] {
		field, err := ParseField(r, word)
		if err != nil {
			return action, unkeyed(words, err)
		}
		action.Fields = append(action.Fields, field)
	}
	return action, CheckAction(&action)
}

// unkeyed is the error of a word that is not Key=Value, with the line that was meant if the words tell: with the names of the
// parameters, or for the console, whose commands are words alone.
func unkeyed(words []string, err error) error {
	bare := func(w string) bool { return !strings.Contains(w, "=") }
	keyed := Keyed(words[0], words[1:])
	line := append([]string{"amictl", "send", words[0]}, keyed...)
	switch _, known := catalog.Lookup(words[0]); {
	case known && slices.ContainsFunc(keyed, bare):
		return err
	case !known && slices.ContainsFunc(words, func(w string) bool { return !bare(w) }):
		return err
	case !known:
		line = append([]string{"amictl", "command"}, words...)
	}
	return fail.Usage("you may mean `"+fail.ShellLine(line)+"`", "%v", err)
}

// Keyed makes parameters of words that are not Key=Value: each name of a parameter and the word behind it are one if they all
// stand so; otherwise a word is the value of the parameter that is next, of those that the action needs first. A word that is
// one too many stays as it is, and so does a name alone.
func Keyed(action string, words []string) (keyed []string) {
	known, _ := catalog.Lookup(action)
	var free []string
	for _, required := range []bool{true, false} {
		for _, p := range known.Params {
			given := slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(strings.ToLower(w), strings.ToLower(p.Name)+"=") })
			if p.Required == required && p.Name != "ActionID" && !given {
				free = append(free, p.Name)
			}
		}
	}
	name := func(word string) string {
		i := slices.IndexFunc(free, func(n string) bool { return strings.EqualFold(n, strings.TrimSuffix(word, ":")) })
		if i < 0 {
			return ""
		}
		return free[i]
	}
	pairs := len(words)%2 == 0
	for i := 0; i < len(words); i += 2 {
		pairs = pairs && name(words[i]) != ""
	}
	for i, word := range words {
		switch {
		case strings.Contains(word, "="), len(words) == 1 && name(word) != "":
		case pairs && i%2 == 0:
			continue
		case pairs:
			word = name(words[i-1]) + "=" + word
		case len(free) > 0:
			word, free = free[0]+"="+word, free[1:]
		}
		keyed = append(keyed, word)
	}
	return keyed
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

// CheckEvents refuses what is no event's name on any server, and tells of a name that is a typing error away from an event's
// in the catalogue, and is none. That is waited for all the same: a newer server may send it.
func CheckEvents(r *run.Run, names []string) error {
	known := catalog.EventNames()
	for _, name := range names {
		switch {
		case strings.ContainsAny(name, "=<>~"):
			return fail.Usage("a condition is --where "+fail.ShellWord(name), "%q is no event's name", name)
		case strings.ContainsAny(name, ", "):
			return fail.Usage("names stand apart: "+fail.ShellLine(strings.FieldsFunc(name, func(c rune) bool { return c == ',' || c == ' ' })), "%q is no event's name", name)
		}
		if strings.ContainsAny(name, "*?") || slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) }) {
			continue
		}
		if near := fail.Nearest(name, known); near != "" {
			r.Note("there is no event %s in the catalogue; did you mean %s?", name, near)
		}
	}
	return nil
}

// paramStem cuts off what counts a parameter: Action-000000, UnitAmount(0).
func paramStem(name string) string {
	if at := strings.IndexAny(name, "-("); at > 0 {
		return name[:at]
	}
	return name
}
