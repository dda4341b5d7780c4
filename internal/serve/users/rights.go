package users

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// A DeniedError is an action, a node or something else that a user has no right to.
type DeniedError struct {
	What string // what is denied, such as `the action Reload`
	Key  string // which key of [[users]] gives the right to it, such as `actions`; "": none does
}

func (e *DeniedError) Error() string { return "permission denied: " + e.What }

// Hint says where the right comes from.
func (e *DeniedError) Hint() string {
	if e.Key == "" {
		return ""
	}
	return "the user's " + e.Key + " in [[users]] give no right to it"
}

func denied(key, format string, args ...any) error {
	return &DeniedError{Key: key, What: fmt.Sprintf(format, args...)}
}

// named are the actions that change what a server runs, or read files that hold secrets, such as ours in manager.conf. No wildcard
// means them: a user's list has to name each.
var named = []string{"AGI", "CreateConfig", "DialplanExtensionAdd", "DialplanExtensionRemove", "GetConfig", "GetConfigJSON", "ModuleLoad", "UpdateConfig"}

// leading are the actions that lead a channel to a place in the dialplan, with the headers of its context.
var leading = map[string][]string{
	"originate": {"Context"}, "redirect": {"Context", "ExtraContext"}, "atxfer": {"Context"}, "blindtransfer": {"Context"},
}

// joining are the actions that have a server call a channel, now or later, with the headers that name it.
var joining = map[string][]string{
	"originate": {"Channel"}, "queueadd": {"Interface"}, "park": {"TimeoutChannel", "Channel2"},
}

// MayName reports whether an action of that name is among the user's. Allows says whether it is whatever its headers are.
func (u *User) MayName(action string) bool {
	if slices.ContainsFunc(named, func(n string) bool { return strings.EqualFold(n, action) }) {
		return names(u.spec.Actions, action)
	}
	return matches(u.spec.Actions, action)
}

// Allows returns nil if the user may do an action on a node, else a *DeniedError.
func (u *User) Allows(node string, a *ami.Action) error {
	if !u.SeesNode(node) {
		return denied("nodes", "the node %s", node)
	}
	if !u.MayName(a.Name) {
		return denied("actions", "the action %s", a.Name)
	}
	name := strings.ToLower(a.Name)
	for _, header := range leading[name] {
		for context := range values(a, header) {
			if context != "" && !u.allowsContext(context) {
				return denied("contexts", "the context %s", context)
			}
		}
	}
	for _, header := range joining[name] {
		for channel := range values(a, header) {
			if name == "park" {
				if strings.ContainsAny(channel, ",&$") {
					return denied("", "%s with more than a channel's name", header)
				}
				channel = dialString(channel)
			}
			if err := u.allowsChannel(channel); err != nil {
				return err
			}
		}
	}
	for variable, value := range variables(name, a) {
		if context, _, _ := strings.Cut(strings.TrimPrefix(value, "GOTO:"), "^"); context != "" && matches(turning, variable) && !u.allowsContext(context) {
			return denied("contexts", "the context %s in the variable %s", context, variable)
		}
	}
	if what := runsPrograms(name, a); what != "" && !u.runsPrograms() {
		return denied("applications", "%s, which needs System among the applications", what)
	}
	switch name {
	case "command":
		return u.allowsCommand(a)
	case "originate":
		return u.allowsOriginate(a)
	}
	return nil
}

// runsPrograms reports whether the user may have a server run programs: System is among his applications, by its name.
func (u *User) runsPrograms() bool { return names(u.spec.Applications, "System") }

// allowsCommand: all words of one of the user's commands stand at the beginning. Asterisk knows abbreviations; those are not
// allowed, for they change with its modules.
func (u *User) allowsCommand(a *ami.Action) error {
	for line := range values(a, "Command") {
		words := strings.Fields(line)
		if !slices.ContainsFunc(u.spec.Commands, func(allowed string) bool { return begins(words, strings.Fields(allowed)) }) {
			return denied("commands", "the command %q", line)
		}
	}
	return nil
}

