package fail

import (
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
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// on is an error of an operation on a node.
func on(op ami.Op, err error) error { return &ami.OpError{Op: op, Node: "pbx1", Err: err} }

// of is an error of an action on a node, of which so much was sent.
func of(sent ami.Sent, err error) error {
	return &ami.OpError{Op: ami.OpDo, Node: "pbx1", Action: "QueueAdd", Sent: sent, Err: err}
}

// refusal is an Error that a server answered.
func refusal(message string) *ami.ResponseError {
	return &ami.ResponseError{Action: "QueueAdd", Message: message}
}

// relay is an Error that a relay answered.
func relay(message string) *ami.ResponseError {
	return &ami.ResponseError{Action: "QueueAdd", Message: message, Relay: true}
}

// A verdict is what a user sees of an error: its code and status, a text of the message, and one of the hint.
type verdict struct {
	err           error
	code          Code
	exit          int
	message, hint string
}

func checkVerdicts(t *testing.T, all map[string]verdict) {
	t.Helper()
	for name, v := range all {
		f := Classify(v.err)
		if f.Code != v.code || f.Exit != v.exit || !strings.Contains(f.Message, v.message) || !strings.Contains(f.Hint, v.hint) {
			t.Errorf("%s: %q, status %d: %s\nhint: %s\nwant %q, status %d, %q and %q", name, f.Code, f.Exit, f.Message, f.Hint, v.code, v.exit, v.message, v.hint)
		}
	}
}

// How a session that does not come about is told, by the step of its way that failed.
func TestClassifySessions(t *testing.T) {
	timeout := fmt.Errorf("%w: %w", ami.ErrTimeout, context.DeadlineExceeded)
	unknown := &net.DNSError{Name: "nowhere", IsNotFound: true}
	checkVerdicts(t, map[string]verdict{
		"refused":             {on(ami.OpDial, syscall.ECONNREFUSED), CodeConnect, 3, "pbx1: cannot connect: connection refused", "is Asterisk running"},
		"too many files":      {on(ami.OpDial, syscall.EMFILE), CodeConnect, 3, "pbx1: cannot connect", "ulimit -n"},
		"no answer":           {on(ami.OpDial, timeout), CodeConnect, 3, "timed out", "a firewall may drop the packets"},
		"no answer, system":   {on(ami.OpDial, os.ErrDeadlineExceeded), CodeConnect, 3, "timed out", "a firewall may drop the packets"},
		"no answer, context":  {on(ami.OpDial, context.DeadlineExceeded), CodeConnect, 3, "timed out", "a firewall may drop the packets"},
		"another":             {on(ami.OpDial, errors.New("x")), CodeConnect, 3, "pbx1: cannot connect: x", "check the address, the port"},
		"not allowed":         {on(ami.OpDial, ami.ErrUnauthorized), CodePermission, 4, "pbx1: cannot connect", "docs/bus.md"},
		"unknown name":        {on(ami.OpDial, unknown), codeDNS, 3, "pbx1: cannot connect: the name nowhere is unknown", "getent hosts"},
		"the node's own name": {&ami.OpError{Op: ami.OpDial, Node: "nowhere:5038", Err: unknown}, codeDNS, 3, "nowhere:5038: cannot connect: the host's name is unknown", "getent hosts"},
		"slow resolver":       {on(ami.OpDial, &net.DNSError{Name: "nowhere", IsTimeout: true, Err: "x"}), CodeConnect, 3, "pbx1: cannot connect", "check the address, the port"},
		"unknown authority":   {on(ami.OpTLS, x509.UnknownAuthorityError{}), codeTLS, 3, "pbx1: x509", "--ca FILE"},
		"another name":        {on(ami.OpTLS, x509.HostnameError{Certificate: &x509.Certificate{}, Host: "h"}), codeTLS, 3, "pbx1: x509", "--tls-name NAME"},
		"no TLS":              {on(ami.OpTLS, tls.RecordHeaderError{Msg: "x"}), codeTLS, 3, "pbx1: ", "this port does not speak TLS"},
		"TLS, another":        {on(ami.OpTLS, io.EOF), codeTLS, 3, "pbx1: it ended", "is this the TLS port"},
		"no greeting":         {on(ami.OpBanner, ami.ErrDisconnected), codeBanner, 3, "pbx1: it sent no greeting: the connection was lost", "it closed the connection before its greeting"},
		"another greeting":    {on(ami.OpBanner, errors.New("x")), codeBanner, 3, "pbx1: no Asterisk manager answers there: x", "A TLS port needs amis://"},
		"a web server":        {on(ami.OpBanner, &wire.BannerError{Got: "HTTP/1.1 400"}), codeBanner, 3, "no Asterisk manager answers there", "that is an HTTP server"},
		"a shell":             {on(ami.OpBanner, &wire.BannerError{Got: "SSH-2.0"}), codeBanner, 3, "no Asterisk manager answers there", "that is an SSH server"},
		"a TLS port":          {on(ami.OpBanner, &wire.BannerError{Got: "\x15\x03\x03"}), codeBanner, 3, "no Asterisk manager answers there", "that is a TLS port: use amis://"},
		"something":           {on(ami.OpBanner, &wire.BannerError{Got: "220 smtp"}), codeBanner, 3, "no Asterisk manager answers there", "the manager's port is usually 5038"},
		"setup":               {on(ami.OpSetup, errors.New("x")), CodeConnect, 3, "pbx1: the session's setup failed: x", "the class system"},
	})
}

func TestClassifyLogins(t *testing.T) {
	checkVerdicts(t, map[string]verdict{
		"refused":   {on(ami.OpLogin, ami.ErrUnauthorized), CodeLogin, 4, "pbx1: the server refused the login", "a wrong user or secret"},
		"in use":    {on(ami.OpLogin, ami.ErrLoginInUse), CodeLogin, 4, "pbx1: the user is logged in already", "allowmultiplelogin=yes"},
		"stopping":  {on(ami.OpLogin, ami.ErrStopping), CodeConnect, 3, "pbx1: the server is stopping", "amictl wait --ready"},
		"no answer": {on(ami.OpLogin, ami.ErrTimeout), CodeUnsent, 3, "pbx1: timed out", "is it overloaded?"},
		"lost":      {on(ami.OpLogin, ami.ErrDisconnected), CodeConnect, 3, "pbx1: the connection was lost", "authlimit"},
		"otherwise": {on(ami.OpLogin, errors.New("x")), CodeConnect, 3, "pbx1: the connection was lost during the login: x", "authlimit"},
		"no secret": {on(ami.OpLogin, Config("give it", "there is none")), CodeConfig, 2, "there is none", "give it"},
		"a secret":  {on(ami.OpLogin, &wire.FieldError{Header: "Secret", Err: wire.ErrNewline}), CodeConfig, 2, `pbx1: header "Secret" `, "a value is one line of text"},
	})
	if f := Classify(on(ami.OpLogin, ami.ErrDisconnected)); strings.Contains(f.Message, "during the login") {
		t.Errorf("it says twice that it was lost: %s", f.Message)
	}
}

// A wait for a session is told by what the attempts came to, if that is known.
func TestClassifyWaitsForASession(t *testing.T) {
	checkVerdicts(t, map[string]verdict{
		"an attempt":           {on(ami.OpConnect, on(ami.OpDial, syscall.ECONNREFUSED)), CodeConnect, 3, "pbx1: cannot connect: connection refused", "is Asterisk running"},
		"a refused login":      {on(ami.OpConnect, on(ami.OpLogin, ami.ErrUnauthorized)), CodeLogin, 4, "pbx1: the server refused the login", "a wrong user or secret"},
		"lost":                 {on(ami.OpConnect, ami.ErrDisconnected), CodeConnect, 3, "pbx1: the connection was lost", "it is being tried again"},
		"nothing yet":          {on(ami.OpConnect, ami.ErrNotReady), CodeConnect, 3, "pbx1: there is no session yet", "it is being tried; "},
		"nothing in time":      {on(ami.OpConnect, fmt.Errorf("%w: %w", ami.ErrNotReady, ami.ErrTimeout)), CodeConnect, 3, "pbx1: there was no session in time", "neither refused nor answered"},
		"nothing, by deadline": {on(ami.OpConnect, fmt.Errorf("%w: %w", ami.ErrNotReady, context.DeadlineExceeded)), CodeConnect, 3, "pbx1: there was no session in time", "neither refused nor answered"},
		"no time":              {on(ami.OpConnect, ami.ErrTimeout), CodeConnect, 3, "pbx1: there was no session in time", "neither refused nor answered"},
	})
}

// What the status says of an action follows from what was sent of it.
func TestClassifyActions(t *testing.T) {
	checkVerdicts(t, map[string]verdict{
		"not in time":         {of(ami.SentYes, ami.ErrTimeout), CodeTimeout, 5, "pbx1: QueueAdd: timed out", "it may have run"},
		"perhaps in time":     {of(ami.SentMaybe, ami.ErrTimeout), CodeTimeout, 5, "pbx1: QueueAdd: timed out", "it may have run"},
		"no time to send":     {of(ami.SentNo, ami.ErrTimeout), CodeUnsent, 3, "pbx1: QueueAdd: timed out", "nothing was sent"},
		"lost":                {of(ami.SentYes, ami.ErrDisconnected), CodeLost, 7, "pbx1: QueueAdd: the connection was lost", "it may have run"},
		"perhaps lost":        {of(ami.SentMaybe, ami.ErrDisconnected), CodeLost, 7, "the connection was lost", "it may have run"},
		"lost before":         {of(ami.SentNo, ami.ErrDisconnected), CodeUnsent, 3, "the connection was lost", "nothing was sent"},
		"stopped":             {of(ami.SentYes, ami.ErrCancelled), codeSignal, 7, "cancelled by the caller", ""},
		"stopped before":      {of(ami.SentNo, ami.ErrCancelled), codeSignal, 7, "cancelled by the caller", ""},
		"no session for it":   {of(ami.SentNo, on(ami.OpDial, syscall.ECONNREFUSED)), CodeConnect, 3, "pbx1: QueueAdd was not sent: cannot connect: connection refused", "is Asterisk running"},
		"no login for it":     {of(ami.SentNo, on(ami.OpLogin, ami.ErrUnauthorized)), CodeLogin, 4, "pbx1: QueueAdd was not sent: the server refused the login", "a wrong user or secret"},
		"sent, then none":     {of(ami.SentYes, on(ami.OpDial, syscall.ECONNREFUSED)), CodeLost, 7, "pbx1: QueueAdd: ", "it may have run"},
		"stopping":            {of(ami.SentYes, ami.ErrStopping), CodeConnect, 3, "the server is stopping", "nothing was executed"},
		"too long":            {of(ami.SentYes, ami.ErrListTooLong), codeTruncated, 7, "over its limit", "list_items"},
		"reserved":            {of(ami.SentNo, ami.ErrReservedAction), CodeInput, 2, "QueueAdd is amictl's own and cannot be sent", "it logs in and off by itself"},
		"a field":             {of(ami.SentNo, &wire.FieldError{Header: "A", Err: wire.ErrNUL}), CodeInput, 2, `QueueAdd: header "A" `, "a value is one line of text"},
		"a long line":         {of(ami.SentNo, &wire.FieldError{Header: "A", Err: wire.ErrLineTooLong}), CodeInput, 2, "QueueAdd: ", "Asterisk reads no longer lines"},
		"too many headers":    {of(ami.SentNo, &wire.FieldError{Header: "QueueAdd", Err: wire.ErrHeaders}), CodeInput, 2, "QueueAdd: QueueAdd " + wire.ErrHeaders.Error(), "send fewer headers"},
		"a space":             {of(ami.SentNo, &wire.FieldError{Header: "A", Err: wire.ErrLeadingSpace}), CodeInput, 2, "QueueAdd: ", "leave the white space out"},
		"no name":             {of(ami.SentNo, &wire.FieldError{Header: "", Err: wire.ErrEmpty}), CodeInput, 2, "QueueAdd: ", "such as `amictl send CoreStatus`"},
		"a wrong name":        {of(ami.SentNo, &wire.FieldError{Header: "A B", Err: wire.ErrName}), CodeInput, 2, "QueueAdd: ", "Key=Value"},
		"a reserved name":     {of(ami.SentNo, &wire.FieldError{Header: "ActionID", Err: wire.ErrReserved}), CodeInput, 2, "QueueAdd: ", "amictl numbers its actions itself"},
		"another field":       {of(ami.SentNo, &wire.FieldError{Header: "A", Err: errors.New("x")}), CodeInput, 2, "QueueAdd: ", HintOf[CodeInput]},
		"an action of no one": {&ami.OpError{Op: ami.OpDo, Node: "pbx1", Sent: ami.SentYes, Err: ami.ErrTimeout}, CodeTimeout, 5, "pbx1: an action without a name: timed out", "it may have run"},
	})
	for sent, want := range map[ami.Sent]string{ami.SentNo: "no", ami.SentMaybe: "maybe", ami.SentYes: "yes"} {
		if f := Classify(of(sent, ami.ErrDisconnected)); f.Sent != want {
			t.Errorf("%v: sent is %q", sent, f.Sent)
		}
	}
	if f := Classify(of(ami.SentNo, on(ami.OpDial, syscall.ECONNREFUSED))); f.Sent != "no" {
		t.Errorf("an action that was not sent has sent %q", f.Sent)
	}
}

func TestClassifyRefusals(t *testing.T) {
	call := func(o ami.Outcome) *ami.ResponseError { return &ami.ResponseError{Action: "Originate", Outcome: o} }
	checkVerdicts(t, map[string]verdict{
		"in its words":        {of(ami.SentYes, refusal("Unable to add interface")), CodeRefused, 1, "pbx1: QueueAdd: Unable to add interface", "the server's own words"},
		"without words":       {of(ami.SentYes, refusal("")), CodeRefused, 1, "pbx1: QueueAdd: the server answered Error", "the server's own words"},
		"permission":          {of(ami.SentYes, refusal("Permission denied")), CodePermission, 4, "Permission denied", "write= in manager.conf needs one of: agent"},
		"of an unknown":       {of(ami.SentYes, &ami.ResponseError{Action: "NoSuch", Message: "Permission denied"}), CodePermission, 4, "Permission denied", "lacks a class that this action needs"},
		"of one without any":  {of(ami.SentYes, &ami.ResponseError{Action: "Ping", Message: "Permission denied"}), CodePermission, 4, "Permission denied", "lacks a class that this action needs"},
		"not loaded":          {of(ami.SentYes, refusal("Invalid/unknown command: QueueAdd")), CodeRefused, 1, "Invalid/unknown command", "the module that has it is not loaded there"},
		"mistyped":            {of(ami.SentYes, &ami.ResponseError{Action: "QueueAd", Message: "Invalid/unknown command: QueueAd"}), CodeRefused, 1, "Invalid/unknown command", "did you mean QueueAdd?"},
		"nothing like it":     {of(ami.SentYes, &ami.ResponseError{Action: "Xyzzyxyzzy", Message: "Invalid/unknown command"}), CodeRefused, 1, "Invalid/unknown command", "`amictl actions` lists the known ones"},
		"an empty list":       {of(ami.SentYes, refusal("No active conferences.")), CodeRefused, 1, "No active conferences.", "amictl send --empty-ok"},
		"a channel":           {of(ami.SentYes, refusal("No such channel")), CodeRefused, 1, "No such channel", "amictl state channels"},
		"a parameter":         {of(ami.SentYes, refusal("'Queue' not specified.")), CodeRefused, 1, "", "it needs Queue, Interface"},
		"relay, permission":   {of(ami.SentNo, relay("Permission denied for this user")), CodePermission, 4, "Permission denied", "docs/serve.md"},
		"relay, not sent":     {of(ami.SentNo, relay("pbx1 is away")), CodeUnsent, 3, "pbx1: QueueAdd: pbx1 is away", "nothing was sent"},
		"relay, perhaps sent": {of(ami.SentMaybe, relay("pbx1 was lost")), CodeLost, 7, "pbx1 was lost", "it may have run"},
		"relay, sent":         {of(ami.SentYes, relay("pbx1 was lost")), CodeLost, 7, "pbx1 was lost", "it may have run"},
		"busy":                {of(ami.SentYes, call(ami.OutcomeBusy)), CodeCall, 1, "pbx1: the call failed: " + ami.OutcomeBusy.String(), "the far end is in another call"},
		"nobody":              {of(ami.SentYes, call(ami.OutcomeNoAnswer)), CodeCall, 1, "pbx1: the call failed: " + ami.OutcomeNoAnswer.String(), "--ring allows more time"},
		"congestion":          {of(ami.SentYes, call(ami.OutcomeCongestion)), CodeCall, 1, "pbx1: the call failed: " + ami.OutcomeCongestion.String(), "a trunk or the far end"},
	})
	if f := Classify(of(ami.SentYes, call(ami.OutcomeFailed))); f.Message != "pbx1: the call failed" || !strings.Contains(f.Hint, "Asterisk gives no reason") {
		t.Errorf("%+v", f)
	}
}

// What is no error of the engine's.
func TestClassifyOthers(t *testing.T) {
	checkVerdicts(t, map[string]verdict{
		"usage":           {Usage("do this", "%d of %s", 3, "a"), CodeUsage, 2, "3 of a", "do this"},
		"wrapped":         {fmt.Errorf("x: %w", Config("do this", "wrong")), CodeConfig, 2, "wrong", "do this"},
		"input":           {Input("", "wrong"), CodeInput, 2, "wrong", HintOf[CodeInput]},
		"a cause":         {Usage("do this", "--from: %v", on(ami.OpDial, io.EOF)), CodeUsage, 2, "--from: dial on pbx1: it ended", "do this"},
		"another status":  {&Error{Code: CodeTimeout, Exit: 42}, CodeTimeout, 42, "", "it may have run"},
		"the deadline":    {context.DeadlineExceeded, CodeTimeout, 5, "the --deadline has passed", "it covers the whole run"},
		"stopped":         {context.Canceled, codeSignal, 7, "stopped", ""},
		"nobody reads":    {&fs.PathError{Op: "write", Path: "|1", Err: syscall.EPIPE}, codeSignal, 7, "", ""},
		"no file":         {&fs.PathError{Op: "open", Path: "/x", Err: fs.ErrNotExist}, CodeConfig, 2, "open /x: file does not exist", "check the path and its permissions"},
		"a full disk":     {&fs.PathError{Op: "write", Path: "/x", Err: syscall.ENOSPC}, CodeLost, 7, "/x cannot be written: no space left", "the output is incomplete"},
		"standard output": {&fs.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}, CodeLost, 7, "standard output cannot be written: no space left", "the output is incomplete"},
		"a sync":          {&fs.PathError{Op: "sync", Path: "/x", Err: syscall.EIO}, CodeLost, 7, "/x cannot be written", "the output is incomplete"},
		"a condition":     {&ami.WhereError{}, CodeUsage, 2, "", "a condition is FIELD OP VALUE"},
		"a bug":           {errors.New("x"), codeBug, 70, "x", "please report it"},
	})
	if diff := cmp.Diff(Failure{}, Classify(nil)); diff != "" {
		t.Errorf("no error: %s", diff)
	}
	for err, want := range map[error]Failure{
		Silent(6):            {Code: codeMixed, Exit: 6, Message: "failed", Silent: true},
		Foreign(2):           {Code: codeMixed, Exit: 2, Message: "failed", Silent: true, Foreign: true},
		error(syscall.EPIPE): {Code: codeSignal, Exit: 7, Message: "broken pipe", Silent: true},
	} {
		if diff := cmp.Diff(want, Classify(err)); diff != "" {
			t.Error(diff)
		}
	}
}

