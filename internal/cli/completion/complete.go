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
}

// follows says what the shell does behind the candidate.
func (c *completer) follows() string {
	switch {
	case c.files:
		return ":files"
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
			c.rest(words[i+1:], word)
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
	default:
		c.argument(positional, word)
	}
}

// lookup finds a flag; originate calls one by another name.
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
	if c.run.About(c.command).Rest {
		c.add(word, "", "--", "what follows is not for amictl")
	}
}

// FlagChoices are the values of flags that take one of a few words.
var FlagChoices = map[string][]string{
	"output":   {"auto", "table", "jsonl", "json", "csv", "raw", "none"},
	"color":    {"auto", "always", "never"},
	"prefix":   {"auto", "always", "never"},
	"route":    {"round-robin", "failover", "least-pending"},
	"workload": {"actions", "calls", "events", "biglist", "login-storm"},
	"profile":  {"even", "one-slow", "one-flooding", "one-stalled", "flapping", "storm", "mixed"},
	"version":  {"22", "16", "13"},
	"require":  {"all"},
	"wait":     {"answer", "hangup"},
}

// FlagFiles are flags whose value is a file although their usage does not call it FILE.
var FlagFiles = []string{"control"}

func (c *completer) flagValue(f cli.Flag, before, typed string) {
	name := f.Names()[0]
	switch name {
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
	case "where":
		c.headers(typed, before, "=")
		return
	case "fields":
		last := strings.LastIndexByte(typed, ',') + 1
		c.headers(typed[last:], before+typed[:last], "")
		return
	}
	if choices := FlagChoices[name]; choices != nil {
		c.addAll(typed, before, choices...)
		if name == "output" && c.command.Name == "health" {
			c.addAll(typed, before, "nagios", "prometheus")
		}
		return
	}
	doc, ok := f.(cli.DocGenerationFlag)
	if !ok {
		return
	}
	value, _ := flags.UnquoteUsage(doc.GetUsage())
	c.files = strings.HasPrefix(value, "FILE") || slices.Contains(FlagFiles, name)
}

// keepPrefix returns the words that typed is a beginning of, but none if nothing was typed: they are no answer then.
func keepPrefix(typed string, words ...string) []string {
	if typed == "" {
		return nil
	}
	return words
}

// argument completes what is no flag.
func (c *completer) argument(before []string, word string) {
	if len(c.command.Commands) > 0 {
		for _, sub := range c.command.Commands {
			if !sub.Hidden {
				c.add(word, "", sub.Name, sub.Usage)
			}
		}
		return
	}
	first := len(before) == 0
	if words := c.run.About(c.command).Words; words != nil && first {
		c.addAll(word, "", words()...)
		return
	}
	switch path := strings.TrimPrefix(c.command.UsageText, "amictl "); {
	case path == "send":
		c.action(before, word)
	case path == "originate":
		c.params("Originate", before, word)
	case path == "tail", path == "wait":
		c.events(word)
	case path == "actions" && first:
		c.actions(word)
	case path == "events" && first:
		c.events(word)
	case strings.HasPrefix(path, "context ") && path != "context list" && path != "context add" && first:
		c.addAll(word, "", c.config().ContextNames()...)
	case path == "bench", path == "sim", path == "check":
		c.files = true
	}
}

// rest completes behind `--`: an action, or another program's words.
func (c *completer) rest(words []string, word string) {
	switch c.command.Name {
	case "tail", "wait":
		c.action(words, word)
	case "sim":
		if len(words) > 0 && words[0] == "amictl" {
			c.complete(words[1:], word)
			return
		}
		c.add(word, "", "amictl", "this program, against the simulated servers")
		c.files = len(c.found) == 0
	}
}

// action completes an action and then its parameters.
func (c *completer) action(before []string, word string) {
	if len(before) == 0 {
		c.actions(word)
		return
	}
	c.params(before[0], before[1:], word)
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

// headers completes a header of the events that were named.
func (c *completer) headers(typed, before, behind string) {
	if c.command.Name != "tail" && c.command.Name != "wait" {
		return
	}
	seen := make(map[string]bool)
	for _, name := range c.named {
		e, _ := catalog.LookupEvent(name)
		for _, h := range e.Headers {
			if !seen[h.Name] {
				seen[h.Name] = true
				c.add(typed, before, h.Name+behind, "")
			}
		}
	}
}

// config is the configuration that the words before the cursor choose, empty if it cannot be read.
func (c *completer) config() *config.File {
	if c.cfg == nil {
		path, _ := c.run.ConfigPath()
		cfg, err := config.Load(path)
		if err != nil {
			cfg = &config.File{Path: path}
		}
		c.cfg = cfg
	}
	return c.cfg
}

// inForce is the context in force, empty if there is none.
func (c *completer) inForce() *config.Context {
	name, _ := c.run.First(c.run.Flags.Context, "AMICTL_CONTEXT", "", c.config().Context, "")
	if ctx := c.config().Contexts[name]; ctx != nil {
		return ctx
	}
	return &config.Context{}
}

func (c *completer) nodes() []string { return c.inForce().NodeNames() }

// labels are the KEY=VALUE of the nodes in force, each once.
func (c *completer) labels() []string {
	all := make(map[string]bool)
	for _, n := range c.inForce().Nodes {
		for k, v := range n.Labels {
			all[k+"="+v] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}
