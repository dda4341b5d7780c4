package ami

import (
	"fmt"
	"time"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A Field is one header of an action; a name may repeat.
type Field = wire.Field

// An Action is a request to a server. Header order and repeats are kept. Action and ActionID headers are the
// session's own; Login, Challenge and Logoff are too, and are refused as actions.
//
// An Action may be sent any number of times; the engine does not change it, and reads it only until Do or Submit
// has returned.
type Action struct {
	Name   string
	Fields []Field

	// Timeout bounds the wait for the complete answer; 0 means the node's Timeouts.Action. A context that ends earlier
	// wins. A Ping behind the action has that time too, so a dead server is found no sooner.
	Timeout time.Duration

	// AwaitOriginate makes an Originate with "Async: true" end by its OriginateResponse event instead of by the
	// acknowledgement. The event arrives only if the event mask and the user's read classes include "call". AwaitOriginate
	// has no effect on any other action.
	AwaitOriginate bool

	// WaitReady makes the action wait, within its deadline, for a node that is not ready. Without it the action is refused
	// with ErrNotReady at once.
	WaitReady bool
}

// NewAction returns an action with headers given as name, value, name, value. It panics if a value is missing.
func NewAction(name string, headers ...string) Action {
	if len(headers)%2 != 0 {
		panic(fmt.Sprintf("ami: NewAction(%q): a header without a value", name))
	}
	a := Action{Name: name}
	for i := 0; i < len(headers); i += 2 {
		a.Fields = append(a.Fields, Field{Name: headers[i], Value: headers[i+1]})
	}
	return a
}

// Check returns the error with which the action would be refused before a byte of it is written, or nil.
func (a *Action) Check() error {
	for _, own := range []string{"Login", "Challenge", "Logoff"} {
		if wire.EqualFold(a.Name, own) {
			return fmt.Errorf("%w: %s", ErrReservedAction, own)
		}
	}
	return wire.CheckAction(a.Name, a.Fields)
}

// Get returns the value of the first header with that name, whatever its case, or "".
func (a *Action) Get(name string) string {
	for i := range a.Fields {
		if wire.EqualFold(a.Fields[i].Name, name) {
			return a.Fields[i].Value
		}
	}
	return ""
}

// isAsyncOriginate reports whether an OriginateResponse will follow (manager.c, action_originate; utils.c, ast_true).
func (a *Action) isAsyncOriginate() bool {
	if !wire.EqualFold(a.Name, "Originate") {
		return false
	}
	async := a.Get("Async")
	for _, yes := range []string{"true", "yes", "y", "t", "1", "on"} {
		if wire.EqualFold(async, yes) {
			return true
		}
	}
	return false
}
