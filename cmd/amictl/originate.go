package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

const originateHelp = `Examples:
  amictl originate --channel PJSIP/100 --exten 200 --context default
  amictl originate --channel PJSIP/100 --application Playback --data demo
  amictl originate -c PJSIP/100 -e 200@default --var CAMPAIGN=7 --ring 20s
  amictl originate -c PJSIP/100 -e 200@default --wait hangup
  amictl originate -c PJSIP/100 -e 200@default --async

Behind "originate" --context is the dialplan's context; the context of amictl goes with -C there.
Waits for OriginateResponse and exits 0 when the channel was answered, else 1 with the outcome: busy,
no-answer, congestion or failed. --async only waits for Asterisk to take the request. --wait hangup follows
the channel to its end, for as long as it takes or --timeout allows, and prints an object of type "call" with
the cause; it exits 0 when that is a normal one. Further headers of the action go as Key=Value.`

// originateGrace is what the answer may take beyond the time that the channel may ring.
const originateGrace = 10 * time.Second

// dialplanContext is the flag that --context stands for behind `originate`. Everywhere else, and as -C, it is amictl's
// own context. A value that could be either is refused: see originateContext.
const dialplanContext = "dialplan-context"

// originateFlags are those of originate.
type originateFlags struct {
	fanout
	channel, exten, context, priority, application, data string
	callerID, account                                    string
	vars                                                 list
	ring                                                 duration
	async                                                bool
	wait                                                 string
}

func (a *app) originateCommand() *cli.Command {
	f := &originateFlags{wait: "answer", ring: duration{d: 30 * time.Second}}
	return &cli.Command{
		Name:        "originate",
		Usage:       "make a call and wait for its outcome",
		ArgsUsage:   "[Key=Value]...",
		Description: originateHelp,
		Metadata:    map[string]any{"--context": "--" + dialplanContext},
		Flags: slices.Concat([]cli.Flag{
			text("channel", "c", "call this `CHANNEL`, such as PJSIP/100", &f.channel),
			text("exten", "e", "connect it to this `EXTENSION`, or EXTENSION@CONTEXT", &f.exten),
			text(dialplanContext, "", "`CONTEXT` of the extension (default); --context means the same behind originate", &f.context),
			text("priority", "", "`PRIORITY` of the extension (1)", &f.priority),
			text("application", "", "connect it to this `APPLICATION` instead", &f.application),
			text("data", "", "`ARGUMENTS` of the application", &f.data),
			text("caller-id", "", "`CALLERID`, such as 'Support <100>'", &f.callerID),
			text("account", "", "`CODE` for the call records", &f.account),
			&cli.GenericFlag{Name: "var", Usage: "set the channel variable `KEY=VALUE`; may repeat, the value goes as it is", Value: &f.vars},
			&cli.GenericFlag{Name: "ring", Usage: "let it ring for `TIME` (30s)", Value: &f.ring},
			&cli.BoolFlag{Name: "async", Usage: "do not wait for the outcome", Destination: &f.async},
			text("wait", "", "wait for `WHAT`: answer, or hangup (answer)", &f.wait),
		}, f.fanout.flags(), f.rolling()),
		Action: func(ctx context.Context, c *cli.Command) error {
			if err := a.originateContext(f); err != nil {
				return err
			}
			action, err := a.originateAction(f, c.Args().Slice())
			if err != nil {
				return err
			}
			return a.originate(ctx, f, action)
		},
	}
}

// originateContext settles the extension's context.
func (a *app) originateContext(f *originateFlags) error {
	if a.settings.config.Contexts[f.context] != nil && a.flags.context == "" {
		return usageError("-C "+f.context+" for amictl's context, --exten EXTENSION@"+f.context+" for the dialplan's", "--context %s may be a context of amictl or of the dialplan", f.context)
	}
	exten, context, found := strings.Cut(f.exten, "@")
	if !found {
		return nil
	}
	if f.context != "" {
		return usageError("leave one of them out", "--exten %s and --context %s both name a context", f.exten, f.context)
	}
	f.exten, f.context = exten, context
	return nil
}

