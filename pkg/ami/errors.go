package ami

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/apntalk/amictl/pkg/ami/catalog"
)

// Why an operation failed. They are found with errors.Is in what the engine returns, an *OpError as a rule.
var (
	ErrTimeout        = errors.New("timed out")
	ErrCancelled      = errors.New("cancelled by the caller")
	ErrDisconnected   = errors.New("the connection was lost")
	ErrClosed         = errors.New("closed")
	ErrDraining       = errors.New("draining, no new actions are taken")
	ErrBusy           = errors.New("too many actions in flight")
	ErrNotReady       = errors.New("the node is not ready")
	ErrBreakerOpen    = errors.New("the node has been away for long and is being left alone")
	ErrNoNode         = errors.New("no such node")
	ErrReservedAction = errors.New("the action is reserved to the session")
	ErrKeepalive      = errors.New("the server no longer answers")
	ErrListTooLong    = errors.New("the answer is over its limit")
	ErrUnauthorized   = errors.New("the server refused the login")
	ErrStopping       = errors.New("the server is stopping")
	ErrLoginInUse     = errors.New("the user is logged in already, and allowmultiplelogin=no in manager.conf allows no second session")
	ErrProtocol       = errors.New("the server broke the protocol")
	ErrTLS            = errors.New("the TLS handshake failed")
)

// A worded error is another package's in the engine's words: what those packages say is for who reads their code. It is both of them.
type worded struct{ words, of error }

func (e *worded) Error() string   { return e.words.Error() }
func (e *worded) Unwrap() []error { return []error{e.words, e.of} }

// How connections end, in words. A connection that took too long is not ErrTimeout, which is an action's.
var (
	errServerClosed = errors.New("the server closed it")
	errClosedHere   = errors.New("it was closed on this side")
	errTooLong      = errors.New("timed out")
	errGivenUp      = errors.New("given up")
)

// contextCause turns the error of an action's context into the engine's own, which wraps it.
func contextCause(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return &worded{ErrTimeout, err}
	}
	return &worded{ErrCancelled, err}
}

// inWords says in words what a connection calls otherwise, such as EOF. What a resolver says names the resolver, and stays.
func inWords(err error) error {
	switch {
	case errors.As(err, new(*net.DNSError)):
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &worded{errServerClosed, err}
	case errors.Is(err, net.ErrClosed):
		return &worded{errClosedHere, err}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return &worded{errTooLong, err}
	case errors.Is(err, context.Canceled):
		return &worded{errGivenUp, err}
	}
	return err
}

// A violation is a way in which the server broke the protocol.
type violation string

func (v violation) Error() string { return ErrProtocol.Error() + ": " + string(v) }
func (v violation) Unwrap() error { return ErrProtocol }

// Sent says whether an action's bytes left the process. A caller needs to know that before it tries again.
type Sent uint8

const (
	// SentNo: no byte was handed to the network and none will be. The action was not executed.
	SentNo Sent = iota
	// SentMaybe: a write that held the action was cut short, or its progress cannot be known (TLS).
	SentMaybe
	// SentYes: the whole action was handed to the network.
	SentYes
)

// String returns "no", "maybe" or "yes".
func (s Sent) String() string {
	switch s {
	case SentNo:
		return "no"
	case SentMaybe:
		return "maybe"
	}
	return "yes"
}

// An Op is the operation in which an [OpError] happened.
type Op string

// The operations, in the order of a session's life.
const (
	OpConnect Op = "connect" // waiting for a node to become ready
	OpDial    Op = "dial"    // name resolution and TCP
	OpTLS     Op = "tls"     // handshake
	OpBanner  Op = "banner"  // the server's greeting
	OpLogin   Op = "login"
	OpSetup   Op = "setup" // filters and OnReady
	OpDo      Op = "do"    // an action, however it was sent
	OpDrain   Op = "drain"
)

// An OpError is what operations on a session, node or cluster return.
type OpError struct {
	Op       Op
	Node     string
	Action   string // the action's name, if there is one
	ActionID string // "" if the action was never accepted
	Sent     Sent
	Err      error
}

func (e *OpError) Error() string {
	s := "ami: " + string(e.Op)
	if e.Action != "" {
		s += " " + e.Action
	}
	if e.Node != "" {
		s += " on " + e.Node
	}
	return fmt.Sprintf("%s: %v", s, e.Err)
}

// Unwrap returns the cause.
func (e *OpError) Unwrap() error { return e.Err }

// Timeout reports whether the operation's own time ran out: the action's, the dial's, the login's, or its context's. The
// loss of a connection because TCP timed out is not a timeout of the operation.
func (e *OpError) Timeout() bool {
	if errors.Is(e.Err, ErrTimeout) || errors.Is(e.Err, context.DeadlineExceeded) {
		return true
	}
	var network net.Error
	return !errors.Is(e.Err, ErrDisconnected) && errors.As(e.Err, &network) && network.Timeout()
}

// A ResponseError is a server's refusal: "Response: Error", or an OriginateResponse that says Failure. Do returns the
// Reply along with it.
type ResponseError struct {
	Action  string
	Message string  // the server's words
	Outcome Outcome // how the call ended, if an OriginateResponse said so
	Relay   bool    // the words are a relay's, and the server has not answered: see RelaySent
}

// RelaySent is the header by which a relay between client and server, such as amictl serve, marks an Error of its own. Its value
// says what the server has had of the action: no, maybe or yes. Do returns it as the OpError's Sent.
const RelaySent = "Relay-Sent"

// relayed returns what a value of RelaySent means. What nobody knows may have been sent.
func relayed(value string) Sent {
	switch value {
	case SentNo.String():
		return SentNo
	case SentYes.String():
		return SentYes
	}
	return SentMaybe
}

func (e *ResponseError) Error() string {
	if e.Message == "" {
		return "the server answered Error"
	}
	return e.Message
}

// Is reports whether target is [ErrStopping] and the refusal says that the server is stopping: it then runs no more actions.
func (e *ResponseError) Is(target error) bool { return target == ErrStopping && isStopping(e.Message) }

// isStopping tells the answer of a server that stops, which it gives to whatever is asked (manager.c, process_message).
func isStopping(message string) bool { return message == "Asterisk is shutting down" }

// SentState returns what err says about the action's bytes; SentNo for an error that does not come from an action.
func SentState(err error) Sent {
	var op *OpError
	if errors.As(err, &op) {
		return op.Sent
	}
	return SentNo
}

// Retryable reports whether sending the action again can do no harm: none of it left the process, or the action only reads,
// or the server is stopping and runs nothing more. Any other refusal by the server is not retryable, and neither is a
// refused login.
func Retryable(err error, action string) bool {
	var refused *ResponseError
	if errors.As(err, &refused) && !refused.Relay {
		return errors.Is(refused, ErrStopping)
	}
	if err == nil || errors.Is(err, ErrUnauthorized) || errors.Is(err, ErrClosed) || errors.Is(err, ErrCancelled) {
		return false
	}
	var op *OpError
	if !errors.As(err, &op) || op.Op == OpDo && op.ActionID == "" && !transient(err) {
		return false // refused for what it is: it would be refused again
	}
	return op.Sent == SentNo || catalog.ReadOnly(action)
}

// transient reports whether an action that was never accepted might be another time.
func transient(err error) bool {
	for _, cause := range []error{ErrBusy, ErrNotReady, ErrBreakerOpen, ErrDisconnected, ErrDraining, ErrTimeout} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return false
}
