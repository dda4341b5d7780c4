package dial

import (
	"slices"
	"strings"

	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/call"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
)

// A plan makes the Originate of a row: the flags' values with the row's in them.
type plan struct {
	run       *run.Run
	list      *list
	options   call.Options
	fields    []string
	templates []template // of the values, in the order of each
}

// newPlan reads the values' templates, and wants every column that they name in the list.
func newPlan(r *run.Run, o *options, l *list) (*plan, error) {
	if err := notOurs(o.fields); err != nil {
		return nil, err
	}
	fields, err := ownText(r, o.fields)
	if err != nil {
		return nil, err
	}
	p := &plan{run: r, list: l, options: o.Options, fields: fields}
	p.each(&p.options, p.fields, func(value *string) {
		t, wrong := parseTemplate(*value)
		if wrong != nil && err == nil {
			err = fail.Usage("{column} stands for the row's value in that column, {{ for a {", "%q: %v", *value, wrong)
		}
		for _, name := range t.columns {
			if !slices.Contains(l.columns, name) && err == nil {
				err = fail.Input(fail.NearHint(name, l.columns, "there is "+strings.Join(l.columns, ", ")+"; a { itself is written {{"), "%s has no column %q, which %q asks for", l.name, name, *value)
			}
		}
		p.templates = append(p.templates, t)
	})
	return p, err
}

// notOurs refuses headers that dial sets: Asterisk takes the first of a name.
func notOurs(words []string) error {
	for _, word := range words {
		name, _, _ := strings.Cut(word, "=")
		for own, hint := range map[string]string{"ChannelId": "calls are followed by it", "Async": "it is always true", "Timeout": "--ring is how long a call rings"} {
			if strings.EqualFold(strings.TrimSuffix(name, "@"), own) {
				return fail.Usage(hint, "%s is dial's own", own)
			}
		}
	}
	return nil
}

// each calls do for each value that may name columns.
func (p *plan) each(o *call.Options, fields []string, do func(value *string)) {
	for _, value := range []*string{&o.Channel, &o.Exten, &o.Context, &o.Priority, &o.Application, &o.Data, &o.CallerID, &o.Account} {
		do(value)
	}
	for i := range o.Vars {
		do(&o.Vars[i])
	}
	for i := range fields {
		do(&fields[i])
	}
}

// action makes the Originate of a row, which ends when the server has taken it. id is the call's ChannelId; "": it has none yet.
func (p *plan) action(i int, id string) (ami.Action, error) {
	r := &p.list.rows[i]
	o, fields := p.options, slices.Clone(p.fields)
	o.Vars = slices.Clone(o.Vars)
	next := 0
	var wrong error
	p.each(&o, fields, func(value *string) {
		t := &p.templates[next]
		next++
		*value = t.fill(func(name string) string {
			at := slices.Index(p.list.columns, name)
			if bad := strings.IndexAny(r.values[at], "\r\n\x00"); bad >= 0 && wrong == nil {
				wrong = p.list.wrong(r.at[at], "it would end the header that it is part of: take it out", "the column %s has the character %q", name, r.values[at][bad])
			}
			return r.values[at]
		})
	})
	if wrong != nil {
		return ami.Action{}, wrong
	}
	if id != "" {
		fields = append(fields, "ChannelId="+id)
	}
	action, err := call.Action(p.run, &o, fields)
	if err != nil {
		f := fail.Classify(err)
		return action, p.list.wrong(place{r.line, 1}, f.Hint, "%s", f.Message)
	}
	action.AwaitOriginate, action.Timeout = false, p.run.Settings.Timeout
	return action, nil
}

// check makes the action of every row, so that what is wrong is known before anything is sent. What is wrong with the flags
// themselves is not the list's fault.
func (p *plan) check() error {
	o, fields := p.options, append(slices.Clone(p.fields), "ChannelId="+call.ChannelID())
	action, err := call.Action(p.run, &o, fields)
	if err != nil {
		return err
	}
	if len(p.list.rows) > 1 && !slices.ContainsFunc(p.templates, func(t template) bool { return len(t.columns) > 0 }) {
		return fail.Usage("such as --channel 'PJSIP/{number}@trunk'", "no value names a column, so that every call would be the same: %s", action.Get("Channel"))
	}
	for i := range p.list.rows {
		if _, err := p.action(i, call.ChannelID()); err != nil {
			return err
		}
	}
	act.WarnUnknown(p.run, &action)
	return nil
}

// ownText makes the words of Key@=FILE ones with the file's text, which is read once and names no columns.
func ownText(r *run.Run, words []string) ([]string, error) {
	words = slices.Clone(words)
	for i, word := range words {
		if name, _, _ := strings.Cut(word, "="); !strings.HasSuffix(name, "@") {
			continue
		}
		field, err := act.ParseField(r, word)
		if err != nil {
			return nil, err
		}
		words[i] = field.Name + "=" + strings.ReplaceAll(field.Value, "{", "{{")
	}
	return words, nil
}
