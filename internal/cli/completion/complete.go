package completion

import (
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/config"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami/catalog"
	"github.com/apntalk/amictl/pkg/output"
)

// A candidate is a word that may stand where the cursor is.
type candidate struct{ value, about string }

// A completer finds the candidates for one word. It asks no server, and what it cannot read it leaves out: whoever
// presses TAB wants no error.
type completer struct {
	run     *run.Run
	root    *cli.Command
	command *cli.Command
	cfg     *config.File
	named   []string // what was named before the word
	found   []candidate
	files   bool
	open    bool // what was found is only the beginning of a word
}

// follows says what the shell does behind the candidate.
func (c *completer) follows() string {
	switch {
	case c.files:
		return ":files"
	case c.open && len(c.found) > 0:
		return ":nospace"
	case len(c.found) > 0 && !slices.ContainsFunc(c.found, func(v candidate) bool { return !strings.HasSuffix(v.value, "=") }):
		return ":nospace"
	}
	return ":done"
}

// complete reads the words before the cursor's as arrange does, and then looks for candidates for the word itself.
func (c *completer) complete(words []string, word string) {
	c.command = c.root
	var positional []string
	var flag cli.Flag
	for i, w := range words {
		if flag != nil {
			c.note(flag, w)
			flag = nil
			continue
		}
		switch {
		case w == "--":
			c.words(c.run.About(c.command).Rest, words[i+1:], word)
			return
		case len(w) > 1 && w[0] == '-':
			f := c.lookup(w)
			if _, value, has := strings.Cut(w, "="); has && f != nil {
				c.note(f, value)
			} else if f != nil && !flags.IsBool(f) {
				flag = f
			}
		case len(c.command.Commands) > 0:
			if c.command = c.command.Command(w); c.command == nil {
				return
			}
			if c.run.About(c.command).Daemon {
				_ = c.run.RunDaemon(c.command.UsageText) // it knows the flags; without it there is nothing to offer
				return
			}
		default:
			positional = append(positional, w)
		}
	}
	name, value, has := strings.Cut(word, "=")
	c.named = positional
	switch {
	case flag != nil:
		c.flagValue(flag, "", word)
	case strings.HasPrefix(word, "-") && has:
		if f := c.lookup(name); f != nil {
			c.flagValue(f, name+"=", value)
		}
	case strings.HasPrefix(word, "-"):
		c.flags(word)
	case len(c.command.Commands) > 0:
		c.subcommands(word)
	default:
		c.words(c.run.About(c.command).Args, positional, word)
	}
}

// lookup finds a flag, also by another name that the subcommand has for it.
func (c *completer) lookup(word string) cli.Flag {
	name, _, _ := strings.Cut(word, "=")
	if other, ok := c.run.About(c.command).Aliases[name]; ok {
		word = other
	}
	f, _ := flags.LookupFlag(c.root, c.command, word)
	return f
}

// note remembers the values that decide which contexts and nodes there are.
func (c *completer) note(f cli.Flag, value string) {
	switch f.Names()[0] {
	case "context":
		c.run.Flags.Context = value
	case "config":
		c.run.Flags.Config = value
	}
}

// add offers candidates that begin with what was typed, whatever the case.
func (c *completer) add(typed, before, value, about string) {
	if len(value) >= len(typed) && strings.EqualFold(value[:len(typed)], typed) {
		c.found = append(c.found, candidate{before + value, about})
	}
}

func (c *completer) addAll(typed, before string, values ...string) {
	for _, v := range values {
		c.add(typed, before, v, "")
	}
}

func (c *completer) flags(word string) {
	list := c.root.Flags
	if c.command != c.root {
		list = slices.Concat(c.command.Flags, list)
	}
	for _, f := range list {
		about := ""
		if doc, ok := f.(cli.DocGenerationFlag); ok {
			_, about = flags.UnquoteUsage(doc.GetUsage())
		}
		for _, n := range f.Names() {
			if len(n) > 1 {
				c.add(word, "", "--"+n, about)
			} else if len(word) < 2 || word == "-"+n {
				c.add(word, "", "-"+n, about)
			}
		}
	}
	c.add(word, "", "--help", "show help")
	if c.run.About(c.command).Rest.Kind != run.NoWords {
		c.add(word, "", "--", "what follows is not for amictl")
	}
}

