package cli

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami/catalog"
)

// commandsMeant are words that people try in place of a subcommand, and the line to type.
var commandsMeant = sync.OnceValue(func() map[string]string {
	return map[string]string{
		"ping": "amictl send Ping", "channels": "amictl state channels", "channel": "amictl state channels",
		"queue": "amictl state queues members callers", "queues": "amictl state queues members callers", "agents": "amictl state members",
		"peers": "amictl state endpoints", "endpoints": "amictl state endpoints", "registrations": "amictl state registrations",
		"bridges": "amictl state bridges", "conferences": "amictl state conferences", "devices": "amictl state devices", "hints": "amictl state hints",
		"reload": "amictl send Reload", "restart": "amictl command core restart gracefully", "stop": "amictl command core stop gracefully",
		"status": "amictl health", "uptime": "amictl command core show uptime", "info": "amictl health", "monitor": "amictl health --watch",
		"call":   "amictl originate --channel PJSIP/100 --exten 200",
		"hangup": "amictl send Hangup Channel=NAME", "redirect": "amictl send Redirect Channel=NAME Context=default Exten=200 Priority=1",
		"action": "amictl send ACTION", "exec": "amictl command core show channels", "cli": "amictl command core show channels", "rx": "amictl command core show channels",
		"follow": "amictl tail", "watch": "amictl tail", "listen": "amictl tail", "event": "amictl tail", "log": "amictl tail", "logs": "amictl tail",
		"login": "amictl context add NAME", "connect": "amictl context add NAME", "configure": "amictl context add NAME", "init": "amictl context add NAME",
		"server": "amictl context show", "servers": "amictl context show", "nodes": "amictl context show", "node": "amictl context show",
		"test": "amictl check", "load": "amictl bench", "list": "amictl actions",
	}
})

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
		line = lineMeant(name, behind)
		if also := fail.Nearest(name, slices.Concat(names, slices.Sorted(maps.Keys(commandsMeant())))); line == "" && also != near {
			line = commandsMeant()[also]
		}
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

// lineMeant is the line that does what a word says that is no subcommand, "" if nothing is known to.
func lineMeant(name string, behind []string) string {
	lower := strings.ToLower(name)
	words := slices.DeleteFunc(slices.Clone(behind), func(w string) bool { return strings.HasPrefix(w, "-") })
	show := len(words) > 0 && (words[0] == "show" || words[0] == "list")
	if slices.Contains(consoleWords, lower) || show {
		if len(words) == 0 {
			return "amictl command core show help " + lower
		}
		return "amictl command " + strings.Join(append([]string{lower}, words...), " ")
	}
	if line, ok := commandsMeant()[lower]; ok && len(words) == 0 {
		return line
	}
	if action, ok := catalog.Lookup(name); ok {
		return strings.Join(append([]string{"amictl send", action.Name}, words...), " ")
	}
	if event, ok := catalog.LookupEvent(name); ok && len(event.Classes) > 0 {
		return "amictl tail " + event.Name
	}
	return commandsMeant()[lower]
}

// flagsMeant are flags that people try, and what to type.
var flagsMeant = sync.OnceValue(func() map[string]string {
	return map[string]string{
		"--secret": "--secret-file FILE, or --secret-stdin: everybody on this host could read an argument", "--password": "--secret-file FILE, or --secret-stdin: everybody on this host could read an argument",
		"--pass": "--secret-file FILE, or --secret-stdin: everybody on this host could read an argument", "-p": "--secret-file FILE, or --secret-stdin: everybody on this host could read an argument",
		"--user": "--node ami://USER@HOST", "--username": "--node ami://USER@HOST", "-u": "--node ami://USER@HOST", "--host": "--node ami://USER@HOST", "--server": "--node ami://USER@HOST",
		"-H": "--node ami://USER@HOST", "--address": "--node ami://USER@HOST", "--port": "--node ami://USER@HOST:PORT", "-P": "--node ami://USER@HOST:PORT",
		"--tls": "--node amis://USER@HOST", "--ssl": "--node amis://USER@HOST", "--insecure": "--ca FILE trusts a certificate of your own",
		"--json": "-o json, or -o jsonl for one object a line", "--jsonl": "-o jsonl", "--csv": "-o csv", "--table": "-o table", "--raw": "-o raw", "--wide": "-o wide",
		"--format": "--output FORMAT", "-f": "--output FORMAT, or --from FILE", "--no-color": "--color never", "--filter": "--where CONDITION", "--match": "--where CONDITION", "--grep": "--where '*=~TEXT'",
		"--limit": "--count N", "--lines": "--count N", "--max": "--count N", "--duration": "--for TIME", "--time": "--for TIME",
		"--columns": "--fields NAMES", "--jq": "--query PATH", "--nodes": "--node NAME, which may repeat, or --all", "--cluster": "--context NAME", "--profile": "--context NAME",
		"--number": "--exten NUMBER", "--extension": "--exten NUMBER", "--from-file": "--from FILE", "--input": "--from FILE", "--file": "--from FILE",
		"--force": "--yes", "--debug": "--trace, or --verbose", "--dryrun": "--dry-run", "--interval": "--every TIME", "--silent": "--quiet",
	}
})

// unknownFlag is the error of a flag that there is not: with what is nearly called so, or what does the same.
func unknownFlag(r *run.Run, root, command *cli.Command, arg string) error {
	name, _, _ := strings.Cut(arg, "=")
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
	switch meant := flagsMeant()[name]; {
	case meant != "" && flagIn(meant, root, command):
		hint = "you may mean " + meant
	case near != "" && len(name) > 2:
		hint = "did you mean " + near + "?"
	case command == root:
		hint = "flags of a subcommand go after its name"
	case r.About(command).Rest.Kind != run.NoWords:
		hint = "put anything that is not a flag of amictl after `--`"
	}
	return fail.Usage(hint, "%s has no flag %s", command.UsageText, name)
}

// flagIn reports whether a command has the flag that a hint begins with.
func flagIn(hint string, root, command *cli.Command) bool {
	flag, _, _ := strings.Cut(hint, " ")
	found, _ := flags.LookupFlag(root, command, strings.TrimSuffix(flag, ","))
	return found != nil
}
