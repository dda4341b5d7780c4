package web

import (
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The media types of answers.
const (
	jsonType  = "application/json"
	linesType = "application/x-ndjson"
	sseType   = "text/event-stream"
	textType  = "text/plain; charset=utf-8"
)

// A counting writer knows the status that was sent.
type counting struct {
	http.ResponseWriter
	status int
}

func (c *counting) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController find the connection.
func (c *counting) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// nowhere takes an answer that nobody gets.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n nowhere) WriteHeader(int)             {}

// statusText is a status as metrics have it.
func statusText(status int) string { return strconv.Itoa(status) }

// A request is one of a user's.
type request struct {
	*http.Request
	w    http.ResponseWriter
	door *door
	from client
	seat seat
}

// private answers a request that somebody has to have the right to.
func (d *door) private(w http.ResponseWriter, r *http.Request, answer func(*request) error) {
	q := &request{Request: r, w: w, door: d, from: clientOf(r), seat: seat{directory: d.up.Users, changed: d.up.Users.Changed()}}
	refused := d.checkOrigin(r)
	if refused != nil {
		d.refused(r, "", refused)
	} else {
		q.seat.who, refused = d.identify(r)
	}
	if refused != nil {
		refused.write(w, r)
		return
	}
	name := q.seat.who.Name() // he may be gone before there is an answer
	err := answer(q)
	if f, ok := err.(*failure); ok && f != nil { //nolint:errorlint // answers make their own
		if f.status == http.StatusForbidden {
			d.refused(r, name, f)
		}
		f.write(w, r)
	}
}

// query returns the parameters of a request, and refuses those that are not among the names: a misspelt one must not pass for
// none.
func (q *request) query(names ...string) (url.Values, *failure) {
	values, err := url.ParseQuery(q.URL.RawQuery)
	if err != nil {
		return nil, badRequest("values are percent-encoded; curl -G --data-urlencode does it", "the query is not valid: %v", err)
	}
	for name := range values {
		if !slices.Contains(names, name) {
			return nil, badRequest("it knows "+strings.Join(names, ", "), "%s has no parameter %.50q", q.URL.Path, name)
		}
	}
	return values, nil
}

// prefers returns which of some media types the client would rather have, the first if it does not say.
func (q *request) prefers(types ...string) string {
	best, most := types[0], 0.0
	for _, accepted := range strings.Split(strings.Join(q.Header.Values("Accept"), ","), ",") {
		name, parameters, err := mime.ParseMediaType(accepted)
		if err != nil {
			continue
		}
		weight := 1.0
		if text, ok := parameters["q"]; ok {
			if weight, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		switch name {
		case "application/jsonl", "application/ndjson", "application/x-ndjson":
			name = linesType
		}
		if slices.Contains(types, name) && weight > most {
			best, most = name, weight
		}
	}
	return best
}

// A sink is an answer of several pieces. Each has to leave within the door's limit.
type sink struct {
	w     http.ResponseWriter
	conn  *http.ResponseController
	limit time.Duration
}

func (q *request) sink(contentType string) *sink {
	q.w.Header().Set("Content-Type", contentType)
	return &sink{w: q.w, conn: http.NewResponseController(q.w), limit: q.door.limits.write}
}

// write sends a piece now.
func (s *sink) write(piece []byte) error {
	_ = s.conn.SetWriteDeadline(time.Now().Add(s.limit)) // a connection that has none is a test's
	if _, err := s.w.Write(piece); err != nil {
		return err
	}
	return s.conn.Flush()
}

// A list is an answer of many objects: a JSON array, or lines.
type list struct {
	sink  *sink
	lines bool
	some  bool
	buf   []byte
}

// pieceBytes is how large an answer's pieces grow before they leave.
const pieceBytes = 64 << 10

func (q *request) list() *list {
	kind := q.prefers(jsonType, linesType)
	return &list{sink: q.sink(kind), lines: kind == linesType}
}

// add appends an object.
func (l *list) add(object []byte) error {
	switch {
	case l.lines:
	case l.some:
		l.buf = append(l.buf, ",\n"...)
	default:
		l.buf = append(l.buf, '[')
	}
	l.some = true
	l.buf = append(l.buf, object...)
	if l.lines {
		l.buf = append(l.buf, '\n')
	}
	if len(l.buf) < pieceBytes {
		return nil
	}
	err := l.sink.write(l.buf)
	l.buf = l.buf[:0]
	return err
}

// end sends what is left.
func (l *list) end() error {
	if !l.lines {
		if !l.some {
			l.buf = append(l.buf, '[')
		}
		l.buf = append(l.buf, "]\n"...)
	}
	return l.sink.write(l.buf)
}
