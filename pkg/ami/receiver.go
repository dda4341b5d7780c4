package ami

// A receiver is where a call's end goes: to a waiting Do, to a Batch, or nowhere.
type receiver struct {
	waiter *waiter
	queue  *endQueue // a batch's
	slot   uint32    // of the batch's values
	items  bool      // the batch takes them as they arrive
}

// deliver hands a call's end over; it never blocks.
func (r receiver) deliver(reply *Reply, err error, node string) {
	switch {
	case r.waiter != nil:
		r.waiter.reply, r.waiter.err = reply, err
		r.waiter.ch <- struct{}{} // one call, one end: there is room
	case r.queue != nil:
		r.queue.put(otherEnd{slot: r.slot, node: node, reply: reply, err: err})
	}
}

// A waiter is one Do waiting for its end.
type waiter struct {
	ch    chan struct{} // room for one
	reply *Reply
	err   error
}