// Every code has a status, so that none ends a run as if all were well.
func TestEveryCodeHasAStatus(t *testing.T) {
	for code, exit := range ExitOf {
		if f := Classify(&Error{Code: code}); f.Exit != exit || exit == ExitOK {
			t.Errorf("%s: status %d, want %d", code, f.Exit, exit)
		}
	}
}

// A refusal that came when something had been sent must not say that it is safe to try again.
func TestTooLate(t *testing.T) {
	f := TooLate(Classify(Config("look there", "the secret is gone")))
	if f.Code != CodeLost || f.Exit != ExitLost || f.Message != "the secret is gone" || !strings.HasPrefix(f.Hint, "something was sent before this") || !strings.HasSuffix(f.Hint, "; look there") {
		t.Errorf("%+v", f)
	}
	for _, err := range []error{Usage("x", "wrong"), Input("x", "wrong"), &Error{Code: CodeUsage, Message: "wrong", silent: true}} {
		f := TooLate(Classify(err))
		if f.Code != codeBug || f.Exit != ExitBug || f.Silent || !strings.HasSuffix(f.Message, ": wrong") || !strings.Contains(f.Hint, "please report this") {
			t.Errorf("%+v", f)
		}
	}
}

func TestCauses(t *testing.T) {
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	for _, tt := range []struct {
		err        error
		cause, net string
	}{
		{io.EOF, "it ended", "it ended"},
		{errors.New("the file says EOF"), "the file says EOF", "the file says EOF"},
		{fmt.Errorf("x: %w", io.EOF), "x: it ended", "x: it ended"},
		{fmt.Errorf("%w: y", io.EOF), "EOF: y", "EOF: y"},
		{dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), "dial tcp: connect: connection refused", "connection refused"},
		{dial(errors.New("i/o timeout")), "dial tcp: timed out", "timed out"},
		{fmt.Errorf("ami: x: %w", context.DeadlineExceeded), "x: timed out", "x: timed out"},
	} {
		if cause, short := Cause(tt.err), NetCause(tt.err); cause != tt.cause || short != tt.net {
			t.Errorf("%v: %q, %q; want %q, %q", tt.err, cause, short, tt.cause, tt.net)
		}
	}
}
