package web

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/serve/stream"
	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// events answers with the events that come, until the client has enough: Server-Sent Events, or JSON lines.
func (d *door) events(q *request) error {
	values, refused := q.query("node", "event", "where")
	if refused != nil {
		return refused
	}
	f := feed{nodes: values["node"], names: values["event"], head: q.Method == http.MethodHead}
	if f.where, refused = parseWhere(values["where"]); refused != nil {
		return refused
	}
	if !q.seat.who.SeesEvents() {
		return lacking("events", "events")
	}
	leave, full := d.streams.enter(d.limits.streams, "user "+q.seat.who.Name(), d.limits.perUser)
	if full != nil {
		return full
	}
	defer leave()
	cursor, refused := d.cursor(q.Header.Get("Last-Event-ID"))
	if refused != nil {
		return refused
	}
	defer cursor.Close()
	ctx, cancel := context.WithCancel(q.Context())
	defer cancel()
	defer context.AfterFunc(d.stopping, cancel)()
	kind := q.prefers(sseType, linesType, jsonType)
	if kind == jsonType { // what has no end cannot be an array
		kind = linesType
	}
	f.sink, f.sse, f.epoch = q.sink(kind), kind == sseType, d.up.Window.Epoch()
	q.w.Header().Set("X-Accel-Buffering", "no") // a proxy must not wait for more
	return f.run(ctx, cursor, &q.seat, d.limits.heartbeat)
}

// cursor returns a place in the window: what comes next, or what came behind the event of an ID.
func (d *door) cursor(last string) (*stream.Cursor, *failure) {
	if last == "" {
		return d.up.Window.Latest(), nil
	}
	epoch, id, err := parseID(last)
	if err != nil {
		return nil, badRequest("leave it out, or give back the id of an event", "Last-Event-ID %.50q is not one of our ids", last)
	}
	return d.up.Window.Behind(epoch, id), nil
}

// parseID reads EPOCH-N.
func parseID(text string) (epoch string, id uint64, err error) {
	epoch, number, _ := strings.Cut(text, "-")
	id, err = strconv.ParseUint(number, 10, 64)
	if err == nil && (epoch == "" || strings.ContainsFunc(epoch, func(r rune) bool { return r < '0' || r > 'z' })) {
		err = strconv.ErrSyntax
	}
	return epoch, id, err
}

// A feed is a client's stream of events.
type feed struct {
	sink         *sink
	sse          bool
	head         bool // it asks for the headers alone
	epoch        string
	nodes, names []string // globs; none: all
	where        *ami.Where

	user     *users.User      // whose verdicts those are
	verdicts map[subject]bool // bounded
	buf      []byte
	sent     time.Time // when something last was
}

// A subject is what rights and globs decide by.
type subject struct{ node, event string }

const (
	mostVerdicts = 1024
	batchEntries = 256
	// reconnect is how long a client waits before it comes again.
	reconnect = 2 * time.Second
)

// run sends what comes until the client goes, its right does, or ctx is done.
func (f *feed) run(ctx context.Context, cursor *stream.Cursor, s *seat, heartbeat time.Duration) error {
	if f.sse {
		f.buf = append(strconv.AppendInt(append(f.buf, "retry: "...), reconnect.Milliseconds(), 10), '\n')
		f.place(cursor.Place() - 1)
	}
	if err := f.flush(); err != nil || f.head { // the headers, so that the client knows that it is in
		return err
	}
	entries := make([]*stream.Entry, batchEntries)
	for {
		n, lost, err := cursor.Next(ctx, entries, heartbeat)
		user := s.user()
		if err != nil || user == nil {
			return nil //nolint:nilerr // the stream is over, which is not the client's fault
		}
		if user != f.user {
			f.user, f.verdicts = user, make(map[subject]bool)
		}
		if lost > 0 {
			f.gap(lost, entries[0].ID)
		}
		for _, e := range entries[:n] {
			if f.wants(e) {
				f.entry(e.ID, e.JSON())
			}
			if len(f.buf) >= pieceBytes {
				if err := f.flush(); err != nil {
					return err
				}
			}
		}
		clear(entries[:n]) // the window alone decides how long they are kept
		if f.sse && len(f.buf) == 0 && time.Since(f.sent) >= heartbeat {
			f.place(cursor.Place() - 1)
		}
		if len(f.buf) > 0 {
			if err := f.flush(); err != nil {
				return err
			}
		}
	}
}

// wants reports whether the client asks for an entry and its user may see it. A gap of a node tells that events may be missing,
// and comes whatever is asked for of events.
func (f *feed) wants(e *stream.Entry) bool {
	ev := &e.Event
	of := subject{node: ev.Node}
	if ev.Gap == nil {
		of.event = ev.Name()
	}
	verdict, known := f.verdicts[of]
	if !known {
		verdict = f.user.SeesNode(of.node) && named(f.nodes, of.node) && (ev.Gap != nil || f.user.SeesEvent(of.event) && named(f.names, of.event))
		if len(f.verdicts) >= mostVerdicts {
			clear(f.verdicts)
		}
		f.verdicts[subject{strings.Clone(of.node), strings.Clone(of.event)}] = verdict // else it would keep the whole event
	}
	return verdict && (ev.Gap != nil || f.where == nil || f.where.Match(ev.Node, &ev.Message))
}

// gap tells of entries that the window no longer has.
func (f *feed) gap(lost, before uint64) {
	f.entry(before-1, output.AppendEvent(nil, &ami.Event{Received: time.Now(), Gap: &ami.Gap{Reason: ami.GapOverflow, Dropped: lost}}))
}

// entry appends an object.
func (f *feed) entry(id uint64, object []byte) {
	if f.sse {
		f.id(id)
		f.buf = append(f.buf, "data: "...)
	}
	f.buf = append(append(f.buf, object...), '\n')
	if f.sse {
		f.buf = append(f.buf, '\n')
	}
}

// place tells the client where it is, without an event: it keeps the connection alive, and the client resumes from there.
func (f *feed) place(id uint64) {
	f.id(id)
	f.buf = append(f.buf, '\n')
}

func (f *feed) id(id uint64) {
	f.buf = append(append(append(f.buf, "id: "...), f.epoch...), '-')
	f.buf = append(strconv.AppendUint(f.buf, id, 10), '\n')
}

func (f *feed) flush() error {
	f.sent = time.Now()
	err := f.sink.write(f.buf)
	if f.buf = f.buf[:0]; cap(f.buf) > 4*pieceBytes {
		f.buf = nil
	}
	return err
}
