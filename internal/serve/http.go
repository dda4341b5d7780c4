package serve

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// HTTP is a door for what speaks HTTP. Clients that are slow to ask are bounded here, those that are slow to read by the
// handler, which alone knows a stream from an answer.
type HTTP struct {
	Handler http.Handler
	Log     *slog.Logger
}

const (
	headerTime  = 5 * time.Second // to send a request's headers
	idleTime    = 2 * time.Minute
	headerBytes = 16 << 10
)

// Serve implements Door. Streams have to end when the handler's own context does.
func (h *HTTP) Serve(ctx, grace context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: h.Handler, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: headerBytes,
		ConnState: newCrowd(mostConnections, mostFromAddress).watch,
		ErrorLog:  slog.NewLogLogger(h.Log.Handler(), slog.LevelDebug), // broken handshakes and the like, which anybody can cause
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	if err := server.Shutdown(grace); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return server.Close()
}