// flagValue completes the value of a flag: what there is of the kind that it names, its choices, or a file.
func (c *completer) flagValue(f cli.Flag, before, typed string) {
	switch f.Names()[0] {
	case "context":
		c.addAll(typed, before, c.config().ContextNames()...)
		return
	case "node":
		if strings.HasPrefix(typed, "@") {
			c.files = true
			return
		}
		c.addAll(typed, before, c.nodes()...)
		c.addAll(typed, before, keepPrefix(typed, "ami://", "amis://")...)
		return
	case "label":
		c.addAll(typed, before, c.labels()...)
		return
	case "output":
		for _, own := range c.run.About(c.command).Outputs {
			c.add(typed, before, string(own), "")
		}
	case "where":
		c.condition(typed, before)
		return
	case "fields":
		last := strings.LastIndexByte(typed, ',') + 1
		c.fields(typed[last:], before+typed[:last], "")
		return
	}
	if figures := c.run.About(c.command).Figures[f.Names()[0]]; figures != nil {
		c.open = true
		c.addAll(typed, before, figures()...)
		return
	}
	if choices := flags.Choices(f); choices != nil {
		c.addAll(typed, before, choices...)
		return
	}
	if doc, ok := f.(cli.DocGenerationFlag); ok {
		value, _ := flags.UnquoteUsage(doc.GetUsage())
		c.files = value == "FILE" || value == "SOCKET"
	}
}

// keepPrefix returns the words that typed is a beginning of, but none if nothing was typed: they are no answer then.
func keepPrefix(typed string, words ...string) []string {
	if typed == "" {
		return nil
	}
	return words
}

// subcommands completes the name of one.
func (c *completer) subcommands(word string) {
	for _, sub := range c.command.Commands {
		if !sub.Hidden {
			c.add(word, "", sub.Name, sub.Usage)
		}
	}
}

// words completes a word behind others of its kind.
func (c *completer) words(w run.Words, before []string, word string) {
	first := len(before) == 0
	switch w.Kind {
	case run.NoWords, run.AnyWords:
	case run.OneOf:
		if first {
			c.addAll(word, "", w.Choices()...)
		}
	case run.SomeOf:
		for _, v := range w.Choices() {
			if !slices.Contains(before, v) {
				c.add(word, "", v, "")
			}
		}
	case run.FormAndFiles:
		if c.files = !first; first {
			c.addAll(word, "", w.Choices()...)
		}
	case run.ActionName:
		if first {
			c.actions(word)
		}
	case run.ActionWords:
		if first {
			c.actions(word)
		} else {
			c.params(before[0], before[1:], word)
		}
	case run.Parameters:
		c.params(w.Action, before, word)
	case run.EventName:
		if first {
			c.events(word)
		}
	case run.EventNames:
		c.events(word)
	case run.ContextName:
		if first {
			c.addAll(word, "", c.config().ContextNames()...)
		}
	case run.NodeName:
		if first {
			c.addAll(word, "", c.nodes()...)
		}
	case run.Files:
		c.files = true
	case run.CommandLine:
		c.commandLine(before, word)
	}
}

// commandLine completes a program and its arguments. Of other programs than this one nothing is known.
func (c *completer) commandLine(before []string, word string) {
	if len(before) > 0 && before[0] == c.root.Name {
		c.complete(before[1:], word)
		return
	}
	c.add(word, "", c.root.Name, "this program")
	c.files = len(c.found) == 0
}

func (c *completer) actions(word string) {
	for _, a := range catalog.Actions() {
		about := ""
		if len(a.Classes) > 0 {
			about = "needs " + strings.Join(a.Classes, " or ")
		}
		c.add(word, "", a.Name, about)
	}
}

