package web

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/apntalk/amictl/internal/serve/upstream"
)

// RequireAll is Options.Require for all nodes.
const RequireAll = -1

// Options say what a door is.
type Options struct {
	Stopping        <-chan struct{} // closed when streams have to end; nil: never
	Require         int             // so many nodes have to be ready for /readyz, or RequireAll
	EndpointMetrics bool            // /metrics tells of each endpoint
	TLS             bool            // what listens speaks TLS
}

// A door answers requests. Its fields are safe for concurrent use.
type door struct {
	up       *upstream.Upstream
	options  Options
	limits   limits
	mux      *http.ServeMux
	stopping context.Context
	work     sync.WaitGroup // what goes on until then, whoever asks

	requests *prometheus.CounterVec // by route and status
	room     room                   // requests in flight
	streams  room                   // those of them that have no end
	posts    room                   // those of them that send actions
	sends    room                   // answers of /metrics that are on their way
	held     allowance              // bytes of actions, by user
	figures  figures
	history  history
	boards   boards
	queues   *queueFigures
}

// New returns the handler of the door. Without users, now and at every later load, what only reads is open to this host. The
// server around it bounds how long headers may take and how long a connection may idle; the rest is bounded here. wait waits for
// what the door does by itself, which ends when Stopping is closed.
func New(up *upstream.Upstream, o Options) (h http.Handler, wait func()) {
	d := newDoor(up, o, defaultLimits)
	return d, d.work.Wait
}

func newDoor(up *upstream.Upstream, o Options, l limits) *door {
	d := &door{up: up, options: o, limits: l, mux: http.NewServeMux(), stopping: context.Background(), queues: newQueueFigures()}
	d.requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "amictl_http_requests_total", Help: "Requests that ended, by route and status.",
	}, []string{"route", "code"})
	d.figures.up = up
	if o.Stopping != nil {
		var stop context.CancelFunc
		d.stopping, stop = context.WithCancel(d.stopping)
		d.work.Go(func() { <-o.Stopping; stop() })
	}
	d.work.Go(d.remember)
	for pattern, handler := range d.patterns() {
		d.mux.Handle(pattern, handler)
	}
	return d
}

// remember counts what happens, for as long as the door is open.
func (d *door) remember() {
	ctx, cancel := context.WithCancel(d.stopping)
	defer cancel()
	d.work.Go(func() { d.history.sample(ctx, func() map[string]uint64 { return received(d.up.EventStats()) }) })
	d.history.follow(ctx, d.up.State, d.queues.add)
}

// patterns are what there is. Those under /v1/ are for users, but for the document that describes them.
func (d *door) patterns() map[string]http.Handler {
	private := func(answer func(*request) error) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.private(w, r, answer) })
	}
	return map[string]http.Handler{
		"GET /{$}":             http.HandlerFunc(d.page),
		"GET /board/{file}":    http.HandlerFunc(d.page),
		"GET /metrics":         d.metrics(),
		"GET /healthz":         http.HandlerFunc(d.healthz),
		"GET /readyz":          http.HandlerFunc(d.readyz),
		"GET /v1/openapi.json": http.HandlerFunc(openAPI),
		"GET /v1/nodes":        private(d.nodes),
		"GET /v1/state":        private(d.state),
		"GET /v1/state/{part}": private(d.state),
		"GET /v1/calls":        private(d.calls),
		"GET /v1/board":        private(d.watch),
		"GET /v1/events":       private(d.events),
		"POST /v1/actions":     private(d.actions),
	}
}

// ServeHTTP answers a request within what the door may hold at once.
func (d *door) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w := &counting{ResponseWriter: rw, status: http.StatusOK}
	secure(w.Header())
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d.limits.write)) // else that of the connection's last answer is still set
	route := "none"
	defer func() { d.requests.WithLabelValues(route, statusText(w.status)).Inc() }()
	from := clientOf(r)
	leave, full := d.room.enter(d.limits.requests, from.key(), d.limits.perAddress)
	if full != nil {
		full.write(w, r)
		return
	}
	defer leave()
	if refused := d.checkHost(r); refused != nil {
		d.refused(r, "", refused)
		refused.write(w, r)
		return
	}
	handler, pattern := d.mux.Handler(r)
	if pattern == "" {
		noRoute(handler, w, r)
		return
	}
	route = pattern
	d.mux.ServeHTTP(w, r)
}

// open reports whether nobody needs to say who he is.
func (d *door) open() bool { return d.up.Users.Needless() }

// refused writes into the log that somebody was turned away.
func (d *door) refused(r *http.Request, user string, f *failure) {
	what := r.Method + " " + r.URL.Path + ": " + f.Message
	if f.Hint != "" {
		what += " (" + f.Hint + ")"
	}
	d.up.Refuse(r.Context(), doorName, clientOf(r).String(), user, what)
}

// doorName is what logs and metrics call this door.
const doorName = "http"

// secure sets the headers that every answer has: a browser takes it for what it says it is, keeps nothing of it, and shows it
// within no other page.
func secure(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
}
