package web

import (
	"net/http"
	"strconv"
)

// healthz says that the daemon lives.
func (d *door) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", textType)
	_, _ = w.Write([]byte("ok\n"))
}

// readyz says whether enough nodes take actions and events.
func (d *door) readyz(w http.ResponseWriter, _ *http.Request) {
	r := d.up.Readiness()
	require := d.options.Require
	if require == RequireAll {
		require = r.Nodes
	}
	w.Header().Set("Content-Type", textType)
	if r.Ready < require || d.stopping.Err() != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write([]byte(strconv.Itoa(r.Ready) + " of " + strconv.Itoa(r.Nodes) + " nodes ready, " + strconv.Itoa(require) + " required\n"))
}
