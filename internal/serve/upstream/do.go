package upstream

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// Why an action was not sent.
var (
	ErrUnknownNode = errors.New("no such node")
	ErrTooFast     = errors.New("more actions a second than the user may send")
)

// An UnfitError is an action that cannot be carried out here, because all clients share a session.
type UnfitError struct{ Why string }

func (e *UnfitError) Error() string { return e.Why }

// A Request is an action of a client's.
type Request struct {
	User   *users.User
	Door   string // the door's name, such as "http"
	Client string // its address
	Node   string
	Action ami.Action
}

// Do carries out an action, if its user has the right to it, and writes it into the audit log: one record for each action that
// was sent or refused. Beside the engine's errors there are *users.DeniedError, *UnfitError, ErrUnknownNode and ErrTooFast,
// with which nothing was sent.
func (u *Upstream) Do(ctx context.Context, q *Request) (*ami.Reply, error) {
	start := time.Now()
	reply, err := u.do(ctx, q)
	u.audit(ctx, q, err, time.Since(start))
	return reply, err
}

func (u *Upstream) do(ctx context.Context, q *Request) (*ami.Reply, error) {
	if err := q.User.Allows(q.Node, &q.Action); err != nil {
		return nil, err
	}
	if err := q.Action.Check(); err != nil {
		return nil, err
	}
	if err := unfit(&q.Action); err != nil {
		return nil, err
	}
	if !q.User.Take() {
		return nil, ErrTooFast
	}
	node, err := u.node(ctx, q.Node)
	if err != nil {
		return nil, err
	}
	if awaitsCall(&q.Action) {
		return u.originate(ctx, node, q.Action)
	}
	return node.Do(ctx, q.Action)
}

// unfit says why an action cannot be carried out, nil if it can.
func unfit(a *ami.Action) error {
	for _, own := range []string{"Events", "Filter", "WaitEvent"} {
		if wire.EqualFold(a.Name, own) {
			return &UnfitError{own + " concerns a session of one's own, and all clients share this one"}
		}
	}
	if awaitsCall(a) && a.Get("PreDialGoSub") != "" && a.Get("Application") == "" {
		return &UnfitError{"an Originate with PreDialGoSub cannot be waited for here, and Asterisk ignores it with Async: true"}
	}
	return nil
}

// Ask carries out an action of the daemon's own, for no user.
func (u *Upstream) Ask(ctx context.Context, node string, a ami.Action) (*ami.Reply, error) {
	n, ok := u.actions.Node(node)
	if !ok {
		return nil, ErrUnknownNode
	}
	return n.Do(ctx, a)
}

// Refuse logs and counts what a door refused by itself: a login, a node, an event mask.
func (u *Upstream) Refuse(ctx context.Context, door, client, user, what string) {
	u.counts.add(door, "denied")
	u.Log.LogAttrs(ctx, slog.LevelWarn, "denied", slog.String("door", door), slog.String("client", client), slog.String("user", user), slog.String("what", what))
}

// audit writes who did what, and what came of it.
func (u *Upstream) audit(ctx context.Context, q *Request, err error, took time.Duration) {
	result := result(err)
	u.counts.add(q.Door, result)
	level, message := slog.LevelInfo, "action"
	if result == "denied" || result == "too-fast" {
		level, message = slog.LevelWarn, "denied"
	}
	attrs := []slog.Attr{
		slog.String("door", q.Door), slog.String("client", q.Client), slog.String("user", q.User.Name()), slog.String("node", q.Node),
		slog.String("action", q.Action.Name), slog.String("result", result),
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", u.redact.Text(err.Error())), slog.String("sent", ami.SentState(err).String()))
	}
	var denied *users.DeniedError
	if errors.As(err, &denied) && denied.Key != "" {
		attrs = append(attrs, slog.String("hint", denied.Hint()))
	}
	attrs = append(attrs, slog.Int64("took_us", took.Microseconds()))
	for i := range q.Action.Fields {
		if i == mostFields {
			break
		}
		f := &q.Action.Fields[i]
		attrs = append(attrs, slog.String("field."+f.Name, shorten(u.redact.Field(f.Name, f.Value))))
	}
	u.Log.LogAttrs(ctx, level, message, attrs...)
}

// What of an action is logged.
const (
	mostFields  = 16
	longestText = 256
)

func shorten(text string) string {
	if len(text) > longestText {
		text = text[:longestText] + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// result is what an action came to, in a word.
func result(err error) string {
	var denied *users.DeniedError
	var refused *ami.ResponseError
	switch {
	case err == nil:
		return "success"
	case errors.As(err, &denied):
		return "denied"
	case errors.Is(err, ErrTooFast):
		return "too-fast"
	case errors.As(err, &refused):
		return "error"
	case ami.SentState(err) == ami.SentNo:
		return "unsent"
	}
	return "unknown"
}

// counts are how many actions came to what, for each door.
type counts struct {
	mu     sync.Mutex // guards counts
	counts map[Count]uint64
}

// A Count tells actions apart by door and result: success, error, denied, too-fast, unsent or unknown.
type Count struct{ Door, Result string }

func (c *counts) add(door, result string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = make(map[Count]uint64)
	}
	c.counts[Count{door, result}]++
}

// Counts returns how many actions came to what so far.
func (u *Upstream) Counts() map[Count]uint64 {
	u.counts.mu.Lock()
	defer u.counts.mu.Unlock()
	all := make(map[Count]uint64, len(u.counts.counts))
	for k, v := range u.counts.counts {
		all[k] = v
	}
	return all
}
