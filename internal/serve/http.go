package serve

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// HTTP is a door for what speaks HTTP. Clients that are slow to ask are bounded here, those that are slow to read by the
// handler, which alone knows a stream from an answer.
type HTTP struct {
	Handler http.Handler
	Wait    func() // for what the handler does by itself, which ends with Serve's ctx; nil: nothing
	Log     *slog.Logger
}

const (
	headerTime  = 5 * time.Second // to send a request's headers
	idleTime    = 2 * time.Minute
	headerBytes = 16 << 10
)

// Serve implements Door. Streams have to end when the handler's own context does.
func (h *HTTP) Serve(ctx, grace context.Context, l net.Listener) error {
	requests := &gate{inner: h.Handler}
	server := &http.Server{
		Handler: requests, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: headerBytes,
		ConnState: newCrowd(mostConnections, mostFromAddress).watch,
		ErrorLog:  slog.NewLogLogger(h.Log.Handler(), slog.LevelDebug), // broken handshakes and the like, which anybody can cause
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		_ = server.Close()
		requests.end()
		return err
	case <-ctx.Done():
	}
	err := server.Shutdown(grace)
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	err = errors.Join(err, server.Close()) // which ends the requests, but does not wait for them
	if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	requests.end()
	if h.Wait != nil {
		h.Wait()
	}
	return err
}

// A gate knows the requests that are being answered: a server does not wait for those that it cuts off.
type gate struct {
	inner http.Handler

	mu      sync.Mutex // guards shut, and that nobody comes in behind it
	shut    bool
	running sync.WaitGroup
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	if g.shut {
		g.mu.Unlock()
		return
	}
	g.running.Add(1)
	g.mu.Unlock()
	defer g.running.Done()
	g.inner.ServeHTTP(w, r)
}

// end waits for all of them.
func (g *gate) end() {
	g.mu.Lock()
	g.shut = true
	g.mu.Unlock()
	g.running.Wait()
}
