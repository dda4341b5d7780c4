// Package web is the daemon's HTTP door: metrics, health, the state, events and actions, and a wall board.
package web

import (
	"net/http"

	"github.com/apntalk/amictl/internal/serve/upstream"
)

// RequireAll as Options.Require means all nodes.
const RequireAll = -1

// Options say what the door shows, and to whom.
type Options struct {
	Stopping        <-chan struct{} // closed when streams are to end
	Require         int             // nodes that have to be ready for /readyz; RequireAll means all
	EndpointMetrics bool            // /metrics tells of each endpoint
	TLS             bool            // clients come by TLS
}

// New returns the door's handler.
func New(up *upstream.Upstream, o Options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	return mux
}
