package fleet

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/apntalk/amictl/internal/bench"
)

// protocol is the version of the messages. Both sides must have the same one.
const protocol = 2

// A kind says what a message is.
type kind string

const (
	kindHello    kind = "hello"    // worker: I have nothing to do
	kindInvite   kind = "invite"   // coordinator: take part in my run
	kindTurnAway kind = "turnaway" // coordinator: you cannot take part, and why
	kindJoin     kind = "join"     // worker: I take part
	kindPlan     kind = "plan"     // coordinator: your part of the load
	kindRefuse   kind = "refuse"   // worker: I cannot do that, and why
	kindReady    kind = "ready"    // worker: my sessions are up
	kindPing     kind = "ping"     // coordinator: what does your clock say?
	kindPong     kind = "pong"     // worker: this
	kindStart    kind = "start"    // coordinator: when your clock says this, begin
	kindStarted  kind = "started"  // worker: I began when my clock said this
	kindBeat     kind = "beat"     // both: I am here
	kindStretch  kind = "stretch"  // worker: what I measured lately
	kindStop     kind = "stop"     // coordinator: end, and why
	kindResult   kind = "result"   // worker: what I measured
	kindBye      kind = "bye"      // coordinator: you may forget the run
)

// A message is what one side says to the other.
type message struct {
	Kind   kind            `json:"kind"`
	Worker string          `json:"worker,omitempty"` // the ID of the worker who says it
	Body   json.RawMessage `json:"body,omitempty"`
}

// read takes the body of a message.
func read[T any](m *message) (body T, err error) {
	if err = json.Unmarshal(m.Body, &body); err != nil {
		err = fmt.Errorf("bench: message %s: %w", m.Kind, err)
	}
	return body, err
}

type hello struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Version  string `json:"version"`
	Protocol int    `json:"protocol"`
}

type invite struct {
	Run  string `json:"run"`
	Name string `json:"name"` // the worker's, in this run
}

type turnAway struct {
	Why   string `json:"why"`
	Final bool   `json:"final,omitempty"` // no other run of this coordinator's will take it either
}

// plan is a worker's part of a load, with everything it needs to do it.
type plan struct {
	Config  bench.Config  `json:"config"`
	Seed    uint64        `json:"seed"`
	Segment bench.Segment `json:"segment"`
	Targets []Target      `json:"targets,omitempty"` // the segment's own
	Digest  string        `json:"digest"`            // of the load, as the worker must come to it too
}

// A Refusal is why a worker cannot do its part.
type Refusal struct {
	Code    string `json:"code,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

type ping struct {
	N int `json:"n"`
}

type pong struct {
	N  int           `json:"n"`
	At time.Duration `json:"at"` // by the worker's clock
}

type instant struct {
	At time.Duration `json:"at"` // by the worker's clock
}

type stop struct {
	Why     string `json:"why"`
	Abandon bool   `json:"abandon,omitempty"` // at once: nobody waits for what is in flight
}

type final struct {
	Result *bench.Result `json:"result"`
	Count  int           `json:"count"`            // of the stretches that were sent before it
	Silent time.Duration `json:"silent,omitempty"` // longest time in which the coordinator was not heard
}
