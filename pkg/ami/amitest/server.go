package amitest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Server is a simulated Asterisk. Its methods may be called from any goroutine.
type Server struct {
	cfg     *config
	name    string
	started atomic.Int64    // Unix nanoseconds
	ctx     context.Context // ends at Close
	stop    context.CancelFunc
	cert    *x509.Certificate
	book    book
	state   State

	list     atomic.Pointer[[]*session] // open sessions; copied on write under mu
	custom   atomic.Pointer[map[string]*action]
	booted   atomic.Bool
	faults   atomic.Pointer[faults]
	denied   atomic.Bool // no login is let in
	stopping atomic.Bool // answers "Asterisk is shutting down"

	mu        sync.Mutex // guards what follows; a leaf but for session.mu and book.mu
	listeners []net.Listener
	addr      net.Addr
	users     map[string]User
	closed    bool
	lastID    uint64
	unauthed  int
	timers    map[*time.Timer]struct{}
	down      bool // a restart: connections are refused
	injected  uint64
	wg        sync.WaitGroup

	// emitMu puts numbers and events in the same order for every session. It is
	// held while queues are appended to, never while anything waits.
	emitMu  sync.Mutex
	lastNum uint64
	scratch outbuf
	late    late

	sceneMu sync.Mutex // held while a scene changes the state and its events are emitted
}

// NewServer starts a simulated Asterisk. Without options it is an Asterisk 22 on
// a free port of 127.0.0.1 that lets user "admin" in with secret "secret". It
// panics if it cannot listen, as httptest.NewServer does. Close it when done.
func NewServer(opts ...Option) *Server {
	cfg := newConfig(opts)
	s := start(cfg, cfg.name)
	if err := s.listen(); err != nil {
		s.Close()
		panic(err)
	}
	return s
}

// start makes a server that does not listen yet.
func start(cfg *config, name string) *Server {
	s := &Server{cfg: cfg, name: name, users: cfg.users}
	s.state.version = cfg.version
	s.started.Store(time.Now().UnixNano())
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.booted.Store(!cfg.notBooted)
	if cfg.actionIDs > 0 {
		s.book.ids, s.book.idCap = make(map[string]int), cfg.actionIDs
	}
	for _, f := range cfg.setup {
		f(s)
	}
	return s
}

func (s *Server) listen() error {
	if s.cfg.noListen {
		return nil
	}
	var l net.Listener
	var err error
	if s.cfg.network != nil {
		l, err = s.cfg.network.Listen(net.JoinHostPort(s.name, "5038"))
	} else {
		l, err = listenLoopback()
	}
	if err != nil {
		return fmt.Errorf("amitest: listen: %w", err)
	}
	if s.cfg.tls != nil || s.cfg.selfSigned {
		if l, err = s.wrapTLS(l); err != nil {
			return err
		}
	}
	s.Serve(l)
	return nil
}

// wrapTLS puts TLS on a listener, with a certificate of its own if none is given.
func (s *Server) wrapTLS(l net.Listener) (net.Listener, error) {
	conf := s.cfg.tls
	if s.cfg.selfSigned {
		pair, err := selfSigned(s.name)
		if err != nil {
			_ = l.Close()
			return nil, fmt.Errorf("amitest: certificate: %w", err)
		}
		s.cert = pair.Leaf
		conf = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	return tlsListener{l, conf}, nil
}

// bootTime returns when the server started, or last restarted.
func (s *Server) bootTime() time.Time { return time.Unix(0, s.started.Load()) }

// Name returns the server's name.
func (s *Server) Name() string { return s.name }

// Addr returns the address of the first listener as host:port, "" without one.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.addr == nil {
		return ""
	}
	return s.addr.String()
}

// Certificate returns the certificate made by WithTLS(nil), else nil.
func (s *Server) Certificate() *x509.Certificate { return s.cert }

// Serve accepts connections from l too, in the background, until either is
// closed. The server owns l from here on.
func (s *Server) Serve(l net.Listener) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		_ = l.Close()
		return
	}
	s.listeners = append(s.listeners, l)
	if s.addr == nil {
		s.addr = l.Addr()
	}
	s.wg.Add(1)
	s.mu.Unlock()
	go s.accept(l)
}

func (s *Server) accept(l net.Listener) {
	defer s.wg.Done()
	for {
		conn, err := l.Accept()
		if err != nil {
			if acceptsAgain(err) && s.sleep(acceptPause) {
				continue
			}
			return
		}
		s.ServeConn(conn)
	}
}

// acceptPause is the time before the next try when there are no descriptors left.
const acceptPause = 10 * time.Millisecond

