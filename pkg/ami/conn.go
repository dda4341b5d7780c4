package ami

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A Conn is one logged-in session. It is born by a dial and dies once: by Close, Drain, or the loss of its connection,
// and all that it owes dies with it. A Node makes a new one each time.
//
// All methods are safe for concurrent use.
type Conn struct {
	// Who may touch what, and when. While it dials and logs in, a session belongs to that goroutine alone. Afterwards it
	// has two of its own: the reader, which decodes, completes calls and hands over events and answers, and the writer,
	// which takes what is in the buffer and writes it. What is marked as the reader's or the writer's own, nobody else
	// touches. Both meet callers and the timer under mu, which guards the rest and under which nobody waits or calls back.
	// How a call ends is not decided by mu but by its word (pending.go): whoever swaps it away from live or heard owns the
	// end, books it, and delivers it once, without mu. An answer is the reader's swap, to ending, without a lock; a
	// timeout, a cancel or a lost session swaps under mu, to ending if the writer had not taken the bytes, else to zombie,
	// and a zombie is the reader's again. A call's fields are written under mu before its word says live, and read by
	// whoever owns its end. Its slot returns to the table under mu, when its word is free and of no use to anybody.
	// Anyone may kill the session; then the writer ends, and the reader settles what is owed.
	cfg     *Config
	session uint64
	stats   *counters
	feed    *feed
	epoch   time.Time // deadlines are nanoseconds since

	raw    net.Conn // the socket itself: closing it wakes whoever reads or writes
	nc     net.Conn // raw, or TLS on it
	dec    *wire.Decoder
	banner string

	// The reader's own.
	msg          wire.Message // the packet being handled, borrowed
	seq          uint64
	at           time.Time // when it was read
	unauthorized int
	freed        []uint32 // slots to release at the end of this read
	answers      []answer // completed, not yet handed over
	inTurn       bool     // one of them is to be handed over before what comes behind it
	packed       []byte   // their replies, of those for a batch
	packedFit    bufferFit
	freedLive    int    // how many of them were live, not zombies
	freedOwn     int    // and of those the engine's own
	answered     uint64 // start of the last action that was answered, in the outgoing stream
	reapAt       int64  // when to look for dead zombies again
	running      *call  // whose list is running, for items without an ActionID; nil: none
	runningRef   callRef
	skipFrom     uint64              // what the decoder had thrown away when it last began to
	onEvent      func(*wire.Message) // the node's, for events that concern it; nil: none

	done chan struct{} // closed when nothing of the session is left

	waiters    sync.Pool    // of *waiter; the session's own, not the process's
	lastHeard  atomic.Int64 // nanoseconds since epoch
	writerDone chan struct{}
	wake       chan struct{} // the writer's, room for one
	acks       chan struct{} // TLS: an action was answered, room for one
	unsure     atomic.Int32  // at most so many calls' answers may name no action
	acked      atomic.Uint64 // TLS: stream offset behind the last action that was answered
	pacing     uint64        // the writer's own: stream offset of the batch it is at

	mu        sync.Mutex // guards all below; never held across I/O, a channel operation or a callback
	state     connState
	err       error // why it died
	calls     callTable
	out       outbuf
	taken     uint64 // stream offset behind what the writer has taken
	writing   int    // bytes the writer is at
	written   uint64 // stream offset behind what the network has taken
	idle      bool   // the writer waits for wake
	peakOut   int
	listHeld  int // bytes of lists being collected
	listItems int // their items
	room      roomQueue
	timer     *time.Timer
	timerAt   int64 // 0: not armed
	ping      keepalive
	fenceRef  callRef       // the last fence
	empty     chan struct{} // Drain's: closed when no call is live but the engine's own
}

type connState uint8

const (
	connOpen connState = iota
	connDraining
	connDead
)

// nodeNumbers gives every node of the process a short number of its own for its ActionIDs.
var nodeNumbers atomic.Uint32

