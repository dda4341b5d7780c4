package fail

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/apntalk/amictl/internal/cond"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A Failure is what the user gets to see of an error.
type Failure struct {
	Code    Code
	Exit    int
	Message string
	Hint    string
	Sent    string // of an action: "no", "maybe", "yes"
	Silent  bool   // it has been said already
	Foreign bool   // the status is of another convention, such as Nagios'
}

// Error is an error of the command line's own making.
type Error struct {
	Code    Code
	Message string
	Hint    string
	silent  bool
	Sent    string
	Exit    int // overrides the code's status if not 0
	foreign bool
}

func (e *Error) Error() string { return e.Message }

// Usage is the error of a command line that is wrong. The hint says what to do instead.
func Usage(hint, format string, args ...any) error {
	return &Error{Code: CodeUsage, Message: text(format, args), Hint: hint}
}

// Config is the error of a configuration that is wrong or cannot be read.
func Config(hint, format string, args ...any) error {
	return &Error{Code: CodeConfig, Message: text(format, args), Hint: hint}
}

// Input is the error of an action, or a line of input, that is refused before anything is sent.
func Input(hint, format string, args ...any) error {
	return &Error{Code: CodeInput, Message: text(format, args), Hint: hint}
}

// text is a message in which errors are told as Cause tells them.
func text(format string, args []any) string {
	for i := range args {
		if err, ok := args[i].(error); ok {
			args[i] = Cause(err)
		}
	}
	return fmt.Sprintf(format, args...)
}

// Silent is the error of a run whose failures have been printed already.
func Silent(exit int) error {
	return &Error{Code: codeMixed, silent: true, Exit: exit, Message: "failed"}
}

// Foreign is Silent of a run that ends with the status of another convention, which a 2 may mean anything in.
func Foreign(exit int) error {
	return &Error{Code: codeMixed, silent: true, foreign: true, Exit: exit, Message: "failed"}
}

// TooLate is what becomes of a refusal that came when something had been sent: its status must not say that it is safe to try
// again. A configuration may turn wrong meanwhile, such as a secret's file that a second login does not find; any other one is
// a bug.
func TooLate(f Failure) Failure {
	if f.Code == CodeConfig {
		f.Code, f.Exit = CodeLost, ExitLost
		f.Hint = "something was sent before this: check before you try again; " + f.Hint
		return f
	}
	f.Message = "a bug: this was refused after something had been sent: " + f.Message
	f.Code, f.Exit, f.Silent, f.Hint = codeBug, ExitBug, false, "it may have run: check before you try again, and please report this"
	return f
}

// AfterChanges is what becomes of an error that came when something had been changed: its status must not say that nothing was.
func AfterChanges(err error) error {
	f := Classify(err)
	if f.Exit != ExitConnect && f.Exit != ExitLogin && f.Sent != ami.SentNo.String() {
		return err
	}
	e := &Error{Code: f.Code, Exit: f.Exit, Sent: ami.SentYes.String(), Message: f.Message, Hint: f.Hint}
	if f.Exit == ExitConnect || f.Exit == ExitLogin {
		e.Code, e.Exit, e.Hint = CodeLost, ExitLost, "what was done before this stays done: check before you try again; "+f.Hint
	}
	return e
}

// Classify turns any error into what the user sees. No error is a failure with status 0.
func Classify(err error) Failure {
	if err == nil {
		return Failure{}
	}
	f := Failure{Message: Cause(err)}
	var own *Error
	var op *ami.OpError
	var path *fs.PathError
	switch {
	case errors.As(err, &own):
		f.Code, f.Hint, f.Silent, f.Message, f.Sent = own.Code, own.Hint, own.silent, own.Message, own.Sent
		f.Exit, f.Foreign = own.Exit, own.foreign
	case errors.As(err, &op):
		f.ofOperation(op)
	case errors.Is(err, context.DeadlineExceeded):
		f.Code, f.Message, f.Hint = CodeTimeout, "the --deadline has passed", "it covers the whole run, and what was sent may have run; allow more time, or check first"
	case errors.Is(err, context.Canceled):
		f.Code, f.Message = codeSignal, "stopped"
	case errors.Is(err, syscall.EPIPE):
		f.Code, f.Silent = codeSignal, true
	case errors.As(err, &path):
		f.ofPath(path)
	case errors.As(err, new(*ami.WhereError)):
		f.Code, f.Hint = CodeUsage, `a condition is FIELD OP VALUE, such as --where 'Cause!=16 && Channel=~^PJSIP/'; see amictl tail --help`
	default:
		f.Code = codeBug
	}
	if f.Exit == 0 {
		f.Exit = ExitOf[f.Code]
	}
	if f.Hint == "" {
		f.Hint = HintOf[f.Code]
	}
	return f
}