// acceptsAgain says whether a listener may accept again after an error.
func acceptsAgain(err error) bool {
	var temporary net.Error
	if errors.As(err, &temporary) && temporary.Timeout() {
		return true
	}
	for _, lack := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, lack) {
			return true
		}
	}
	return false
}

// ServeConn serves one connection in the background. The server owns it.
func (s *Server) ServeConn(conn net.Conn) {
	s.mu.Lock()
	switch {
	case s.closed || s.down:
		s.mu.Unlock()
		_ = conn.Close()
		return
	case s.unauthed >= s.cfg.settings.AuthLimit, s.pick(faultAuthLimit) != nil:
		s.mu.Unlock()
		s.book.count(func(l *Ledger) *uint64 { return &l.AuthLimited })
		_ = conn.Close() // silently, before the banner (session_do in manager.c)
		return
	}
	s.unauthed++
	s.lastID++
	sess := newSession(s, conn, s.lastID)
	s.replaceSessions(append(slices.Clone(s.snapshot()), sess))
	s.wg.Add(1)
	s.mu.Unlock()
	s.book.count(func(l *Ledger) *uint64 { return &l.Accepted })
	go func() {
		defer s.wg.Done()
		sess.run()
		s.book.session(&sess.tally)
		s.remove(sess)
	}()
}

// snapshot returns the open sessions; the slice is never changed.
func (s *Server) snapshot() []*session {
	if p := s.list.Load(); p != nil {
		return *p
	}
	return nil
}

func (s *Server) replaceSessions(list []*session) { s.list.Store(&list) }

// remove takes a session that is dead from the list, once.
func (s *Server) remove(sess *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sess.gone {
		return
	}
	sess.gone = true
	s.book.closed(sess.ledger(false))
	if !sess.isAuthed() {
		s.unauthed--
	}
	s.replaceSessions(slices.DeleteFunc(slices.Clone(s.snapshot()), func(o *session) bool { return o == sess }))
}

// spawn runs f in a goroutine that Close waits for.
func (s *Server) spawn(f func()) {
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		f()
	}()
}

// after runs f in d, unless the server is closed by then.
func (s *Server) after(d time.Duration, f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if s.timers == nil {
		s.timers = make(map[*time.Timer]struct{})
	}
	var t *time.Timer
	t = time.AfterFunc(d, func() {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return
		}
		delete(s.timers, t)
		s.wg.Add(1)
		s.mu.Unlock()
		defer s.wg.Done()
		f()
	})
	s.timers[t] = struct{}{}
}

// sleep waits for d or until the server closes; it says whether it slept in full.
func (s *Server) sleep(d time.Duration) bool {
	if d <= 0 {
		return s.ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// Close closes listeners and sessions and waits for every goroutine to end. A
// handler must not call it, for it waits for that too.
func (s *Server) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		s.wg.Wait()
		return
	}
	s.closed = true
	s.stop()
	for t := range s.timers {
		t.Stop()
	}
	s.timers = nil
	listeners := s.listeners
	s.listeners = nil
	s.mu.Unlock()
	for _, l := range listeners {
		_ = l.Close()
	}
	for _, sess := range s.snapshot() {
		sess.kill(false)
	}
	s.wg.Wait()
}

// Kick closes every session at once, with a reset where the transport can. When it
// returns they are gone.
func (s *Server) Kick() {
	for _, sess := range s.snapshot() {
		sess.drop(true)
	}
}

// SetDown makes the server drop its sessions and refuse connections, or come back.
// The sessions first have 200 ms to send what they have to; when SetDown returns they
// are gone, and nothing that is emitted from then on reaches anybody. Connections are
// accepted and closed at once: the port stays taken.
func (s *Server) SetDown(down bool) {
	s.mu.Lock()
	s.down = down
	s.mu.Unlock()
	if !down {
		return
	}
	var all sync.WaitGroup
	for _, sess := range s.snapshot() {
		all.Go(func() {
			sess.settle()
			sess.drop(false)
		})
	}
	all.Wait()
}

// SetBooted says that the server finished booting; sessions get FullyBooted.
func (s *Server) SetBooted() {
	if !s.booted.Swap(true) {
		s.EmitEvent("FullyBooted", s.bootFields()...)
	}
}

// Shutdown announces a stop as Asterisk does: the event Shutdown, and every later
// action is refused. Sessions stay until Close.
func (s *Server) Shutdown(restart bool) {
	s.EmitEvent("Shutdown", "Shutdown", "Cleanly", "Restart", boolName(restart))
	s.stopping.Store(true)
}

func boolName(b bool) string {
	if b {
		return "True"
	}
	return "False"
}
