package web

import (
	"bufio"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/actionline"
	"github.com/apntalk/amictl/internal/serve/upstream"
	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
	"github.com/apntalk/amictl/pkg/output"
)

// actions carries out one action, or one a line.
func (d *door) actions(q *request) error {
	values, refused := q.query("node")
	if refused != nil {
		return refused
	}
	kind, _, err := mime.ParseMediaType(q.Header.Get("Content-Type"))
	many := false
	switch {
	case kind == "application/x-ndjson" || kind == "application/ndjson" || kind == "application/jsonl":
		many = true
	case err == nil && kind != jsonType && kind != "application/x-www-form-urlencoded": // which is what curl -d says
		return newFailure(http.StatusUnsupportedMediaType, codeInput, "application/json for one action, application/x-ndjson for many", "the Content-Type "+kind+" is not known here")
	}
	if d.open() {
		return denied("actions need users")
	}
	leave, full := d.posts.enter(d.limits.requests, "user "+q.seat.who.Name(), d.limits.posts)
	if full != nil {
		return full
	}
	defer leave()
	p := &poster{request: q, node: values.Get("node")}
	if many {
		return p.many()
	}
	return p.one()
}

// A poster carries out the actions of a request.
type poster struct {
	*request
	node string // of actions that name none
}

// one carries out one action and answers with its reply.
func (p *poster) one() error {
	conn := http.NewResponseController(p.w)
	_ = conn.SetReadDeadline(time.Now().Add(p.door.limits.read)) // for all of it: an action is short
	text, err := io.ReadAll(http.MaxBytesReader(p.w, p.Body, int64(p.door.limits.body)))
	if err != nil { // the deadline stays: the server does not wait for the rest either
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return newFailure(http.StatusRequestEntityTooLarge, codeInput, "many actions are sent as application/x-ndjson, one per line", "the body is over the limit of an action")
		}
		return badAction(actionline.Form, "the body is incomplete")
	}
	_ = conn.SetReadDeadline(time.Time{})
	user := p.seat.user() // who has gone while the body came does nothing any more
	if user == nil {
		return denied("the user is gone")
	}
	giveBack, ok := p.door.held.take(p.Context(), user.Name(), len(text), p.door.limits.held)
	if !ok {
		return denied("the request was given up")
	}
	defer giveBack()
	reply, origin, f := p.do(p.Context(), user, string(text), 0)
	if f != nil {
		return f
	}
	answer := p.sink(jsonType)
	return answer.write(append(output.JSON{}.AppendReply(nil, reply, &origin), '\n'))
}

// do carries out one action. A reply that is not whole is a failure.
func (p *poster) do(ctx context.Context, user *users.User, text string, line int) (*ami.Reply, output.Origin, *failure) {
	l, err := actionline.Parse(text)
	origin := output.Origin{Action: l.Action.Name, ID: l.ID, Line: line}
	refuse := func(f *failure) (*ami.Reply, output.Origin, *failure) {
		f.Origin = origin
		return nil, origin, f
	}
	var wrong *ami.OpError
	switch {
	case errors.As(err, &wrong):
		return refuse(actionFailure(err, "", origin))
	case err != nil:
		return refuse(badAction("an action is "+actionline.Form, "%v", err))
	case l.Wait != "" && l.Wait != actionline.WaitNot:
		return refuse(badAction("follow it in /v1/events", "an Originate is not waited for here"))
	case l.Action.Timeout > longestTimeout:
		return refuse(badAction("give it less", "the timeout is over %v", longestTimeout))
	}
	node, f := p.nodeFor(user, l.Node)
	if f != nil {
		return refuse(f)
	}
	reply, err := p.door.up.Do(ctx, &upstream.Request{User: user, Door: doorName, Client: p.from.String(), Node: node, Action: l.Action})
	if err == nil && wire.EqualFold(reply.End.Get("EventList"), "Cancelled") {
		err = &ami.OpError{Op: ami.OpDo, Node: node, Action: l.Action.Name, Sent: ami.SentYes, Err: &ami.ResponseError{Action: l.Action.Name, Message: "the server cancelled the list"}}
	}
	if err != nil {
		return nil, origin, actionFailure(err, node, origin)
	}
	return reply, origin, nil
}

// longestTimeout of an action.
const longestTimeout = 10 * time.Minute

// nodeFor is the node of an action: the one that it names, or the request does, or the only one there is for the user.
func (p *poster) nodeFor(user *users.User, name string) (string, *failure) {
	if name == "" {
		name = p.node
	}
	if name != "" {
		return name, nil
	}
	nodes := p.door.up.Nodes(user)
	if len(nodes) != 1 {
		return "", badAction(`"node":"NAME" in the action, or ?node=NAME`, "the action names no node, and there are %d", len(nodes))
	}
	return nodes[0], nil
}

