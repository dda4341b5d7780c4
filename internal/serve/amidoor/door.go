package amidoor

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/apntalk/amictl/internal/serve/upstream"
)

// Defaults of Options.
const (
	DefaultWriteTimeout  = 100 * time.Millisecond // manager.conf's own
	DefaultAuthTimeout   = 30 * time.Second       // manager.conf's own
	DefaultActionTimeout = 2 * time.Minute
	DefaultClients       = 10_000
	DefaultStrangers     = 1_000
)

// Options say what a door is.
type Options struct {
	Node string // whose server the clients speak to

	WriteTimeout  time.Duration // a client that takes no byte for so long is cut off; 0: DefaultWriteTimeout
	AuthTimeout   time.Duration // from the connection to the login; 0: DefaultAuthTimeout
	ActionTimeout time.Duration // for an action's answer; 0: DefaultActionTimeout
	Clients       int           // connections at once; 0: DefaultClients
	Strangers     int           // of them, those that are not logged in; 0: DefaultStrangers
	PerUser       int           // of them, those of one user; 0: half of Clients
	PerAddress    int           // of them, logged-in ones of one address that is not this host's; 0: half of Clients
}

// A Door is an AMI server for one node's clients.
type Door struct {
	up   *upstream.Upstream
	o    Options
	boot boot

	mu        sync.Mutex // guards what follows
	clients   map[*client]struct{}
	strangers map[netip.Prefix][]*client // by address, the oldest first
	strange   int                        // how many those are
	users     map[string]int             // clients that are logged in, by user
	networks  map[netip.Prefix]int       // and by address
	admitted  uint64                     // clients ever
}

// New returns a door.
func New(up *upstream.Upstream, o Options) *Door {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&o.WriteTimeout, DefaultWriteTimeout}, {&o.AuthTimeout, DefaultAuthTimeout}, {&o.ActionTimeout, DefaultActionTimeout}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	for _, n := range []struct {
		field *int
		value int
	}{{&o.Clients, DefaultClients}, {&o.Strangers, DefaultStrangers}} {
		if *n.field == 0 {
			*n.field = n.value
		}
	}
	for _, share := range []*int{&o.PerUser, &o.PerAddress} {
		if *share == 0 {
			*share = max(1, o.Clients/2)
		}
	}
	return &Door{
		up: up, o: o, clients: make(map[*client]struct{}), strangers: make(map[netip.Prefix][]*client),
		users: make(map[string]int), networks: make(map[netip.Prefix]int),
	}
}

// Serve takes clients until ctx is done. Then it takes no new ones, lets each have the answer to the action that is under way,
// and returns; when grace is done it returns at once. An error is one of the listener.
func (d *Door) Serve(ctx, grace context.Context, l net.Listener) error {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx)) // actions outlive ctx, but not grace
	defer cancel()
	defer context.AfterFunc(grace, cancel)()
	open, stop := context.WithCancel(ctx)
	defer stop()
	var helpers, sessions sync.WaitGroup
	helpers.Go(func() { d.boot.follow(open, d.up.Window, d.o.Node) })
	helpers.Go(func() { d.followUsers(open) })
	defer context.AfterFunc(open, func() { _ = l.Close() })()
	err := d.accept(open, l, func(c *client) { sessions.Go(func() { c.run(open, work) }) })
	if ctx.Err() != nil {
		err = nil
	} else {
		cancel() // the listener failed
	}
	stop()
	d.each((*client).wake)
	ended := make(chan struct{})
	go func() { sessions.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-work.Done(): // actions end by that, and their clients are told
		select {
		case <-ended:
		case <-time.After(2 * d.o.WriteTimeout):
		}
		d.each((*client).close)
		<-ended
	}
	helpers.Wait()
	return err
}

// accept takes connections until the listener fails for good.
func (d *Door) accept(ctx context.Context, l net.Listener, serve func(*client)) error {
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			if c := d.admit(conn); c != nil {
				serve(c)
			}
		case ctx.Err() == nil && passing(err):
			d.up.Log.Warn("no client can be accepted for now", slog.String("door", doorName), slog.Any("error", err))
			select {
			case <-time.After(acceptPause):
			case <-ctx.Done():
			}
		default:
			return err
		}
	}
}

// acceptPause is the time before the next try when there are no descriptors left.
const acceptPause = 50 * time.Millisecond

// passing reports whether a listener may accept again after an error.
func passing(err error) bool {
	for _, lack := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS, syscall.ECONNABORTED} {
		if errors.Is(err, lack) {
			return true
		}
	}
	return false
}

// admit makes a client of a connection, unless there are too many: then it is closed before the banner, as Asterisk does. When
// too many are not logged in, the oldest of the address that has most of them goes, so that nobody keeps others out.
func (d *Door) admit(conn net.Conn) *client {
	c := newClient(d, conn)
	d.mu.Lock()
	if len(d.clients) >= d.o.Clients {
		d.mu.Unlock()
		_ = conn.Close()
		return nil
	}
	d.admitted++
	c.number = d.admitted
	d.clients[c] = struct{}{}
	d.strangers[c.from] = append(d.strangers[c.from], c)
	d.strange++
	var oldest *client
	if d.strange > d.o.Strangers {
		most := 0
		for _, list := range d.strangers {
			if len(list) > most || len(list) == most && list[0].number < oldest.number {
				most, oldest = len(list), list[0]
			}
		}
		d.known(oldest)
	}
	d.mu.Unlock()
	d.up.AMI.Clients.Add(1)
	if oldest != nil {
		oldest.close()
	}
	return c
}

// known takes a client out of the strangers. Called under mu.
func (d *Door) known(c *client) {
	list := d.strangers[c.from]
	for i := range list {
		if list[i] == c {
			list = append(list[:i:i], list[i+1:]...)
			d.strange--
			break
		}
	}
	if d.strangers[c.from] = list; len(list) == 0 {
		delete(d.strangers, c.from)
	}
}

// seat notes that a client is no stranger any more, but a user's. It reports whether the user and the address may have one more.
func (d *Door) seat(c *client, user string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.users[user] >= d.o.PerUser || d.networks[c.from] >= d.o.PerAddress && c.from.IsValid() && !c.addr.IsLoopback() {
		return false
	}
	d.known(c)
	d.users[user]++
	d.networks[c.from]++
	c.seat = user
	return true
}

// leave takes a client out of its user's and its address's. Called under mu.
func (d *Door) leave(c *client) {
	if c.seat == "" {
		return
	}
	if d.users[c.seat]--; d.users[c.seat] == 0 {
		delete(d.users, c.seat)
	}
	if d.networks[c.from]--; d.networks[c.from] == 0 {
		delete(d.networks, c.from)
	}
}

// gone forgets a client.
func (d *Door) gone(c *client) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known(c)
	d.leave(c)
	delete(d.clients, c)
	d.up.AMI.Clients.Add(-1)
}

// each calls f for every client of the moment.
func (d *Door) each(f func(*client)) {
	d.mu.Lock()
	all := make([]*client, 0, len(d.clients))
	for c := range d.clients {
		all = append(all, c)
	}
	d.mu.Unlock()
	for _, c := range all {
		f(c)
	}
}

// followUsers gives clients the rights that they have when the users are replaced, and ends the sessions of those who are
// users no more.
func (d *Door) followUsers(ctx context.Context) {
	for {
		changed := d.up.Users.Changed()
		d.each((*client).recheck)
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}