// outputOps are the operations on a file that is output. That it is not whole says nothing of what ran.
var outputOps = map[string]bool{"write": true, "sync": true, "close": true, "truncate": true}

// ofPath classifies a file's error.
func (f *Failure) ofPath(e *fs.PathError) {
	if !outputOps[e.Op] {
		f.Code, f.Message, f.Hint = CodeConfig, Cause(e), "check the path and its permissions"
		return
	}
	name := e.Path
	if name == os.Stdout.Name() {
		name = "standard output"
	}
	f.Code, f.Message = CodeLost, fmt.Sprintf("%s cannot be written: %s", name, Cause(e.Err))
	f.Hint = "the output is incomplete, and what was asked for may have run: check before you try again"
}

// ofOperation classifies an error of the engine by the operation that failed.
func (f *Failure) ofOperation(op *ami.OpError) {
	where := op.Node
	switch op.Op {
	case "dial":
		f.ofDial(op, where)
	case "tls":
		f.ofTLS(op, where)
	case "banner":
		f.Code = codeBanner
		what := "no Asterisk manager answers there"
		if errors.Is(op.Err, ami.ErrDisconnected) { // it may well be one
			what = "it sent no greeting"
		}
		f.Message = fmt.Sprintf("%s: %s: %s", where, what, Cause(op.Err))
		f.Hint = bannerHint(op.Err)
	case "login":
		f.ofLogin(op, where)
	case "connect":
		f.ofConnect(op, where)
	case "setup":
		f.Code, f.Message = CodeConnect, fmt.Sprintf("%s: the session's setup failed: %s", where, Cause(op.Err))
		f.Hint = "filters need the class system in write="
	default:
		f.ofAction(op, where)
	}
}

// ofConnect classifies the wait for a node's session: by what its attempts came to, if that is known.
func (f *Failure) ofConnect(op *ami.OpError, where string) {
	var attempt *ami.OpError
	if errors.As(op.Err, &attempt) {
		f.ofOperation(attempt)
		return
	}
	f.Code = CodeConnect
	switch {
	case errors.Is(op.Err, ami.ErrDisconnected): // the last session's end; no attempt has failed since
		f.Message, f.Hint = fmt.Sprintf("%s: %s", where, Cause(op.Err)), "it is being tried again; `amictl wait --ready` waits until it is back"
		return
	case errors.Is(op.Err, ami.ErrNotReady) && !errors.Is(op.Err, ami.ErrTimeout) && !errors.Is(op.Err, context.DeadlineExceeded): // nothing is known of it, and nobody waited
		f.Message, f.Hint = where+": there is no session yet", "it is being tried; --connect-timeout allows more time"
		return
	}
	f.Message = where + ": there was no session in time"
	f.Hint = "the server neither refused nor answered: is it overloaded, or a firewall in the way? --connect-timeout allows more time"
}

func (f *Failure) ofDial(op *ami.OpError, where string) {
	var dns *net.DNSError
	f.Code, f.Message = CodeConnect, fmt.Sprintf("%s: cannot connect: %s", where, NetCause(op.Err))
	switch {
	case errors.Is(op.Err, ami.ErrUnauthorized): // on the way to the server, as by a bus
		f.Code, f.Hint = CodePermission, "docs/bus.md has the permissions that are needed"
	case errors.As(op.Err, &dns) && !dns.IsTimeout:
		f.Code, f.Hint = codeDNS, "check the host's name; `getent hosts NAME` must find it"
		f.Message = fmt.Sprintf("%s: cannot connect: the name %s is unknown", where, dns.Name)
		if strings.Contains(where, dns.Name) {
			f.Message = where + ": cannot connect: the host's name is unknown"
		}
	case errors.Is(op.Err, syscall.EMFILE):
		f.Hint = "too many connections for this process; `ulimit -n` raises the limit"
	case errors.Is(op.Err, syscall.ECONNREFUSED):
		f.Hint = "is Asterisk running, and manager.conf enabled=yes with this bindaddr and port?"
	case errors.Is(op.Err, ami.ErrTimeout), errors.Is(op.Err, context.DeadlineExceeded), errors.Is(op.Err, os.ErrDeadlineExceeded):
		f.Hint = "a firewall may drop the packets; --connect-timeout allows more time"
	default:
		f.Hint = "check the address, the port and the network in between"
	}
}

