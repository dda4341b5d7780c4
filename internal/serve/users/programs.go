package users

import (
	"iter"
	"regexp"
	"slices"
	"strings"
	"sync"

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
	for variable := range variables(name, a) {
		if matches(steering, variable) {
			return "the variable " + variable
		}
	}
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
	case "getvar":
		return functionRuns(a, "Variable", readable)
	case "status":
		return functionRuns(a, "Variables", readable)
	case "setvar":
		return functionRuns(a, "Variable", harmless)
	}
	return ""
}

// monitorRuns looks at a recording that Asterisk 13 to 20 mixes by a shell's command with its file between double quotes
// (ast_monitor_stop in res_monitor.c). A file that is not named is the channel's name, which a call may have chosen.
func monitorRuns(a *ami.Action) (what string) {
	plain, empty := false, false
	for file := range values(a, "File") {
		if strings.ContainsAny(file, "$`\"\\") {
			return "a shell's character in File"
		}
		plain, empty = true, empty || file == ""
	}
	for mix := range values(a, "Mix") {
		if mix != "" && (empty || !plain) {
			return "Mix without a File"
		}
	}
	return ""
}

// originateRuns looks at an application's data, and at what a call's variables are.
func originateRuns(a *ami.Action) (what string) {
	for data := range values(a, "Data") {
		if strings.Contains(data, "${") || contains(data, evaluators) || slices.ContainsFunc(reachers, func(word string) bool { return strings.Contains(data, word) }) {
			return "data that evaluates text"
		}
		for application := range values(a, "Application") {
			if what := dataRuns(strings.ToLower(application), data); what != "" {
				return what
			}
		}
	}
	for variable := range assignments(a) {
		if function := harmfulFunction(variable, harmless); function != "" {
			return "the function " + function + " in a variable"
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

// functionRuns looks at the functions that an action reads or writes. Some functions evaluate what their arguments name.
func functionRuns(a *ami.Action, header string, known []string) (what string) {
	for text := range values(a, header) {
		if strings.Contains(text, "${") {
			return "${ in " + header
		}
		if function := harmfulFunction(text, known); function != "" {
			return "the function " + function
		}
	}
	return ""
}

// harmless are the functions that may be set: they change what a channel, a queue's member or a custom device shows. CHANNEL is
// none of them, for its hangup handlers and its after_bridge_goto lead to any context.
var harmless = []string{"CALLERID", "CDR", "CONNECTEDLINE", "DEVICE_STATE", "GROUP", "MUTEAUDIO", "PJSIP_HEADER", "PRESENCE_STATE", "QUEUE_MEMBER", "VOLUME"}

// readable are those that may be read: they say nothing of files, secrets or databases, and evaluate nothing.
var readable = append([]string{
	"CHANNEL", "CONFBRIDGE_CHANNELS", "CONFBRIDGE_INFO", "EXTENSION_STATE", "GROUP_COUNT", "GROUP_LIST", "GROUP_MATCH_COUNT", "IAXPEER",
	"MEETME_INFO", "PJSIP_AOR", "PJSIP_CONTACT", "PJSIP_DIAL_CONTACTS", "PJSIP_ENDPOINT", "PJSIP_RESPONSE_HEADER", "QUEUE_EXISTS",
	"QUEUE_GET_CHANNEL", "QUEUE_MEMBER_COUNT", "QUEUE_MEMBER_LIST", "QUEUE_MEMBER_PENALTY", "QUEUE_WAITING_COUNT", "SIPPEER",
	"SIP_HEADER", "STRFTIME", "TIMEOUT", "VERSION", "VM_INFO", "VMCOUNT",
}, harmless...)

var functionCall = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`([\w-]+)\(`) })

// harmfulFunction returns a function in a header that is not among those known to do no harm, "" if there is none.
func harmfulFunction(variable string, known []string) string {
	for _, call := range functionCall().FindAllStringSubmatch(unquoted(variable), -1) {
		if !names(known, call[1]) {
			return call[1]
		}
	}
	return ""
}

// unquoted takes quotes and backslashes away, as Asterisk does before it looks (astman_get_variables_order in manager.c).
func unquoted(text string) string { return strings.NewReplacer(`"`, "", `\`, "").Replace(text) }

// steering are the variables of which Asterisk's own applications take programs, or text that is evaluated: those of recordings
// (setup_mixmonitor in app_queue.c), a conference's AGI script, whom a parked call comes back to (parker_dial_string becomes a
// line of the dialplan), and macros.
var steering = []string{"MONITOR_*", "MEETME_AGI_BACKGROUND", "ATTENDEDTRANSFER", "BLINDTRANSFER", "*_SEND_MACRO", "MACRO_RESULT"}

// turning are those that lead a channel to a context.
var turning = []string{
	"EXITCONTEXT", "FORWARD_CONTEXT", "MEETME_EXIT_CONTEXT", "PARKINGDYNCONTEXT", "SPY_EXIT_CONTEXT", "TRANSFER_CONTEXT", "*_SEND_SUB",
	"GOSUB_RESULT", "GOSUB_RETVAL",
}

// setters are the applications whose data sets variables, as a call's Variable header does.
var setters = []string{"Set", "MSet", "ImportVar"}

// assignments yields what sets variables of a call.
func assignments(a *ami.Action) iter.Seq[string] {
	return func(yield func(string) bool) {
		for text := range values(a, "Variable") {
			if !yield(text) {
				return
			}
		}
		for application := range values(a, "Application") {
			if !names(setters, strings.TrimSpace(application)) {
				continue
			}
			for data := range values(a, "Data") {
				if !yield(data) {
					return
				}
			}
		}
	}
}

// variables yields the variables that an action sets, without the underscores that say who inherits them
// (pbx_builtin_setvar_helper), and how their values begin: up to the first comma.
func variables(action string, a *ami.Action) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		switch action {
		case "originate":
			for text := range assignments(a) {
				for pair := range strings.SplitSeq(unquoted(text), ",") {
					if name, value, _ := strings.Cut(pair, "="); !yield(bare(name), value) {
						return
					}
				}
			}
		case "setvar":
			for text := range values(a, "Variable") {
				if !yield(bare(text), "") { // a header that is missing is an empty value
					return
				}
				for value := range values(a, "Value") {
					value, _, _ = strings.Cut(value, ",")
					if !yield(bare(text), value) {
						return
					}
				}
			}
		}
	}
}

func bare(variable string) string { return strings.TrimLeft(strings.TrimSpace(variable), "_") }
