package state

import "encoding/json"

// typed puts an object's kind in front of its keys.
func typed[T any](kind Kind, v *T) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	head := append([]byte(`{"type":"`), kind...)
	head = append(head, '"')
	if len(b) > 2 {
		head = append(head, ',')
	}
	return append(head, b[1:]...), nil
}

// MarshalJSON encodes the object with its kind as "type".
func (n *Node) MarshalJSON() ([]byte, error) {
	type plain Node
	return typed(KindNode, (*plain)(n))
}

// MarshalJSON encodes the object with its kind as "type".
func (c *Channel) MarshalJSON() ([]byte, error) {
	type plain Channel
	return typed(KindChannel, (*plain)(c))
}

// MarshalJSON encodes the object with its kind as "type".
func (b *Bridge) MarshalJSON() ([]byte, error) {
	type plain Bridge
	return typed(KindBridge, (*plain)(b))
}

// MarshalJSON encodes the object with its kind as "type".
func (c *Call) MarshalJSON() ([]byte, error) {
	type plain Call
	return typed(KindCall, (*plain)(c))
}

// MarshalJSON encodes the object with its kind as "type".
func (r *Record) MarshalJSON() ([]byte, error) {
	type plain Record
	return typed(KindRecord, (*plain)(r))
}

// MarshalJSON encodes the object with its kind as "type".
func (q *QueueCall) MarshalJSON() ([]byte, error) {
	type plain QueueCall
	return typed(KindQueueCall, (*plain)(q))
}

// MarshalJSON encodes the object with its kind as "type".
func (q *QueueFigures) MarshalJSON() ([]byte, error) {
	type plain QueueFigures
	return typed(KindQueueFigures, (*plain)(q))
}

// MarshalJSON encodes the object with its kind as "type".
func (q *Queue) MarshalJSON() ([]byte, error) {
	type plain Queue
	return typed(KindQueue, (*plain)(q))
}

// MarshalJSON encodes the object with its kind as "type".
func (m *Member) MarshalJSON() ([]byte, error) {
	type plain Member
	return typed(KindMember, (*plain)(m))
}

// MarshalJSON encodes the object with its kind as "type".
func (c *Caller) MarshalJSON() ([]byte, error) {
	type plain Caller
	return typed(KindCaller, (*plain)(c))
}

// MarshalJSON encodes the object with its kind as "type".
func (p *Endpoint) MarshalJSON() ([]byte, error) {
	type plain Endpoint
	return typed(KindEndpoint, (*plain)(p))
}

// MarshalJSON encodes the object with its kind as "type".
func (d *Device) MarshalJSON() ([]byte, error) {
	type plain Device
	return typed(KindDevice, (*plain)(d))
}

// MarshalJSON encodes the object with its kind as "type".
func (h *Hint) MarshalJSON() ([]byte, error) {
	type plain Hint
	return typed(KindHint, (*plain)(h))
}

// MarshalJSON encodes the object with its kind as "type".
func (r *Registration) MarshalJSON() ([]byte, error) {
	type plain Registration
	return typed(KindRegistration, (*plain)(r))
}

// MarshalJSON encodes the object with its kind as "type".
func (c *Conference) MarshalJSON() ([]byte, error) {
	type plain Conference
	return typed(KindConference, (*plain)(c))
}

// MarshalJSON encodes the object with its kind as "type".
func (p *Parked) MarshalJSON() ([]byte, error) {
	type plain Parked
	return typed(KindParked, (*plain)(p))
}