func (f *Failure) ofTLS(op *ami.OpError, where string) {
	f.Code, f.Message = codeTLS, fmt.Sprintf("%s: %s", where, Cause(op.Err))
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var record tls.RecordHeaderError
	switch {
	case errors.As(op.Err, &unknown):
		f.Hint = "give the certificate or its CA with --ca FILE, or pin it in the config"
	case errors.As(op.Err, &name):
		f.Hint = "give the name in the certificate with --tls-name NAME"
	case errors.As(op.Err, &record):
		f.Hint = "this port does not speak TLS; amis:// is for manager.conf's tlsbindaddr, ami:// for the plain port"
	default:
		f.Hint = "is this the TLS port (tlsbindaddr in manager.conf)?"
	}
}

func (f *Failure) ofLogin(op *ami.OpError, where string) {
	var field *wire.FieldError
	switch {
	case errors.As(op.Err, &field): // of the login itself: its name or its secret
		f.Code, f.Message, f.Hint = CodeConfig, fmt.Sprintf("%s: %s", where, strings.TrimPrefix(field.Error(), "wire: ")), fieldHint(field)
	case errors.Is(op.Err, ami.ErrStopping):
		f.Code, f.Message = CodeConnect, fmt.Sprintf("%s: %s", where, Cause(op.Err))
		f.Hint = "it takes no new sessions until its calls have ended; try again when it is back, `amictl wait --ready` waits for that"
	case errors.Is(op.Err, ami.ErrLoginInUse):
		f.Code, f.Message = CodeLogin, fmt.Sprintf("%s: %s", where, Cause(op.Err))
		f.Hint = "end the other session of this user (`manager show connected` on the console lists them), give this one a user of its own, or set allowmultiplelogin=yes"
	case errors.Is(op.Err, ami.ErrUnauthorized):
		f.Code = CodeLogin
		f.Message = fmt.Sprintf("%s: %s", where, Cause(op.Err))
		f.Hint = "the server does not say which it is: a wrong user or secret, or the permit and deny lines of that user in manager.conf"
	case errors.Is(op.Err, ami.ErrTimeout):
		f.Code, f.Message = CodeUnsent, fmt.Sprintf("%s: %s", where, Cause(op.Err))
		f.Hint = "the server accepted the connection and does not answer; is it overloaded?"
	default:
		f.Code, f.Message = CodeConnect, fmt.Sprintf("%s: %s", where, Cause(op.Err))
		if !errors.Is(op.Err, ami.ErrDisconnected) { // which says the same
			f.Message = fmt.Sprintf("%s: the connection was lost during the login: %s", where, Cause(op.Err))
		}
		f.Hint = "Asterisk closes connections beyond authlimit at once, see manager.conf"
	}
}

