package upstream

import (
	"context"
	"strings"
	"sync"

	"github.com/apntalk/amictl/pkg/ami"
)

// ownIDs know the ActionIDs of the action sessions, those that are over included: servers send some to everybody
// (OriginateResponse, UserEvent), and only the client whose action it was may see them. They know how servers greet, too.
type ownIDs struct {
	mu       sync.RWMutex // guards what follows
	prefixes map[string]bool
	order    []string
	banners  map[string]string // of the last session, by node
}

const mostPrefixes = 16_384 // sessions that are remembered, about 2 MiB

// greets returns a Config.OnReady that notes how a node greets.
func (o *ownIDs) greets(node string) func(context.Context, *ami.Conn) error {
	return func(_ context.Context, c *ami.Conn) error {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.banners == nil {
			o.banners = make(map[string]string)
		}
		o.banners[node] = c.Banner()
		return nil
	}
}

// learn is a Config.OnReady that asks a new action session for an ActionID before anybody else may use the session.
func (o *ownIDs) learn(ctx context.Context, c *ami.Conn) error {
	reply, err := c.Do(ctx, ami.NewAction("Ping"))
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.remember(idPrefix(reply.Get("ActionID")))
	return nil
}

// remember remembers a session's prefix, and forgets the oldest when there are too many. Called under mu.
func (o *ownIDs) remember(prefix string) {
	if o.prefixes == nil {
		o.prefixes = make(map[string]bool)
	}
	if len(o.order) == mostPrefixes {
		delete(o.prefixes, o.order[0])
		o.order = o.order[1:]
	}
	o.prefixes[prefix] = true
	o.order = append(o.order, prefix)
}

// idPrefix returns what all ActionIDs of a session begin with: all but the number behind the last hyphen.
func idPrefix(id string) string { return id[:strings.LastIndexByte(id, '-')+1] }

// Own reports whether an ActionID is one of an action of the daemon's clients.
func (u *Upstream) Own(actionID string) bool {
	prefix := idPrefix(actionID)
	if prefix == "" {
		return false
	}
	u.own.mu.RLock()
	defer u.own.mu.RUnlock()
	return u.own.prefixes[prefix]
}

// Banner returns how a node greets, such as "Asterisk Call Manager/11.0.0"; "" if it has not been there yet.
func (u *Upstream) Banner(node string) string {
	u.own.mu.RLock()
	defer u.own.mu.RUnlock()
	return u.own.banners[node]
}
