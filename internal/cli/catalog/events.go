package catalog

import (
	"cmp"
	"context"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/catalog"
	"github.com/apntalk/amictl/pkg/ami/wire"
	"github.com/apntalk/amictl/pkg/output"
)

const eventsHelp = `Examples:
  amictl events
  amictl events 'Queue*'
  amictl events Hangup                       its classes and headers
  amictl events --query ends.0 QueueStatusComplete   whose list it ends

The events that Asterisk is known to send, without asking a server. Needs: the classes that the user must have in
read=, all of them. An event that needs none only comes in answers. A header in [] is not always there, one with
... may repeat. Any event may also have Privilege, Timestamp, SequenceNumber and SystemName.`

// EventsCommand makes the subcommand events.
func EventsCommand(r *run.Run) *cli.Command {
	o := &options{}
	return r.Tell(&cli.Command{
		Name:        "events",
		Usage:       "what events there are, and what they hold",
		ArgsUsage:   "[NAME|GLOB]",
		Description: eventsHelp,
		Action: func(ctx context.Context, c *cli.Command) error {
			o.args = c.Args().Slice()
			return events(ctx, r, o)
		},
	}, run.About{Args: run.Words{Kind: run.EventName}, Config: run.ConfigMayBeBroken, Prints: true})
}

// events prints the events that are in the catalogue.
func events(_ context.Context, r *run.Run, o *options) error {
	if err := o.check("event"); err != nil {
		return err
	}
	row := eventRecord
	if p := peoplesPrinter(r); p != nil {
		if one, ok := catalog.LookupEvent(o.pattern()); ok {
			return eventDetail(p, &one)
		}
		row = eventRow
	}
	var rows []output.Record
	for _, e := range catalog.Events() {
		if ami.MatchGlob(o.pattern(), e.Name) {
			rows = append(rows, row(&e))
		}
	}
	return catalogue(r, o, rows, catalog.EventNames(), "event")
}

// ends returns the actions whose list an event ends.
func ends(event string) (actions []string) {
	for _, action := range catalog.Actions() {
		if wire.EqualFold(action.EndEvent, event) {
			actions = append(actions, action.Name)
		}
	}
	return actions
}

func eventRecord(e *catalog.Event) output.Record {
	headers, optional, repeats := []string{}, []string{}, []string{}
	for _, h := range e.Headers {
		headers = append(headers, h.Name)
		if h.Optional {
			optional = append(optional, h.Name)
		}
		if h.Repeats {
			repeats = append(repeats, h.Name)
		}
	}
	return output.Record{
		{Key: "event", Value: e.Name},
		{Key: "classes", Value: append([]string{}, e.Classes...), Text: cmp.Or(strings.Join(e.Classes, ","), "-")},
		{Key: "since", Value: run.OrAbsent(e.Since)},
		{Key: "removed", Value: run.OrAbsent(e.Removed)},
		listOrAbsent("answers", e.Answers),
		listOrAbsent("ends", ends(e.Name)),
		{Key: "headers", Value: headers, Text: strings.Join(headerWords(e), " ")},
		{Key: "optional", Value: optional, Text: strings.Join(optional, " ")},
		{Key: "repeats", Value: repeats, Text: strings.Join(repeats, " ")},
		{Key: "any_header", Value: e.Open, Text: run.Yes(e.Open)},
	}
}

// listOrAbsent is a list that is left out if it is empty.
func listOrAbsent(key string, list []string) output.Pair {
	if len(list) == 0 {
		return output.Pair{Key: key}
	}
	return output.Pair{Key: key, Value: list, Text: strings.Join(list, " ")}
}

// eventRow is what a table shows of an event.
func eventRow(e *catalog.Event) output.Record {
	return output.Record{
		{Key: "event", Value: e.Name},
		{Key: "needs", Value: strings.Join(e.Classes, ",")},
		{Key: "versions", Value: versions(e)},
		{Key: "in answers to", Value: strings.Join(append(ends(e.Name), e.Answers...), " "), Look: output.Minor},
	}
}

// versions says which releases have an event, or nothing if all have it from 13 on.
func versions(e *catalog.Event) string {
	switch {
	case e.Since != "" && e.Removed != "":
		return e.Since + " to before " + e.Removed
	case e.Since != "":
		return e.Since + " and later"
	case e.Removed != "":
		return "before " + e.Removed
	}
	return ""
}

// eventDetail shows one event to people.
func eventDetail(p *output.Printer, e *catalog.Event) error {
	classes := strings.Join(e.Classes, " and ") + " (in read= of the user in manager.conf)"
	if len(e.Classes) == 0 {
		classes = "none: it only comes in answers"
	}
	return detail(p, [][2]string{
		{"event", e.Name},
		{"classes", classes},
		{"versions", cmp.Or(versions(e), "13 and later")},
		{"answers", strings.Join(e.Answers, " ")},
		{"ends", strings.Join(ends(e.Name), " ")},
		{"headers", strings.Join(headerWords(e), " ")},
		{"example", example(e)},
	})
}

// headerWords are the headers of an event as a manual writes them: [what is not always there], what may repeat...
func headerWords(e *catalog.Event) []string {
	words := make([]string, 0, len(e.Headers)+1)
	for _, h := range e.Headers {
		word := h.Name
		if h.Optional {
			word = "[" + word + "]"
		}
		if h.Repeats {
			word += "..."
		}
		words = append(words, word)
	}
	if e.Open {
		words = append(words, "and any others")
	}
	return words
}

// example is a command that shows an event.
func example(e *catalog.Event) string {
	if len(e.Classes) > 0 {
		return "amictl tail " + e.Name
	}
	for _, name := range append(ends(e.Name), e.Answers...) {
		if action, ok := catalog.Lookup(name); ok {
			return sendExample(&action)
		}
	}
	return ""
}
