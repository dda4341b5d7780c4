package ami

// A receiver is where a call's end goes: to a waiting Do, to a Batch, or nowhere.
type receiver struct {
	waiter *waiter
	batch  *Batch
	tag    uint64
}

// deliver hands a call's end over; it never blocks.
func (r receiver) deliver(reply *Reply, err error, node string) {
	switch {
	case r.waiter != nil:
		r.waiter.reply, r.waiter.err = reply, err
		r.waiter.ch <- struct{}{} // one call, one end: there is room
	case r.batch != nil:
		r.batch.put(Result{Tag: r.tag, Node: node, Reply: reply, Err: err})
	}
}

// A waiter is one Do waiting for its end.
type waiter struct {
	ch    chan struct{} // room for one
	reply *Reply
	err   error
}