// params completes Key=, but for those that are there already; a file behind Key@=.
func (c *completer) params(action string, before []string, word string) {
	name, _, has := strings.Cut(word, "=")
	if has {
		c.files = strings.HasSuffix(name, "@")
		return
	}
	a, _ := catalog.Lookup(action)
	for _, p := range a.Params {
		given := slices.ContainsFunc(before, func(w string) bool {
			key, _, _ := strings.Cut(w, "=")
			return strings.EqualFold(strings.TrimSuffix(key, "@"), p.Name)
		})
		if p.Name == "ActionID" || given && p.Name != "Variable" { // amictl's own; Variable may repeat
			continue
		}
		about := ""
		if p.Required {
			about = "required"
		}
		c.add(word, "", p.Name+"=", about)
	}
}

func (c *completer) events(word string) { c.addAll(word, "", catalog.EventNames()...) }

// condition completes the field of a condition, and behind a field whose values are coded, as causes are, the value.
func (c *completer) condition(typed, before string) {
	at := strings.IndexAny(typed, "=!<>")
	if at < 0 {
		c.fields(typed, before, "=")
		return
	}
	value := at + len(typed[at:]) - len(strings.TrimLeft(typed[at:], "=!<>"))
	for _, event := range append(c.asked(), "") {
		coding := catalog.TraitOf(event, typed[:at]).Coding
		for _, v := range slices.SortedFunc(maps.Keys(coding), output.CompareNames) {
			if !strings.ContainsAny(v, " ") {
				c.add(typed[value:], before+typed[:value], v, coding[v].Words)
			}
		}
		if coding != nil {
			return
		}
	}
}

// fields completes what --fields and --where may name: keys of the subcommand's own objects, or headers of the events that
// are named or that answer the action.
func (c *completer) fields(typed, before, behind string) {
	if own := c.run.About(c.command).Fields; own != nil {
		c.addAll(typed, before, suffixed(own(c.named), behind)...)
		return
	}
	seen := make(map[string]bool)
	for _, name := range c.asked() {
		e, _ := catalog.LookupEvent(name)
		for _, h := range e.Headers {
			if !seen[h.Name] && h.Name != "ActionID" {
				seen[h.Name] = true
				c.add(typed, before, h.Name+behind, "")
			}
		}
	}
}

// asked are the events that are named, or that answer the action that is.
func (c *completer) asked() (events []string) {
	switch kind := c.run.About(c.command).Args.Kind; {
	case kind == run.EventNames:
		return slices.Clone(c.named)
	case kind == run.ActionWords && len(c.named) > 0:
		for _, e := range catalog.Events() {
			if slices.ContainsFunc(e.Answers, func(a string) bool { return strings.EqualFold(a, c.named[0]) }) {
				events = append(events, e.Name)
			}
		}
	}
	return events
}

func suffixed(words []string, behind string) (all []string) {
	for _, w := range words {
		all = append(all, w+behind)
	}
	return all
}

// config is the configuration that the words before the cursor choose, empty if it cannot be read.
func (c *completer) config() *config.File {
	if c.cfg == nil {
		path, _ := c.run.ConfigPath()
		if read := c.run.Settings; read != nil && read.Config.Path == path { // the words name no other
			c.cfg = read.Config
			return c.cfg
		}
		cfg, err := config.Load(path)
		if err != nil {
			cfg = &config.File{Path: path}
		}
		c.cfg = cfg
	}
	return c.cfg
}

// inForce is the current context, empty if there is none.
func (c *completer) inForce() *config.Context {
	name, _ := c.run.First(c.run.Flags.Context, "AMICTL_CONTEXT", "", c.config().Context, "")
	if ctx := c.config().Contexts[name]; ctx != nil {
		return ctx
	}
	return &config.Context{}
}

func (c *completer) nodes() []string { return c.inForce().NodeNames() }

// labels are the KEY=VALUE of the current nodes, each once.
func (c *completer) labels() []string {
	all := make(map[string]bool)
	for _, n := range c.inForce().Nodes {
		for k, v := range n.Labels {
			all[k+"="+v] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}