// originateAction builds the action. It is always asynchronous for Asterisk: a synchronous Originate blocks all
// behind it on the session.
func (a *app) originateAction(f *originateFlags, more []string) (ami.Action, error) {
	const hint = "see `amictl originate --help`"
	switch {
	case f.channel == "":
		return ami.Action{}, usageError(hint, "--channel is missing")
	case f.exten != "" && f.application != "":
		return ami.Action{}, usageError(hint, "--exten and --application do not go together")
	case f.exten == "" && f.application == "":
		return ami.Action{}, usageError(hint, "--exten or --application is missing: where shall the call go?")
	case f.wait != "answer" && f.wait != "hangup":
		return ami.Action{}, usageError("answer or hangup", "--wait %q is none of the choices", f.wait)
	case f.wait == "hangup" && f.async:
		return ami.Action{}, usageError(hint, "--wait hangup and --async do not go together")
	case f.data != "" && f.application == "":
		return ami.Action{}, usageError(hint, "--data is for --application")
	}
	action := ami.Action{Name: "Originate", Timeout: f.ring.d + originateGrace, AwaitOriginate: !f.async}
	if a.flags.timeout.set {
		action.Timeout = a.flags.timeout.d
	}
	add := func(name, value string) {
		if value != "" {
			action.Fields = append(action.Fields, ami.Field{Name: name, Value: value})
		}
	}
	add("Channel", f.channel)
	if f.exten != "" {
		add("Exten", f.exten)
		add("Context", firstOf(f.context, "default"))
		add("Priority", firstOf(f.priority, "1"))
	}
	add("Application", f.application)
	add("Data", f.data)
	add("CallerID", f.callerID)
	add("Account", f.account)
	add("Timeout", strconv.FormatInt(f.ring.d.Milliseconds(), 10))
	add("Async", "true")
	for _, v := range f.vars {
		name, value, found := strings.Cut(v, "=")
		if !found || name == "" {
			return action, usageError("such as --var CAMPAIGN=7", "--var %q is not KEY=VALUE", v)
		}
		add("Variable", name+"="+escapeVariable(value))
	}
	for _, word := range more {
		field, err := a.parseField(word)
		if err != nil {
			return action, err
		}
		action.Fields = append(action.Fields, field)
	}
	return action, checkAction(&action)
}

// escapeVariable protects what Asterisk would eat in a Variable header: it splits at commas and drops quotes and
// backslashes (astman_get_variables in manager.c, by way of AST_STANDARD_APP_ARGS).
func escapeVariable(value string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `,`, `\,`).Replace(value)
}

// originate makes the call and prints how it ended. A call that failed is an answer as well as a failure: the reply
// goes to standard output with its outcome, and the exit status is 1.
func (a *app) originate(ctx context.Context, f *originateFlags, action ami.Action) error {
	nodes, done, err := a.aim(&f.fanout, &action)
	if err == nil {
		a.warnUnknown(&action)
	}
	if err != nil || done {
		return err
	}
	for i := range nodes {
		if !f.async {
			nodes[i].Events = "call"
		}
	}
	several := len(nodes) > 1 && f.route == ""
	p, err := a.printer(answers, len(nodes) > 1, several)
	if err != nil {
		return err
	}
	origin := output.Origin{Action: action.Name}
	var t tally
	var failed error
	ask := func(ctx context.Context, c *ami.Conn) (*ami.Reply, error) { return c.Do(ctx, action) }
	ends := make(chan output.Record, len(nodes))
	if f.wait == "hangup" {
		ask = func(ctx context.Context, c *ami.Conn) (*ami.Reply, error) { return a.follow(ctx, c, action, ends) }
	}
	a.each(ctx, nodes, &f.fanout, ask, func(e ending) {
		defer func() {
			select {
			case r := <-ends:
				failed = errors.Join(failed, p.Record(r))
			default:
			}
			failed = errors.Join(failed, p.Flush())
		}()
		if e.reply != nil && e.reply.Outcome() != ami.OutcomeUnknown {
			if err := p.Reply(e.reply, &origin); err != nil {
				failed = errors.Join(failed, err)
			}
			if e.err != nil && several {
				a.complain(classify(e.err))
			}
			t.add(classifyStatus(e.err))
			if !several {
				failed = errors.Join(failed, e.err)
			}
			return
		}
		failed = errors.Join(failed, a.report(p, ending{e.node, e.reply, originateHint(e.err)}, origin, several, &t))
	})
	if err := p.Close(); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	return t.err()
}

// originateHint says why OriginateResponse may be missing: the server grants a mask that the user may not read.
func originateHint(err error) error {
	if err == nil {
		return nil
	}
	f := classify(err)
	if f.Code != codeTimeout {
		return err
	}
	return &cliError{code: codeTimeout, msg: f.Message, sent: f.Sent, hint: "if the call did run: the user's read= in manager.conf needs `call`, or OriginateResponse never arrives"}
}
