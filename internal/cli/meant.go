package cli

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/objects"
	"github.com/apntalk/amictl/pkg/ami/catalog"
)

// commandsMeant are words that people try in place of a subcommand, and the line to type. What stands behind " | " is an
// example: the words that were typed behind take its place.
var commandsMeant = sync.OnceValue(func() map[string]string {
	return map[string]string{
		"ping": "amictl send Ping", "ps": "amictl state channels",
		"queue": "amictl state queues members callers", "queues": "amictl state queues members callers",
		"reload": "amictl send Reload", "restart": "amictl command core restart gracefully", "stop": "amictl command core stop gracefully",
		"status": "amictl health", "uptime": "amictl command core show uptime", "version": "amictl command core show version", "info": "amictl health", "monitor": "amictl health --watch",
		"call":   "amictl originate --channel PJSIP/100 --exten 200",
		"hangup": "amictl send Hangup | Channel=NAME", "redirect": "amictl send Redirect | Channel=NAME Context=default Exten=200 Priority=1",
		"action": "amictl send | ACTION", "exec": "amictl command | core show channels", "cli": "amictl command | core show channels", "rx": "amictl command | core show channels",
		"follow": "amictl tail |", "watch": "amictl tail |", "listen": "amictl tail |", "event": "amictl tail |", "subscribe": "amictl tail |", "log": "amictl tail", "logs": "amictl tail",
		"login": "amictl context add NAME", "connect": "amictl context add NAME", "configure": "amictl context add NAME", "init": "amictl context add NAME",
		"server": "amictl context show", "servers": "amictl context show", "nodes": "amictl context show", "node": "amictl context show",
		"ctx": "amictl context list", "contexts": "amictl context list", "use": "amictl context use | NAME",
		"test": "amictl check", "load": "amictl bench", "show": "amictl state", "get": "amictl state", "list": "amictl actions", "man": "amictl --help",
		"-rx": "amictl command | core show channels", "-x": "amictl command | core show channels", "-V": "amictl version",
	}
})

// subcommandsMeant are words that people try in place of the subcommands of a subcommand.
var subcommandsMeant = sync.OnceValue(func() map[string]map[string]string {
	return map[string]map[string]string{
		"context": {
			"create": "add", "new": "add", "set": "use", "switch": "use", "select": "use", "delete": "remove", "del": "remove", "rm": "remove",
			"ls": "list", "current": "show", "get": "show", "view": "show", "mv": "rename", "test": "check", "ping": "check",
		},
		"config": {"show": "explain", "view": "explain", "get": "explain", "list": "explain"},
	}
})

// allMeant is how an action is told to do it to all that there is.
var allMeant = map[string]string{"hangup": "/.*/"} // a regular expression between slashes (action_hangup)

// verbs are words before what is to be shown.
var verbs = []string{"show", "get", "list", "ls", "describe"}

// consoleWords begin commands of Asterisk's console.
var consoleWords = []string{
	"core", "module", "dialplan", "pjsip", "sip", "iax2", "manager", "logger", "database", "confbridge", "http", "rtp", "cdr", "cel", "cc", "dahdi", "dundi",
	"features", "parking", "presencestate", "voicemail", "moh", "musiconhold", "mixmonitor", "say", "stasis", "ari", "xmldoc", "fax", "config",
}

// unknownCommand is the error of a word that is no subcommand: with what is nearly called so, or the line that does what it says.
func unknownCommand(root, parent *cli.Command, name string, behind []string) error {
	var names []string
	for _, c := range parent.Commands {
		names = append(names, c.Name)
	}
	hint := "see `" + flags.HelpFor(parent) + "`"
	near, line := fail.Nearest(name, names), ""
	if parent == root {
		line = lineMeant(root, name, behind)
		if also := fail.Nearest(name, slices.Concat(names, slices.Sorted(maps.Keys(commandsMeant())))); line == "" && also != near {
			line = withWords(commandsMeant()[also], nil)
		}
	} else if sub := subcommandsMeant()[parent.Name][name]; sub != "" {
		line = parent.UsageText + " " + fail.ShellLine(append([]string{sub}, behind...))
	}
	switch {
	case line != "":
		hint = "`" + line + "` does that"
	case near != "":
		hint = "did you mean `" + parent.UsageText + " " + near + "`?"
	case parent == root:
		hint += "; `amictl actions` lists what can be sent"
	default:
		hint = "it has " + strings.Join(names, ", ")
	}
	return fail.Usage(hint, "%s has no subcommand %q", parent.UsageText, name)
}

