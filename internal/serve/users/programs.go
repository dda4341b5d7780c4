package users

import (
	"regexp"
	"slices"
	"strings"

	"github.com/apntalk/amictl/pkg/ami"
)

// programs are what manager.c (originate_app_permissions) takes for the sign of an application that runs programs, reloads or
// deletes; Monitor is among them for what it does until Asterisk 20: its file's name is a part of a shell's command.
var programs = []string{"system", "exec", "agi", "monitor", "externalivr", "originate", "reload", "dbdeltree"}

// evaluators are functions that evaluate text, run programs or write files, also where an application evaluates its data.
var evaluators = []string{"shell", "eval", "file("}

// reachers are those that manager.c keeps out of an application's data beside them, as it looks for them: in capitals, anywhere.
var reachers = []string{"CURL", "DB", "ODBC", "REALTIME"}

// pasted are the actions whose headers Asterisk pastes into an application's arguments, where a comma begins the next one:
// MixMonitor's third is a program (manager_mixmonitor, set_rec_filename), and one of Park's is a place to come back to.
var pasted = map[string][]string{
	"mixmonitor": {"File", "Options"}, "confbridgestartrecord": {"Conference", "RecordFile"}, "park": {"Parkinglot"},
}

// runsPrograms returns what of an action has a server run programs, or might, "" if nothing has. name is the action's in lower
// case.
func runsPrograms(name string, a *ami.Action) (what string) {
	for _, header := range pasted[name] {
		for value := range values(a, header) {
			if strings.Contains(value, ",") {
				return "a comma in " + header
			}
		}
	}
	switch name {
	case "mixmonitor":
		for command := range values(a, "Command") {
			if command != "" {
				return "MixMonitor with a Command"
			}
		}
	case "monitor", "changemonitor":
		return monitorRuns(a)
	case "originate":
		return originateRuns(a)
	case "getvar", "status", "setvar":
		return functionRuns(name, a)
	}
	return ""
}

// monitorRuns looks at a recording that Asterisk 13 to 20 mixes by a shell's command with its file between double quotes
// (ast_monitor_stop in res_monitor.c). A file that is not named is the channel's name, which a call may have chosen.
func monitorRuns(a *ami.Action) (what string) {
	plain := false
	for file := range values(a, "File") {
		if strings.ContainsAny(file, "$`\"\\") {
			return "a shell's character in File"
		}
		plain = file != ""
	}
	for mix := range values(a, "Mix") {
		if mix != "" && !plain {
			return "Mix without a File"
		}
	}
	return ""
}

// originateRuns looks at an application's data, and at what a call's variables are.
func originateRuns(a *ami.Action) (what string) {
	for data := range values(a, "Data") {
		if contains(data, evaluators) || slices.ContainsFunc(reachers, func(word string) bool { return strings.Contains(data, word) }) {
			return "data that evaluates text"
		}
		for application := range values(a, "Application") {
			if what := dataRuns(strings.ToLower(application), data); what != "" {
				return what
			}
		}
	}
	for variable := range values(a, "Variable") {
		if function := harmfulFunction(variable); function != "" {
			return "the function " + function + " in a variable"
		}
		for pair := range strings.SplitSeq(unquoted(variable), ",") {
			if name, _, _ := strings.Cut(pair, "="); steers(name) {
				return "the variable " + name
			}
		}
	}
	return ""
}

// dataRuns looks at the data of two applications that lead to a program: the sixth argument of Queue is an AGI script, and a
// conference's name becomes a part of MixMonitor's arguments. Where quotes, brackets or backslashes hide commas, an argument may be any.
func dataRuns(application, data string) (what string) {
	switch {
	case strings.Contains(application, "queue"):
		arguments := strings.Split(data, ",")
		if len(arguments) > queueAGI && (strings.TrimSpace(arguments[queueAGI]) != "" || strings.ContainsAny(data, "\"\\([{")) {
			return "a sixth argument of Queue"
		}
	case strings.Contains(application, "confbridge"):
		if strings.ContainsAny(data, "\"\\") {
			return "a quoted name of a conference"
		}
	}
	return ""
}

// queueAGI is where Queue's AGI script stands.
const queueAGI = 5

// functionRuns looks at the function that an action reads or writes, and at the variable that it sets.
func functionRuns(name string, a *ami.Action) (what string) {
	header := "Variable"
	if name == "status" {
		header = "Variables"
	}
	for text := range values(a, header) {
		switch {
		case contains(text, evaluators):
			return "a function that evaluates text"
		case name == "setvar" && steers(text):
			return "the variable " + text
		}
	}
	return ""
}

// harmless are the functions that a call's variables may set.
var harmless = []string{"CALLERID", "CDR", "CONNECTEDLINE", "PJSIP_HEADER"}

var functionCall = regexp.MustCompile(`([\w-]+)\(`)

// harmfulFunction returns a function that a Variable header may set and that is not known to be harmless, "" if there is none.
func harmfulFunction(variable string) string {
	for _, call := range functionCall.FindAllStringSubmatch(unquoted(variable), -1) {
		if !names(harmless, call[1]) {
			return call[1]
		}
	}
	return ""
}

// unquoted takes quotes and backslashes away, as Asterisk does before it looks (astman_get_variables_order in manager.c).
func unquoted(text string) string { return strings.NewReplacer(`"`, "", `\`, "").Replace(text) }

// steering are the variables of which Asterisk's own applications take programs, or what is evaluated: those of recordings
// (setup_mixmonitor in app_queue.c evaluates the file's name, too), and a conference's AGI script.
var steering = []string{"MONITOR_*", "MEETME_AGI_BACKGROUND"}

// steers reports whether a variable is among those. Its underscores say only who inherits it (pbx_builtin_setvar_helper).
func steers(variable string) bool {
	return matches(steering, strings.TrimLeft(strings.TrimSpace(variable), "_"))
}
