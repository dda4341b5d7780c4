package ami

import (
	"slices"
	"strings"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A CallFollower follows calls from channel to channel. A call does not end with the channel that it began on: a Local
// channel is optimised away, a ringing call is picked up, a party transfers the call and leaves. It is a pure core, fed with
// a node's events in their order; it needs the class "call". It is not safe for concurrent use.
type CallFollower struct {
	byID    map[string]*FollowedCall // by the Uniqueid of every channel that is followed and not hung up
	merging []*FollowedCall          // whose heir is not known yet
}

// A FollowedCall is what a [CallFollower] knows of one call. The caller must not change it.
type FollowedCall struct {
	ID        string // Uniqueid of the channel that the call began on
	Channel   string // Uniqueid of the call's current channel, or of its last one
	Name      string // that channel's name; "" until an event has told it
	Answered  bool
	Ended     bool
	Cause     string // of the last channel's hangup, as in Q.931: "16"; "" before the end
	CauseText string

	linked string
	live   []string // Uniqueids of the channels that are followed and not hung up
}

// FollowedEvents returns the names of the events that a [CallFollower] needs.
func FollowedEvents() []string {
	return []string{"Newchannel", "Newstate", "BridgeEnter", "LocalOptimizationBegin", "Pickup", "BlindTransfer", "AttendedTransfer", "Hangup", "OriginateResponse"}
}

// Follow begins to follow the call on the channel with that Uniqueid, which an Originate chooses with ChannelId, or which
// its OriginateResponse names.
func (f *CallFollower) Follow(id string) *FollowedCall {
	if f.byID == nil {
		f.byID = make(map[string]*FollowedCall)
	}
	call := &FollowedCall{ID: id, Channel: id}
	f.adopt(call, id)
	return call
}

// Forget stops following a call.
func (f *CallFollower) Forget(call *FollowedCall) {
	for _, id := range call.live {
		delete(f.byID, id)
	}
	call.live = nil
	f.found(call)
}

// Event takes an event, and returns the call that it is about, which it may have changed, or nil if it is about none.
func (f *CallFollower) Event(m *wire.Message) *FollowedCall {
	if len(f.byID) == 0 || m.Kind() != wire.Event {
		return nil
	}
	switch name := m.Name(); {
	case wire.EqualFold(name, "LocalOptimizationBegin"):
		return f.optimised(m)
	case wire.EqualFold(name, "BridgeEnter"):
		return f.entered(m)
	case wire.EqualFold(name, "Pickup"):
		// The channel that picks up takes over; the one that rang is hung up as answered elsewhere (pickup.c).
		call := f.inherit(m.Get("TargetUniqueid"), m.Get("Uniqueid"), m.Get("Channel"))
		if call != nil {
			call.Answered = true
		}
		return call
	case wire.EqualFold(name, "BlindTransfer"):
		if !wire.EqualFold(m.Get("Result"), "Success") {
			return nil
		}
		return f.inherit(m.Get("TransfererUniqueid"), m.Get("TransfereeUniqueid"), m.Get("TransfereeChannel"))
	case wire.EqualFold(name, "AttendedTransfer"):
		return f.attended(m)
	case wire.EqualFold(name, "Hangup"):
		return f.hungUp(m)
	}
	return f.seen(m)
}

// seen takes a channel's state from any event about it.
func (f *CallFollower) seen(m *wire.Message) *FollowedCall {
	id := m.Get("Uniqueid")
	call := f.byID[id]
	if call == nil {
		return nil
	}
	if linked := m.Get("Linkedid"); linked != "" {
		call.linked = strings.Clone(linked)
	}
	if id == call.Channel {
		if name := m.Get("Channel"); name != "" && name != call.Name {
			call.Name = strings.Clone(name)
		}
	}
	if m.Get("ChannelState") == "6" || wire.EqualFold(m.Name(), "OriginateResponse") && wire.EqualFold(m.Get("Response"), "Success") {
		call.Answered = true // AST_STATE_UP
	}
	return call
}

// optimised tells that a Local channel is about to be optimised away. The event names the channel that takes its place
// unless two bridges are merged (core_unreal.c, bridge.c); LocalOptimizationEnd's Success says nothing.
func (f *CallFollower) optimised(m *wire.Message) *FollowedCall {
	one, two := m.Get("LocalOneUniqueid"), m.Get("LocalTwoUniqueid")
	call := f.byID[one]
	if call == nil {
		call = f.byID[two]
	}
	if call == nil {
		return nil
	}
	if source := m.Get("SourceUniqueid"); source != "" && source != one && source != two {
		return f.inherit(call.Channel, source, m.Get("SourceChannel"))
	}
	if !slices.Contains(f.merging, call) {
		f.merging = append(f.merging, call)
	}
	return call
}

// entered tells that a channel entered a bridge, perhaps in another's place.
func (f *CallFollower) entered(m *wire.Message) *FollowedCall {
	id := m.Get("Uniqueid")
	if call := f.inherit(m.Get("SwapUniqueid"), id, m.Get("Channel")); call != nil {
		return call
	}
	if f.byID[id] == nil {
		linked := m.Get("Linkedid")
		for _, call := range f.merging {
			if call.linked == linked && !strings.HasPrefix(m.Get("Channel"), strings.TrimRight(call.Name, "12")) {
				return f.inherit(call.Channel, id, m.Get("Channel"))
			}
		}
	}
	return f.seen(m)
}

// attended tells of an attended transfer: who transferred leaves, and the others go on.
func (f *CallFollower) attended(m *wire.Message) *FollowedCall {
	if !wire.EqualFold(m.Get("Result"), "Success") {
		return nil
	}
	heir, name := m.Get("TransfereeUniqueid"), m.Get("TransfereeChannel")
	if heir == "" {
		heir, name = m.Get("TransferTargetUniqueid"), m.Get("TransferTargetChannel")
	}
	call := f.inherit(m.Get("OrigTransfererUniqueid"), heir, name)
	if call == nil {
		call = f.inherit(m.Get("SecondTransfererUniqueid"), heir, name)
	}
	return call
}

// inherit lets a call go on on another channel. The old one is followed too until it is hung up, for what was announced
// may come to nothing.
func (f *CallFollower) inherit(from, to, name string) *FollowedCall {
	call := f.byID[from]
	if call == nil || to == "" {
		return nil
	}
	f.found(call)
	if f.byID[to] == nil {
		f.adopt(call, to)
	}
	if f.byID[to] == call {
		call.Channel, call.Name = strings.Clone(to), strings.Clone(name)
	}
	return call
}

func (f *CallFollower) adopt(call *FollowedCall, id string) {
	id = strings.Clone(id) // events are borrowed
	f.byID[id] = call
	call.live = append(call.live, id)
}

func (f *CallFollower) found(call *FollowedCall) {
	f.merging = slices.DeleteFunc(f.merging, func(o *FollowedCall) bool { return o == call })
}

// hungUp tells that a channel is gone. The call ends with its last.
func (f *CallFollower) hungUp(m *wire.Message) *FollowedCall {
	id := m.Get("Uniqueid")
	call := f.byID[id]
	if call == nil {
		return nil
	}
	delete(f.byID, id)
	call.live = slices.DeleteFunc(call.live, func(o string) bool { return o == id })
	if n := len(call.live); n > 0 {
		if call.Channel == id {
			call.Channel, call.Name = call.live[n-1], ""
		}
		return call
	}
	f.found(call)
	call.Ended, call.Cause, call.CauseText = true, strings.Clone(m.Get("Cause")), strings.Clone(m.Get("Cause-txt"))
	return call
}
