package state

import (
	"slices"
	"time"
)

// A Kind says what an object is: the value of its JSON key "type".
type Kind string

// The kinds of objects.
const (
	KindNode         Kind = "node"
	KindChannel      Kind = "channel"
	KindBridge       Kind = "bridge"
	KindCall         Kind = "live-call"
	KindRecord       Kind = "call-record"
	KindQueueCall    Kind = "queue-call"
	KindQueueFigures Kind = "queue-figures" // of Figures; nothing that a Watcher has
	KindQueue        Kind = "queue"
	KindMember       Kind = "member"
	KindCaller       Kind = "caller"
	KindEndpoint     Kind = "endpoint"
	KindDevice       Kind = "device"
	KindHint         Kind = "hint"
	KindRegistration Kind = "registration"
	KindConference   Kind = "conference"
	KindParked       Kind = "parked-call"
)

// Kinds returns all kinds that a Watcher has, in the order in which a snapshot has them.
func Kinds() []Kind {
	return []Kind{
		KindNode, KindChannel, KindBridge, KindCall, KindQueue, KindMember, KindCaller, KindEndpoint, KindDevice, KindHint,
		KindRegistration, KindConference, KindParked, KindRecord, KindQueueCall,
	}
}

// An Op says what became of an object.
type Op string

// What a Change may be.
const (
	OpAdd    Op = "add"    // it is there now
	OpChange Op = "change" // the keys in Changed have other values
	OpRemove Op = "remove" // it is gone; the Object is its last state
	OpRecord Op = "record" // a call ended; the Object is its *Record, which is not part of the state
	OpStep   Op = "step"   // a call went on in a queue; the Object is the *QueueCall, which is not part of the state
	// OpSynced: the node was listed completely; its state here is its state there. The Object is the *Node.
	OpSynced Op = "synced"
	// OpReset: the consumer was too slow and Lost changes were dropped. All that it holds is void: the current state follows
	// as OpAdd. It has no Object.
	OpReset Op = "reset"
)

// An Object is one of *Node, *Channel, *Bridge, *Call, *Record, *Queue, *QueueCall, *QueueFigures, *Member, *Caller, *Endpoint,
// *Device, *Hint, *Registration, *Conference, *Parked. It encodes as JSON with its kind as "type". Objects are shared: nobody may
// change one.
type Object interface {
	Kind() Kind
	// Key is unique among the objects of a kind on a node.
	Key() string
}

// A Change is one step of what a Watcher holds.
type Change struct {
	Op      Op
	Node    string
	Object  Object
	Changed []string  // OpChange: JSON keys
	Time    time.Time // when the server said so
	Lost    uint64    // OpReset
}

// Has reports whether the value of a JSON key has changed.
func (c *Change) Has(key string) bool { return slices.Contains(c.Changed, key) }