// withWords is a line of commandsMeant with the words that were typed behind, or with its own example.
func withWords(line string, words []string) string {
	line, example, takes := strings.Cut(line, " |")
	if takes && len(words) > 0 {
		return line + " " + fail.ShellLine(words)
	}
	return line + example
}

// lineMeant is the line that does what a word says that is no subcommand, "" if nothing is known to.
func lineMeant(root *cli.Command, name string, behind []string) string {
	lower := strings.ToLower(name)
	if first, rest, many := strings.Cut(name, " "); many { // one argument, as asterisk -rx takes it
		return lineMeant(root, first, append(strings.Fields(rest), behind...))
	}
	words := slices.DeleteFunc(slices.Clone(behind), func(w string) bool { return strings.HasPrefix(w, "-") })
	if slices.Contains(verbs, lower) && len(words) > 0 {
		return shown(root, lower, words)
	}
	if slices.Contains(consoleWords, lower) || len(words) > 0 && (words[0] == "show" || words[0] == "list") {
		if len(words) == 0 {
			return "amictl command core show help " + lower
		}
		return "amictl command " + fail.ShellLine(append([]string{lower}, words...))
	}
	if line := listMeant(lower); line != "" && len(words) == 0 {
		return line
	}
	if all := allMeant[lower]; all != "" && len(words) == 1 && (strings.EqualFold(words[0], "all") || words[0] == "*") {
		words = []string{all}
	}
	if action, ok := catalog.Lookup(name); ok {
		return "amictl send " + fail.ShellLine(append([]string{action.Name}, act.Keyed(action.Name, words)...))
	}
	if event, ok := catalog.LookupEvent(name); ok && len(event.Classes) > 0 {
		return "amictl tail " + event.Name
	}
	if line := commandsMeant()[lower]; line != "" {
		return withWords(line, words)
	}
	return listMeant(lower)
}

// listMeant is the line for a word alone: that of commandsMeant, or what lists a part of the state.
func listMeant(word string) string {
	if line := commandsMeant()[word]; line != "" {
		return withWords(line, nil)
	}
	for _, part := range []string{word, word + "s", objects.PartMeant(word)} {
		if slices.Contains(objects.PartNames(), part) {
			return "amictl state " + part
		}
	}
	return ""
}

// shown is the line that shows what stands behind a verb: a subcommand that lists it, or a command of the console.
func shown(root *cli.Command, verb string, words []string) string {
	what := strings.ToLower(words[0])
	if line := listMeant(what); line != "" {
		return line
	}
	if sub := root.Command(what); sub != nil {
		return strings.TrimSpace(sub.UsageText + " " + fail.ShellLine(words[1:]))
	}
	if verb == "show" {
		return "amictl command core show " + fail.ShellLine(words)
	}
	return withWords(commandsMeant()[verb], nil)
}

// Hints that several flags have.
const (
	secretHint = "--secret-file FILE, or --secret-stdin: everybody on this host could read an argument"
	nodeHint   = "--node ami://USER@HOST"
	portHint   = "--node ami://USER@HOST:PORT"
)