func begins(words, allowed []string) bool {
	return len(words) >= len(allowed) && slices.EqualFunc(words[:len(allowed)], allowed, strings.EqualFold)
}

// allowsOriginate looks at what a call runs: an application, and a subroutine before it dials.
func (u *User) allowsOriginate(a *ami.Action) error {
	for place := range values(a, "PreDialGoSub") { // context,exten,priority
		context, _, _ := strings.Cut(place, ",")
		if place != "" && !u.allowsContext(context) {
			return denied("contexts", "the context %s", context)
		}
	}
	for application := range values(a, "Application") {
		allowed := matches(u.spec.Applications, application)
		if contains(application, programs) {
			allowed = names(u.spec.Applications, application)
		}
		if application != "" && !allowed {
			return denied("applications", "the application %s", application)
		}
	}
	return nil
}

// longestName is how much of a context's name Asterisk keeps, and of the interface of a queue's member (AST_MAX_CONTEXT and
// AST_CHANNEL_NAME); of a channel to call it is 255 bytes. What is cut off could make another name of it.
const longestName = 79

func (u *User) allowsContext(context string) bool {
	return len(context) <= longestName && matches(u.spec.Contexts, context)
}

// allowsChannel looks at where a channel leads to: a Local channel, such as Local/200@default/n, leads to a context. Where it
// is not plain what its context is, the user needs all that it may be.
func (u *User) allowsChannel(channel string) error {
	kind, rest, _ := strings.Cut(strings.TrimSpace(channel), "/")
	if !strings.EqualFold(kind, "Local") {
		return nil
	}
	if len(channel) > longestName {
		return denied("", "a Local channel of more than %d bytes", longestName)
	}
	ends := []string{rest[strings.IndexByte(rest, '@')+1:], rest[strings.LastIndexByte(rest, '@')+1:]}
	exten, _, _ := strings.Cut(rest, "@")
	if exten == rest || strings.Contains(exten, "/") { // the context may be behind the options, and then there is none
		ends = append(ends, "default") // chan_local's own
	}
	if exten == rest {
		ends = ends[2:]
	}
	for _, end := range ends {
		context, _, _ := strings.Cut(end, "/")
		if !u.allowsContext(context) {
			return denied("contexts", "the context %s", context)
		}
	}
	return nil
}

// dialString returns what Park calls when the time is over: the channel's name up to its last dash, as a line of the dialplan that
// runs Dial (ast_channel_name_to_dial_string and comeback_to_origin).
func dialString(channel string) string {
	if dash := strings.LastIndexByte(channel, '-'); dash >= 0 {
		return channel[:dash]
	}
	return channel
}

func contains(text string, words []string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(text, word) })
}

// values yields each value of a header, for a server may take any of those that repeat.
func values(a *ami.Action, header string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i := range a.Fields {
			if f := &a.Fields[i]; strings.EqualFold(strings.TrimSpace(f.Name), header) && !yield(f.Value) {
				return
			}
		}
	}
}

// shown are the events that say as much as a kind of objects: who may see them may see the objects.
var shown = map[state.Kind]string{
	state.KindChannel: "Newchannel", state.KindBridge: "BridgeCreate", state.KindCall: "Newchannel", state.KindRecord: "Hangup",
	state.KindQueue: "QueueParams", state.KindMember: "QueueMemberStatus", state.KindCaller: "QueueCallerJoin",
	state.KindEndpoint: "ContactStatus", state.KindDevice: "DeviceStateChange", state.KindHint: "ExtensionStatus",
	state.KindRegistration: "Registry", state.KindConference: "ConfbridgeStart", state.KindParked: "ParkedCall",
}

// EventOf returns the event that a user must be allowed to see for objects of a kind.
func EventOf(kind state.Kind) string { return shown[kind] }

// SeesKind reports whether the user may see objects of a kind on a node that he may see: nodes always, others if he may see
// the event that tells of them.
func (u *User) SeesKind(kind state.Kind) bool {
	event, ok := shown[kind]
	return kind == state.KindNode || ok && u.SeesEvent(event)
}