// many carries out one action a line, several at once, and answers with an object a line, as they end.
func (p *poster) many() error {
	conn := http.NewResponseController(p.w)
	_ = conn.EnableFullDuplex()             // answers go while lines come; HTTP/2 does so anyway
	p.w.Header().Set("Connection", "close") // what is left of a body that broke off is no further request
	ctx, cancel := context.WithCancel(p.Context())
	defer cancel()
	out := &outcomes{sink: p.sink(linesType), stop: cancel}
	if err := out.sink.write(nil); err != nil {
		return err
	}
	body := &patient{r: p.Body, conn: conn, limit: p.door.limits.read, ctx: ctx}
	lines := make(chan line)
	var reading, flying sync.WaitGroup
	reading.Go(func() { readLines(ctx, body, p.door.limits.body, lines) })
	defer reading.Wait()
	defer body.stop(cancel) // not before what is under way has ended: a read that fails ends the request
	defer flying.Wait()
	slots := make(chan struct{}, p.door.limits.flight)
	for number := 1; ; number++ {
		var l line
		select {
		case l = <-lines:
		case <-p.door.stopping.Done(): // who sends nothing is not waited for
			return nil
		case <-ctx.Done():
			return nil
		}
		text, err := l.text, l.err
		switch {
		case errors.Is(err, errLongLine):
			out.failure(number, badAction("split it", "the line is over %d bytes", p.door.limits.body))
			continue
		case err != nil: // it is over, broke off, or nothing came for too long
			return nil
		case strings.TrimSpace(text) == "":
			continue
		}
		user := p.seat.user()
		if user == nil {
			out.failure(number, denied("the user is gone"))
			return nil
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		giveBack, ok := p.door.held.take(ctx, user.Name(), len(text), p.door.limits.held)
		if !ok {
			return nil
		}
		flying.Go(func() {
			defer giveBack()
			reply, origin, f := p.do(ctx, user, text, number)
			if f != nil {
				out.failure(number, f)
			} else {
				out.reply(reply, &origin)
			}
			<-slots
		})
	}
}

// outcomes are the answers of many actions.
type outcomes struct {
	stop context.CancelFunc // nobody reads them any more

	mu   sync.Mutex // guards sink: one answer at a time
	sink *sink
}

func (o *outcomes) failure(line int, f *failure) {
	f.Origin.Line = line
	o.write(output.AppendError(nil, &f.Failure))
}

func (o *outcomes) reply(r *ami.Reply, origin *output.Origin) {
	o.write(output.JSON{}.AppendReply(nil, r, origin))
}

func (o *outcomes) write(object []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.sink.write(append(object, '\n')); err != nil {
		o.stop()
	}
}

// A patient reader waits so long for each piece of a body, and no longer.
type patient struct {
	r     io.Reader
	conn  *http.ResponseController
	limit time.Duration
	ctx   context.Context
}

func (p *patient) Read(b []byte) (int, error) {
	_ = p.conn.SetReadDeadline(time.Now().Add(p.limit))
	if p.ctx.Err() != nil { // stop may have come before the deadline was set
		return 0, p.ctx.Err()
	}
	return p.r.Read(b)
}

// done takes the deadline away: the server goes on reading, to learn whether the client is still there.
func (p *patient) done() { _ = p.conn.SetReadDeadline(time.Time{}) }

// stop ends a read that waits, and lets none begin. cancel is of its ctx.
func (p *patient) stop(cancel context.CancelFunc) {
	cancel()
	_ = p.conn.SetReadDeadline(time.Now())
}

// A line is one of a body, or why there is none.
type line struct {
	text string
	err  error
}

// readLines hands out a body's lines until one is none, or ctx is done.
func readLines(ctx context.Context, body *patient, most int, lines chan<- line) {
	r := bufio.NewReaderSize(body, 16<<10)
	for {
		text, err := readLine(r, most)
		if errors.Is(err, io.EOF) {
			body.done()
		}
		select {
		case lines <- line{text, err}:
		case <-ctx.Done():
			return
		}
		if err != nil && !errors.Is(err, errLongLine) {
			return
		}
	}
}

var errLongLine = errors.New("the line is too long")

// readLine reads a line of at most so many bytes. A longer one is read to its end, with errLongLine.
func readLine(r *bufio.Reader, most int) (string, error) {
	var line []byte
	long := false
	for {
		piece, err := r.ReadSlice('\n')
		if long = long || len(line)+len(piece) > most; !long {
			line = append(line, piece...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && (!errors.Is(err, io.EOF) || len(line) == 0 && !long):
			return "", err
		case long:
			return "", errLongLine
		}
		return string(line), nil
	}
}
