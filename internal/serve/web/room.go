package web

import (
	"context"
	"sync"
	"time"
)

// limits bound what clients can take. Each of them is tried with small numbers in tests.
type limits struct {
	requests   int           // in flight
	perAddress int           // of these, from one address that is not this host's own
	streams    int           // of events
	perUser    int           // of these, of one user
	posts      int           // requests of one user that send actions
	body       int           // bytes of an action
	flight     int           // actions of one request at once
	held       int           // bytes of the actions of one user that are being carried out
	sends      int           // answers of /metrics that are on their way
	perSender  int           // of these, to one address that is not this host's own
	write      time.Duration // for a piece of an answer to leave
	read       time.Duration // for a piece of a body to come
	heartbeat  time.Duration // of a stream
}

var defaultLimits = limits{
	requests: 8192, perAddress: 1024, streams: 4096, perUser: 2048, posts: 256, body: 256 << 10, flight: 64,
	held: 16 << 20, sends: 64, perSender: 8,
	write: 30 * time.Second, read: time.Minute, heartbeat: 15 * time.Second,
}

// A room counts who is in it. The zero room is empty.
type room struct {
	mu    sync.Mutex // guards what follows
	all   int
	byKey map[string]int
}

// enter lets somebody in, unless most are in already, or mostOfKey of the same key; "" is a key that has no such limit.
func (r *room) enter(most int, key string, mostOfKey int) (leave func(), full *failure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case key != "" && r.byKey[key] >= mostOfKey:
		return nil, tooMany("too many of your requests are being answered")
	case r.all >= most:
		return nil, crowded()
	}
	if r.byKey == nil {
		r.byKey = make(map[string]int)
	}
	r.all++
	r.byKey[key]++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.all--
		if r.byKey[key]--; r.byKey[key] == 0 {
			delete(r.byKey, key)
		}
	}, nil
}

// count returns how many are in.
func (r *room) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all
}

// An allowance bounds how much each user holds. The zero allowance is all free.
type allowance struct {
	mu     sync.Mutex // guards what follows
	byUser map[string]*holding
}

type holding struct {
	bytes, waiting int
	less           chan struct{} // closed when something is given back
}

// take waits until a user may hold so many bytes more, or ctx is done. Whoever holds nothing may hold any number.
func (a *allowance) take(ctx context.Context, user string, bytes, most int) (giveBack func(), ok bool) {
	a.mu.Lock()
	if a.byUser == nil {
		a.byUser = make(map[string]*holding)
	}
	h := a.byUser[user]
	if h == nil {
		h = &holding{less: make(chan struct{})}
		a.byUser[user] = h
	}
	h.waiting++ // so that it is not forgotten meanwhile
	for h.bytes > 0 && h.bytes+bytes > most {
		less := h.less
		a.mu.Unlock()
		select {
		case <-less:
			a.mu.Lock()
			continue
		case <-ctx.Done():
		}
		a.mu.Lock()
		h.waiting--
		a.forget(user, h)
		a.mu.Unlock()
		return nil, false
	}
	h.waiting--
	h.bytes += bytes
	a.mu.Unlock()
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		h.bytes -= bytes
		close(h.less)
		h.less = make(chan struct{})
		a.forget(user, h)
	}, true
}

// forget lets go of who holds nothing. Called under mu.
func (a *allowance) forget(user string, h *holding) {
	if h.bytes == 0 && h.waiting == 0 {
		delete(a.byUser, user)
	}
}
