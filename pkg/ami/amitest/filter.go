package amitest

import (
	"strings"

	"github.com/apntalk/amictl/internal/manager"
)

// filterAction is action_filter. Filters are never removed.
func filterAction(r *Request, w *ResponseWriter) {
	if !strings.EqualFold(r.Get("Operation"), "Add") {
		w.Error("Unknown operation")
		return
	}
	f, refusal := manager.ParseFilter(r.Get("MatchCriteria"), r.Get("Filter"), w.sess.srv.cfg.version.advancedFilters())
	if refusal != "" {
		w.Error(refusal)
		return
	}
	w.sess.mu.Lock()
	w.sess.filters = append(w.sess.filters[:len(w.sess.filters):len(w.sess.filters)], f)
	w.sess.mu.Unlock()
	w.Ack("Success")
}