// ofAction classifies what happened to an action, or to a session that was waited for.
func (f *Failure) ofAction(op *ami.OpError, where string) {
	f.Sent = op.Sent.String()
	name := cmp.Or(op.Action, "an action without a name")
	f.Message = fmt.Sprintf("%s: %s: %s", where, name, Cause(op.Err))
	var refused *ami.ResponseError
	var field *wire.FieldError
	var attempt *ami.OpError // to make a session
	switch {
	case errors.Is(op.Err, ami.ErrStopping):
		f.Code, f.Hint = CodeConnect, "nothing was executed: it takes no actions while it stops; try again when it is back"
	case errors.As(op.Err, &refused):
		f.ofRefusal(refused, where)
	case errors.As(op.Err, &field):
		f.Code, f.Message = CodeInput, fmt.Sprintf("%s: %s", name, strings.TrimPrefix(field.Error(), "wire: "))
		if errors.Is(field.Err, wire.ErrHeaders) {
			f.Message = fmt.Sprintf("%s: %s %v", name, field.Header, field.Err)
		}
		f.Hint = cmp.Or(encodedHint(op.Action, field), fieldHint(field))
	case errors.Is(op.Err, ami.ErrReservedAction):
		f.Code, f.Message, f.Hint = CodeInput, name+" is amictl's own and cannot be sent", "it logs in and off by itself"
	case errors.Is(op.Err, ami.ErrListTooLong):
		f.Code, f.Hint = codeTruncated, "ask for less, or raise list_items in the config"
	case op.Sent == ami.SentNo && errors.As(op.Err, &attempt):
		f.ofOperation(attempt)
		f.Sent = op.Sent.String()
		f.Message = fmt.Sprintf("%s: %s was not sent: %s", where, name, strings.TrimPrefix(f.Message, where+": "))
	case errors.Is(op.Err, ami.ErrTimeout) && op.Sent == ami.SentNo:
		f.Code, f.Hint = CodeUnsent, "nothing was sent: safe to try again"
	case errors.Is(op.Err, ami.ErrTimeout):
		f.Code, f.Hint = CodeTimeout, "it may have run; --timeout allows more time"
	case errors.Is(op.Err, ami.ErrCancelled):
		f.Code = codeSignal
	case op.Sent == ami.SentNo:
		f.Code, f.Hint = CodeUnsent, "nothing was sent: safe to try again"
	default:
		f.Code, f.Hint = CodeLost, "it may have run: check before you try again"
	}
}

func (f *Failure) ofRefusal(refused *ami.ResponseError, where string) {
	f.Code, f.Message = CodeRefused, fmt.Sprintf("%s: %s: %s", where, refused.Action, refused.Error())
	switch {
	case refused.Outcome != ami.OutcomeUnknown:
		f.ofCall(refused.Outcome, where)
	case refused.Relay && strings.HasPrefix(refused.Message, "Permission denied"):
		f.Code, f.Hint = CodePermission, "the users of `amictl serve`, or the bus's own permissions, do not allow it; docs/serve.md has examples"
	case refused.Relay && f.Sent == ami.SentNo.String():
		f.Code, f.Hint = CodeUnsent, "nothing was sent: safe to try again"
	case refused.Relay:
		f.Code, f.Hint = CodeLost, "it may have run: check before you try again"
	case strings.HasPrefix(refused.Message, "Permission denied"):
		f.Code, f.Hint = CodePermission, permissionHint(refused.Action)
	case strings.HasPrefix(refused.Message, "Invalid/unknown command"):
		f.Hint = unknownActionHint(refused.Action)
	case cond.MeansEmpty(refused.Message):
		f.Hint = "Asterisk calls an empty list of this kind an Error; `amictl send --empty-ok` accepts it"
	case strings.HasPrefix(refused.Message, "No such channel"):
		f.Hint = "`amictl state channels` lists them; a shell wants a name with a ; in quotes, as in Channel='Local/200@default-1;2'"
	case saysMissing(refused.Message):
		f.Hint = parameterHint(refused.Action)
	}
}

// plain takes out of an error's text the prefixes of our packages, and says what Go's call otherwise.
var plain = strings.NewReplacer(
	"ami: ", "", "wire: ", "",
	"context deadline exceeded", "timed out", "i/o timeout", "timed out",
	"context canceled", "stopped", "operation was canceled", "stopped",
	"use of closed network connection", "it was closed on this side", "unexpected EOF", "it ended too early",
)

// Cause returns the text of an error as users should see it: without the prefixes of the packages it came through, and in words.
func Cause(err error) string {
	s := plain.Replace(err.Error())
	if before, ok := strings.CutSuffix(s, "EOF"); ok && errors.Is(err, io.EOF) {
		s = before + "it ended"
	}
	return strings.ReplaceAll(s, "timed out: timed out", "timed out")
}

// NetCause shortens what the net package says: the address is known already.
func NetCause(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		var call *os.SyscallError
		if errors.As(op.Err, &call) {
			return call.Err.Error()
		}
		return Cause(op.Err)
	}
	return Cause(err)
}