// Dial opens one session, without supervision: it connects, logs in, adds the filters, runs OnReady and returns.
// It fails with an *OpError whose Op is OpDial, OpTLS, OpBanner, OpLogin or OpSetup.
func Dial(ctx context.Context, cfg Config) (*Conn, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	f := &feed{node: cfg.Name}
	c, err := open(ctx, opening{cfg: &cfg, number: nodeNumbers.Add(1), session: 1, stats: &counters{}, feed: f})
	if err != nil {
		return nil, err
	}
	go c.read()
	ready := false
	defer func() {
		if !ready { // OnReady may have panicked
			_ = c.Close()
		}
	}()
	if err := c.setup(ctx); err != nil {
		return nil, err
	}
	ready = true
	return c, nil
}

// An opening is what a new session is made from.
type opening struct {
	cfg       *Config
	number    uint32
	session   uint64
	stats     *counters
	feed      *feed
	lastGood  string              // address to try when the name does not resolve; "" for none
	connected func()              // called between dial and login; nil: not
	onEvent   func(*wire.Message) // see Conn
	seat      *seat               // of the node in its cluster's index; nil: none
}

// open dials and logs in, and starts the writer. The caller runs read next, whatever happens.
func open(ctx context.Context, o opening) (*Conn, error) {
	raw, nc, err := o.dial(ctx)
	if err != nil {
		return nil, err
	}
	if o.connected != nil {
		o.connected()
	}
	opened := false
	defer func() {
		if !opened { // the secret's provider may have panicked
			_ = raw.Close()
		}
	}()
	c := &Conn{
		cfg: o.cfg, session: o.session, stats: o.stats, feed: o.feed, onEvent: o.onEvent, epoch: time.Now(), raw: raw, nc: nc,
		dec: wire.NewSessionDecoder(o.cfg.Limits.Wire), calls: newCallTable(o.number), idle: true,
		done: make(chan struct{}), writerDone: make(chan struct{}), wake: make(chan struct{}, 1), acks: make(chan struct{}, 1),
	}
	if err := c.login(ctx); err != nil {
		return nil, err
	}
	opened = true
	c.calls.seat = o.seat
	c.dec.Own(c.calls.prefix)
	c.lastHeard.Store(c.now())
	go c.write()
	c.mu.Lock()
	c.armKeepalive()
	c.mu.Unlock()
	return c, nil
}

// dial opens the transport within the dial timeout; with a name that does not resolve, to the last good address.
func (o *opening) dial(ctx context.Context) (raw, nc net.Conn, err error) {
	for _, addr := range []string{o.cfg.Addr, o.lastGood} {
		dialCtx, cancel := context.WithTimeout(ctx, o.cfg.Timeouts.Dial)
		raw, nc, err = dialTransport(dialCtx, o.cfg, addr)
		cancel()
		if o.lastGood == "" || !errors.As(err, new(*net.DNSError)) {
			break
		}
	}
	return raw, nc, err
}

func (c *Conn) now() int64 { return int64(time.Since(c.epoch)) }

// setup applies what every new session needs before it counts as ready. The reader must be running.
func (c *Conn) setup(ctx context.Context) error {
	for _, filter := range c.cfg.Filters {
		a := Action{Name: "Filter", Fields: append([]Field{{Name: "Operation", Value: "Add"}}, filter...)}
		if _, err := c.do(ctx, &a, true); err != nil {
			return &OpError{Op: OpSetup, Node: c.cfg.Name, Err: fmt.Errorf("filter: %w", err)}
		}
	}
	if c.cfg.OnReady != nil {
		if err := c.cfg.OnReady(ctx, c); err != nil {
			return &OpError{Op: OpSetup, Node: c.cfg.Name, Err: err}
		}
	}
	return nil
}

// Name returns the configured name of the server.
func (c *Conn) Name() string { return c.cfg.Name }

// Banner returns the server's greeting, such as "Asterisk Call Manager/11.0.0".
func (c *Conn) Banner() string { return c.banner }

// Session returns which session of its node this is: 1 for the first.
func (c *Conn) Session() uint64 { return c.session }

