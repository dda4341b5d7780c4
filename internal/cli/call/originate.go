package call

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
)

// originateGrace is what the answer may take beyond the time that the channel may ring.
const originateGrace = 10 * time.Second

// Options are those of originate.
type Options struct {
	target.Fanout
	Channel, Exten, Context, Priority, Application, Data string
	CallerID, Account                                    string
	Vars                                                 flags.List
	Ring                                                 flags.Duration
	Async                                                bool
	Wait                                                 string
}

// Action builds the action. It is always asynchronous for Asterisk: a synchronous Originate blocks all
// behind it on the session.
func Action(r *run.Run, o *Options, more []string) (ami.Action, error) {
	const hint = "see `amictl originate --help`"
	switch {
	case o.Channel == "":
		return ami.Action{}, fail.Usage(hint, "--channel is missing")
	case o.Exten != "" && o.Application != "":
		return ami.Action{}, fail.Usage(hint, "--exten and --application do not go together")
	case o.Exten == "" && o.Application == "":
		return ami.Action{}, fail.Usage(hint, "--exten or --application is missing: where should the call go?")
	case o.Wait != "answer" && o.Wait != "hangup":
		return ami.Action{}, fail.Usage("answer or hangup", "--wait %q is not one of the choices", o.Wait)
	case o.Wait == "hangup" && o.Async:
		return ami.Action{}, fail.Usage(hint, "--wait hangup and --async do not go together")
	case o.Data != "" && o.Application == "":
		return ami.Action{}, fail.Usage(hint, "--data is for --application")
	}
	action := ami.Action{Name: "Originate", Timeout: o.Ring.Value + originateGrace, AwaitOriginate: !o.Async}
	if r.Flags.Timeout.Given {
		action.Timeout = r.Flags.Timeout.Value
	}
	add := func(name, value string) {
		if value != "" {
			action.Fields = append(action.Fields, ami.Field{Name: name, Value: value})
		}
	}
	add("Channel", o.Channel)
	if o.Exten != "" {
		add("Exten", o.Exten)
		add("Context", cmp.Or(o.Context, "default"))
		add("Priority", cmp.Or(o.Priority, "1"))
	}
	add("Application", o.Application)
	add("Data", o.Data)
	add("CallerID", o.CallerID)
	add("Account", o.Account)
	add("Timeout", strconv.FormatInt(o.Ring.Value.Milliseconds(), 10))
	add("Async", "true")
	for _, v := range o.Vars {
		name, value, found := strings.Cut(v, "=")
		if !found || name == "" {
			return action, fail.Usage("such as --var CAMPAIGN=7", "--var %q is not KEY=VALUE", v)
		}
		add("Variable", name+"="+escapeVariable(value))
	}
	for _, word := range more {
		field, err := act.ParseField(r, word)
		if err != nil {
			return action, err
		}
		action.Fields = append(action.Fields, field)
	}
	return action, act.CheckAction(&action)
}

// escapeVariable protects what Asterisk would eat in a Variable header: it splits at commas and drops quotes and
// backslashes (astman_get_variables in manager.c, by way of AST_STANDARD_APP_ARGS).
func escapeVariable(value string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `,`, `\,`).Replace(value)
}

// Hint says why OriginateResponse may be missing: the server grants a mask that the user may not read.
func Hint(err error) error {
	if err == nil {
		return nil
	}
	f := fail.Classify(err)
	if f.Code != fail.CodeTimeout {
		return err
	}
	return &fail.Error{Code: fail.CodeTimeout, Message: f.Message, Sent: f.Sent, Hint: "if the call was made: the user's read= in manager.conf needs `call`, or OriginateResponse never arrives"}
}