// flagsMeant are flags that people try, and what to type: the first that the subcommand has.
var flagsMeant = sync.OnceValue(func() map[string][]string {
	return map[string][]string{
		"--secret": {secretHint}, "--password": {secretHint}, "--pass": {secretHint}, "-p": {secretHint},
		"--user": {nodeHint}, "--username": {nodeHint}, "-u": {nodeHint}, "--host": {nodeHint}, "--server": {nodeHint}, "--url": {nodeHint},
		"-H": {nodeHint}, "--address": {nodeHint}, "--port": {portHint}, "-P": {portHint},
		"--tls": {"--node amis://USER@HOST"}, "--ssl": {"--node amis://USER@HOST"},
		"--insecure": {"--ca FILE, which trusts a certificate of your own"}, "-k": {"--ca FILE, which trusts a certificate of your own"},
		"--json": {"-o json, or -o jsonl for one object a line"}, "--jsonl": {"-o jsonl"}, "--csv": {"-o csv"}, "--table": {"-o table"}, "--raw": {"-o raw"}, "--wide": {"-o wide"},
		"--format": {"--output FORMAT"}, "-f": {"--output FORMAT, or --from FILE", "--output FORMAT"}, "--no-color": {"--color never"},
		"--filter": {"--where CONDITION"}, "--match": {"--where CONDITION"}, "--grep": {"--where '*=~TEXT'"}, "-w": {"--warn CONDITION, or --watch", "--watch", "--where CONDITION"},
		"--limit": {"--count N"}, "--lines": {"--count N"}, "--max": {"--count N"}, "-c": {"--crit CONDITION, or -C NAME, which is --context", "--count N", "-C NAME, which is --context"},
		"--warning": {"--warn CONDITION, such as 'calls>50'"}, "--critical": {"--crit CONDITION, such as 'calls>50'"}, "--count-by": {"--stats"},
		"--duration": {"--for TIME"}, "--time": {"--for TIME"}, "--for": {"--duration TIME", "--timeout TIME"},
		"--columns": {"--fields NAMES"}, "--jq": {"--query PATH"}, "--nodes": {"--node NAME, which may repeat, or --all", "--node NAME, which may repeat"},
		"--all":     {"--node '*', or no --node: both are every node of the context"},
		"--cluster": {"--context NAME"}, "--profile": {"--context NAME"},
		"--number": {"--exten NUMBER"}, "--extension": {"--exten NUMBER"}, "--to": {"--exten NUMBER"}, "--from": {"--channel TECHNOLOGY/NAME, such as PJSIP/100"},
		"--from-file": {"--from FILE"}, "--input": {"--from FILE"}, "--file": {"--from FILE"},
		"--force": {"--yes"}, "--debug": {"--trace, or --verbose"}, "--dryrun": {"--dry-run"}, "--interval": {"--every TIME"}, "-i": {"--every TIME"}, "--silent": {"--quiet"},
	}
})

// unknownFlag is the error of a flag that there is not: with what is nearly called so, or what does the same. The words behind
// it may say what was meant.
func unknownFlag(r *run.Run, root, command *cli.Command, arg string, behind []string) error {
	typed, _, _ := strings.Cut(arg, "=")
	name := typed
	if name == "-p" && len(behind) > 0 && strings.Trim(behind[0], "0123456789") == "" { // no password
		name = "-P"
	}
	var names []string
	for _, f := range slices.Concat(command.Flags, root.Flags) {
		for _, n := range f.Names() {
			if len(n) > 1 {
				names = append(names, "--"+n)
			}
		}
	}
	hint := "see `" + flags.HelpFor(command) + "`"
	near := fail.Nearest("--"+strings.TrimLeft(name, "-"), names)
	meant := slices.IndexFunc(flagsMeant()[name], func(h string) bool { return flagIn(h, root, command) })
	words := ""
	if len(name) > 2 {
		words = wordsMeant(r.About(command), strings.TrimLeft(name, "-"))
	}
	switch {
	case commandsMeant()[name] != "":
		hint = "`" + withWords(commandsMeant()[name], splitLine(behind)) + "` does that"
	case meant >= 0:
		hint = "you may mean " + flagsMeant()[name][meant]
	case words != "":
		hint = words
	case near != "" && len(name) > 2:
		hint = "did you mean " + near + "?"
	case command == root && len(name) > 2:
		hint = "flags of a subcommand go after its name"
	case r.About(command).Rest.Kind == run.AnyWords:
		hint = "put anything that is not a flag of amictl after `--`"
	}
	return fail.Usage(hint, "%s has no flag %s", command.UsageText, typed)
}

// splitLine makes words of a line that was quoted as one.
func splitLine(behind []string) []string { return strings.Fields(strings.Join(behind, " ")) }

// wordsMeant is the hint for what is no flag because the subcommand takes it as a word: an event, a parameter of an action, a
// part.
func wordsMeant(about run.About, name string) string {
	switch kind := about.Args.Kind; {
	case kind == run.EventNames && (name == "event" || name == "events"):
		return "events are named without a flag, such as `amictl tail Hangup 'Queue*'`"
	case kind == run.ActionWords || kind == run.Parameters:
		for _, action := range catalog.Actions() {
			for _, p := range action.Params {
				if strings.EqualFold(p.Name, name) {
					return "a parameter is written " + p.Name + "=VALUE"
				}
			}
		}
	case kind == run.SomeOf && slices.Contains(about.Args.Choices(), name):
		return "it is written without a flag: " + name
	}
	return ""
}

// flagIn reports whether a command has the flag that a hint begins with.
func flagIn(hint string, root, command *cli.Command) bool {
	flag, _, _ := strings.Cut(hint, " ")
	found, _ := flags.LookupFlag(root, command, strings.TrimSuffix(flag, ","))
	return found != nil
}
