package call

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
)

// Options say which call is made, and what is waited for.
type Options struct {
	target.Fanout
	Channel, Exten, Context, Priority, Application, Data string
	CallerID, Account                                    string
	Vars                                                 flags.List
	Ring                                                 flags.Duration
	Async                                                bool
	Wait                                                 string
}

// dialplanContext is the flag that --context stands for behind what makes calls. Everywhere else, and as -C, it is amictl's
// own context. A value that could be either is refused: see SettleContext.
const dialplanContext = "dialplan-context"

// Aliases are the global flags that mean another one there.
var Aliases = map[string]string{"--context": "--" + dialplanContext}

// CallFlags are the flags that say which call is made.
func (o *Options) CallFlags() []cli.Flag {
	return []cli.Flag{
		flags.Text("channel", "c", "call this `CHANNEL`, such as PJSIP/100", &o.Channel),
		flags.Text("exten", "e", "connect it to this `EXTENSION`, or EXTENSION@CONTEXT", &o.Exten),
		flags.Text(dialplanContext, "", "`CONTEXT` of the extension (default); --context means the same after originate and dial", &o.Context),
		flags.Text("priority", "", "`PRIORITY` of the extension (1)", &o.Priority),
		flags.Text("application", "", "connect it to this `APPLICATION` instead", &o.Application),
		flags.Text("data", "", "`ARGUMENTS` of the application", &o.Data),
		flags.Text("caller-id", "", "`CALLERID`, such as 'Support <100>'", &o.CallerID),
		flags.Text("account", "", "`CODE` for the call records", &o.Account),
		&cli.GenericFlag{Name: "var", Usage: "set the channel variable `KEY=VALUE`; may repeat; the value is sent as it is", Value: &o.Vars},
		&cli.GenericFlag{Name: "ring", Usage: "let it ring for `TIME` (30s)", Value: &o.Ring},
	}
}

// SettleContext decides the extension's context.
func (o *Options) SettleContext(r *run.Run) error {
	if r.Settings.Config.Contexts[o.Context] != nil && r.Flags.Context == "" {
		return fail.Usage("-C "+o.Context+" for amictl's context, --exten EXTENSION@"+o.Context+" for the dialplan's", "--context %s may be a context of amictl or of the dialplan", o.Context)
	}
	exten, context, found := strings.Cut(o.Exten, "@")
	if !found {
		return nil
	}
	if o.Context != "" {
		return fail.Usage("leave one of them out", "--exten %s and --context %s both name a context", o.Exten, o.Context)
	}
	o.Exten, o.Context = exten, context
	return nil
}

// ChannelID returns an id for a channel that is not there yet, to be given to an Originate as ChannelId: its call can then
// be followed from the first event on, and found by another process.
func ChannelID() string { return fmt.Sprintf("amictl-%016x", rand.Uint64()) }

// OriginateGrace is what the outcome of a call may take beyond the time that its channel may ring.
const OriginateGrace = 10 * time.Second

// Action builds the action. It is always asynchronous for Asterisk: a synchronous Originate blocks all
// behind it on the session.
func Action(r *run.Run, o *Options, more []string) (ami.Action, error) {
	const (
		hint    = "see `amictl originate --help`"
		example = "such as `amictl originate --channel PJSIP/100 --exten 200`"
	)
	switch {
	case o.Channel == "":
		return ami.Action{}, fail.Usage(example, "--channel is missing")
	case !strings.Contains(o.Channel, "/"): // manager.c refuses it, action_originate
		return ami.Action{}, fail.Usage("it is TECHNOLOGY/NAME, such as PJSIP/100 or Local/100@default", "--channel %s names no technology", o.Channel)
	case o.Exten != "" && o.Application != "":
		return ami.Action{}, fail.Usage(hint, "--exten and --application do not go together")
	case o.Exten == "" && o.Application == "":
		return ami.Action{}, fail.Usage(example, "--exten or --application is missing: where should the call go?")
	case o.Wait != "answer" && o.Wait != "hangup":
		return ami.Action{}, fail.Usage("answer or hangup", "--wait %q is not one of the choices", o.Wait)
	case o.Wait == "hangup" && o.Async:
		return ami.Action{}, fail.Usage(hint, "--wait hangup and --async do not go together")
	case o.Data != "" && o.Application == "":
		return ami.Action{}, fail.Usage(hint, "--data is for --application")
	}
	action := ami.Action{Name: "Originate", Timeout: o.Ring.Value + OriginateGrace, AwaitOriginate: !o.Async}
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