// Done is closed when the session is over and everything it owed has been settled.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err returns why the session died, or nil while it lives.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Subscribe starts a stream of this session's events from now on, which ends with the session. A subscription that must
// see the first events is made on a Node before it connects.
func (c *Conn) Subscribe(o SubscribeOptions) (*Subscription, error) {
	s, err := newSubscription(o)
	if err != nil {
		return nil, err
	}
	s.over = c.done
	s.attach(c.feed)
	if err := c.Err(); err != nil { // dead already: the feed may be the next session's
		s.Close()
		return nil, fmt.Errorf("ami: subscribe: %w: %w", ErrDisconnected, err)
	}
	return s, nil
}

// kill ends the session: the first cause stays, the socket is closed, and whoever waits for the session's room or
// its network wakes up. The reader then settles everything. It may be called from anywhere, any number of times.
func (c *Conn) kill(cause error) {
	c.mu.Lock()
	if c.state == connDead {
		c.mu.Unlock()
		return
	}
	if c.state == connDraining && c.isEmpty() {
		cause = ErrClosed // a server that closes behind its Goodbye does what it was asked to
	}
	c.state = connDead
	c.err = cause
	if c.timer != nil {
		c.timer.Stop()
	}
	c.room.callAll()
	c.mu.Unlock()
	c.wakeWriter()
	c.ack(0)
	_ = c.raw.Close()
}

// settle fails everything that is still owed. The reader calls it last, when the writer is gone and it is final what
// left the process.
func (c *Conn) settle() {
	c.mu.Lock()
	cause := c.err
	var owed []ended
	c.calls.each(func(call *call, r callRef, state uint64) {
		if state != slotZombie && call.abandon(r.gen) {
			sent, counter := c.sent(call), &c.stats.disconnectedMaybe
			if sent == SentNo {
				counter = &c.stats.disconnectedUnsent
			}
			owed = append(owed, c.ending(call, r, sent, counter))
		}
	})
	owns := c.calls.own
	if c.calls.live, c.calls.own = 0, 0; len(owed) == owns {
		c.drained()
	}
	c.calls.seat = nil // it is the next session's
	c.mu.Unlock()
	for _, e := range owed {
		e.to.deliver(e.reply, e.error(c, fmt.Errorf("%w: %w", ErrDisconnected, cause)), c.cfg.Name)
	}
}

// Close ends the session at once. Calls in flight end as disconnected. It returns when nothing is left.
func (c *Conn) Close() error {
	c.kill(ErrClosed)
	<-c.done
	return nil
}

// Drain takes no new actions, waits within ctx for those in flight, logs off and closes. It returns nil if all of
// them ended by themselves, by an answer or their deadline.
func (c *Conn) Drain(ctx context.Context) error {
	c.mu.Lock()
	if c.state == connOpen {
		c.state = connDraining
		c.room.callAll()
	}
	if c.empty == nil {
		c.empty = make(chan struct{})
	}
	empty := c.empty
	if c.state != connDead {
		c.drained()
	}
	c.mu.Unlock()
	var err error
	select {
	case <-empty:
		logoff, cancel := context.WithTimeout(ctx, logoffTimeout)
		defer cancel()
		a := Action{Name: "Logoff"}
		_, _ = c.do(logoff, &a, true) // the server may close before its Goodbye is read
	case <-c.done:
		err = c.drainResult()
	case <-ctx.Done():
		err = ctx.Err()
	}
	_ = c.Close()
	if err != nil {
		return &OpError{Op: OpDrain, Node: c.cfg.Name, Err: err}
	}
	return nil
}

// drainResult returns nil if a session that is over left no action without its answer behind.
func (c *Conn) drainResult() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isEmpty() {
		return nil
	}
	return c.err
}

// logoffTimeout bounds the wait for Goodbye.
const logoffTimeout = time.Second

// drained tells a waiting Drain when no call is live but the engine's own. Called under mu.
func (c *Conn) drained() {
	if c.empty != nil && c.calls.live == c.calls.own && !c.isEmpty() {
		close(c.empty)
	}
}

// isEmpty reports whether a Drain has seen the last call end. Called under mu.
func (c *Conn) isEmpty() bool {
	select {
	case <-c.empty:
		return true
	default: // nil too
		return false
	}
}
