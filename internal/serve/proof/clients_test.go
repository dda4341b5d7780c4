package proof

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/pkg/ami"
)

// word is the secret of the one user.
const word = "a long enough word"

// patience is more than any action takes.
const patience = 10 * time.Minute

// A client is one in a world that lives until its context ends, and ends what it has begun then.
type client struct {
	*world
	rng  *rand.Rand
	node int // whose AMI door it uses
}

// lives are the ways to be a client. All run at once.
var lives = []func(context.Context, *client){
	dialer, dialer, dialer, dialer, // one at each AMI door
	caller, caller, caller,
	follower, follower,
	scraper,
	stranger, mute, hasty, dawdler, sleeper,
}

// wants are what clients ask for: answers of one packet, lists, output, refusals and calls.
var wants = []ami.Action{
	ami.NewAction("CoreStatus"),
	ami.NewAction("CoreShowChannels"),
	ami.NewAction("QueueStatus"),
	ami.NewAction("Command", "Command", "core show uptime"),
	ami.NewAction("DBGet", "Family", "none", "Key", "none"),
	ami.NewAction("Originate", "Channel", "Local/100@default", "Context", "default", "Exten", "100", "Priority", "1", "Async", "true"),
}

// A tally is what clients were told of their actions at one door.
type tally struct{ success, refused, unsent, unknown atomic.Uint64 }

func (t *tally) all() uint64 {
	return t.success.Load() + t.refused.Load() + t.unsent.Load() + t.unknown.Load()
}

// books are the clients'.
type books struct {
	http, ami        tally
	visits, rude     atomic.Uint64
	events, resumed  atomic.Uint64
	scrapes, cutOffs atomic.Uint64
}

func (b *books) String() string {
	return fmt.Sprintf("%d visits; %d actions over HTTP, %d over AMI; %d events in streams that were resumed %d times; %d scrapes; %d rude clients, %d of them cut off",
		b.visits.Load(), b.http.all(), b.ami.all(), b.events.Load(), b.resumed.Load(), b.scrapes.Load(), b.rude.Load(), b.cutOffs.Load())
}

// agree holds the clients' books to the doors', and those to the engine's.
func (w *world) agree() {
	w.Helper()
	counts := make(map[string]map[string]uint64)
	for k, n := range w.up.Counts() {
		if counts[k.Door] == nil {
			counts[k.Door] = make(map[string]uint64)
		}
		counts[k.Door][k.Result] += n
	}
	h, a := counts["http"], counts["ami"]
	b := &w.books
	for what, pair := range map[string][2]uint64{
		"success over HTTP": {b.http.success.Load(), h["success"]},
		"refused over HTTP": {b.http.refused.Load(), h["error"]},
		"unsent over HTTP":  {b.http.unsent.Load(), h["unsent"]},
		"unknown over HTTP": {b.http.unknown.Load(), h["unknown"]},
		"success over AMI":  {b.ami.success.Load(), a["success"]},
		"refused over AMI":  {b.ami.refused.Load(), a["error"] + a["unsent"] + a["unknown"]},
	} {
		if pair[0] != pair[1] {
			w.Errorf("%s: the clients know of %d, the door of %d", what, pair[0], pair[1])
		}
	}
	if w.memory != nil && b.cutOffs.Load() == 0 { // nobody has time for that in a short real run
		w.Error("nobody who was rude was thrown out")
	}
	for _, door := range []string{"http", "ami"} {
		if counts[door]["success"] == 0 || counts[door]["error"] == 0 {
			w.Errorf("too little went on at the door %s: %v", door, counts[door])
		}
	}
	l := w.up.ActionStats().Ledger
	own := l.Submitted - b.http.all() - b.ami.all() // a door asks each new session what the server can do
	if !l.Exact() || l.InFlight != 0 || own > servers*(w.flaps.Load()+1) || l.Replied > h["success"]+a["success"]+own || l.Replied < h["success"]+a["success"] ||
		l.ErrorReplies != h["error"]+a["error"] {
		w.Errorf("the engine's ledger is %+v, the doors counted %v", l, counts)
	}
	events := w.up.EventStats()
	if !events.Ledger.Exact() {
		w.Errorf("the ledger of the sessions for events is %+v", events.Ledger)
	}
	for _, s := range events.Subscriptions {
		if s.Offered != s.Filtered+s.Delivered+s.Dropped+s.Discarded+s.Queued || s.Dropped != 0 {
			w.Errorf("a subscription's ledger is %+v", s)
		}
	}
}

// visit is how many actions a client sends before it leaves.
func (c *client) visit() int { c.books.visits.Add(1); return 1 + c.rng.IntN(2*c.pace.visit) }

func (c *client) want() ami.Action { return wants[c.rng.IntN(len(wants))] }

// dialer is a program that has always spoken AMI.
func dialer(ctx context.Context, c *client) {
	for ctx.Err() == nil {
		mask := []string{"on", "off", "call"}[c.rng.IntN(3)]
		conn, err := ami.Dial(c.Context(), ami.Config{Addr: c.ami[c.node], Dial: c.dial, Username: "all", Secret: ami.StaticSecret(word), Events: mask})
		if err != nil {
			c.Errorf("the AMI door of pbx%d: %v", c.node, err)
			return
		}
		sub, err := conn.Subscribe(ami.SubscribeOptions{})
		if err != nil {
			c.Error(err)
			return
		}
		read := make(chan struct{})
		go func() {
			defer close(read)
			for range sub.All(context.WithoutCancel(ctx)) { //nolint:revive // it reads, and that is all
			}
		}()
		for range c.visit() {
			if !rest(ctx, c.rng, c.think) {
				break
			}
			a := c.want()
			a.Timeout = patience
			_, err := conn.Do(c.Context(), a)
			var refused *ami.ResponseError
			switch {
			case err == nil:
				c.books.ami.success.Add(1)
			case errors.As(err, &refused):
				c.books.ami.refused.Add(1)
			default:
				c.Errorf("%s over AMI: %v", a.Name, err)
			}
			if conn.Err() != nil {
				break
			}
		}
		if books := conn.Stats().Ledger; !books.Exact() {
			c.Errorf("a client's ledger is %+v", books)
		}
		_ = conn.Close()
		sub.Close()
		<-read
	}
}

// web makes a client of the HTTP door, who leaves no connection behind.
func (c *client) web() (hc *http.Client, leave func()) {
	t := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) { return c.dial(ctx, network, c.http) }}
	return &http.Client{Transport: t}, t.CloseIdleConnections
}

func (c *client) request(ctx context.Context, method, path, body string) *http.Request {
	r, err := http.NewRequestWithContext(ctx, method, "http://127.0.0.1"+path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	r.Header.Set("Authorization", "Bearer "+word)
	return r
}

// line is an action as /v1/actions takes it.
func line(node string, a ami.Action) string {
	var fields []string
	for _, f := range a.Fields {
		fields = append(fields, fmt.Sprintf("%q:%q", f.Name, f.Value))
	}
	return fmt.Sprintf(`{"action":%q,"node":%q,"timeout":"20s","fields":{%s}}`+"\n", a.Name, node, strings.Join(fields, ","))
}

// caller is a program that sends actions over HTTP, one or many in a request.
func caller(ctx context.Context, c *client) {
	hc, leave := c.web()
	defer leave()
	for rest(ctx, c.rng, c.think) {
		c.books.visits.Add(1)
		var body strings.Builder
		many := 1
		if c.rng.IntN(3) == 0 {
			many = 2 + c.rng.IntN(20)
		}
		for range many {
			body.WriteString(line(c.servers[c.rng.IntN(servers)].Name(), c.want()))
		}
		r := c.request(c.Context(), http.MethodPost, "/v1/actions", body.String())
		if many > 1 {
			r.Header.Set("Content-Type", "application/x-ndjson")
		}
		answer, err := hc.Do(r)
		if err != nil {
			c.Errorf("an action over HTTP: %v", err)
			return
		}
		text, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		if err != nil || len(lines) != many {
			c.Errorf("%d actions have %d answers, %v: %s", many, len(lines), err, text)
			return
		}
		for _, l := range lines {
			c.note(answer.StatusCode, l)
		}
	}
}

// note books what an answer says.
func (c *client) note(status int, answer string) {
	t := &c.books.http
	switch code := gjson.Get(answer, "code").String(); {
	case gjson.Get(answer, "type").String() == "reply":
		t.success.Add(1)
	case code == "refused" || code == "permission":
		t.refused.Add(1)
	case gjson.Get(answer, "sent").String() == "no":
		t.unsent.Add(1)
	case gjson.Get(answer, "sent").Exists():
		t.unknown.Add(1)
	default:
		c.Errorf("status %d: %s", status, answer)
	}
}

// follower follows the events of all servers as a browser does: it comes back with the last id that it saw.
func follower(ctx context.Context, c *client) {
	hc, leave := c.web()
	defer leave()
	last := ""
	for ctx.Err() == nil {
		c.books.visits.Add(1)
		last = c.follow(ctx, hc, last)
	}
}

// follow reads a stream for a while, and holds that no event is missing. It returns the last id.
func (c *client) follow(ctx context.Context, hc *http.Client, last string) string {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(1+c.rng.IntN(100))*c.think)
	defer cancel()
	r := c.request(ctx, http.MethodGet, "/v1/events", "")
	r.Header.Set("Accept", "text/event-stream")
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
		c.books.resumed.Add(1)
	}
	answer, err := hc.Do(r)
	if err != nil {
		if ctx.Err() == nil {
			c.Errorf("a stream: %v", err)
		}
		return last
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)
		c.Errorf("a stream: %d %s", answer.StatusCode, text)
		rest(ctx, c.rng, c.think)
		return last
	}
	place, before := last, "" // an id without data says only where the stream is
	in := bufio.NewReader(answer.Body)
	for {
		var text string
		if text, err = in.ReadString('\n'); err != nil { // what is left may be half a line
			break
		}
		if id, ok := strings.CutPrefix(text, "id: "); ok {
			place, before = strings.TrimSuffix(id, "\n"), place
		}
		if !strings.HasPrefix(text, "data: ") {
			continue
		}
		if before != "" && number(place) != number(before)+1 {
			c.Errorf("event %s comes behind %s", place, before)
		}
		c.books.events.Add(1)
	}
	if ctx.Err() == nil {
		c.Errorf("a stream that began behind %q ends at %q: %v", last, place, err)
	}
	return place
}

func number(id string) uint64 {
	_, text, _ := strings.Cut(id, "-")
	n, _ := strconv.ParseUint(text, 10, 64)
	return n
}

// scraper is a monitoring system.
func scraper(ctx context.Context, c *client) {
	hc, leave := c.web()
	defer leave()
	for rest(ctx, c.rng, c.think) {
		for path, want := range map[string]string{"/metrics": "ami_node_up{", "/v1/state": `"type":"node"`, "/v1/calls": "", "/healthz": "", "/v1/nodes": `"node":"pbx0"`} {
			answer, err := hc.Do(c.request(c.Context(), http.MethodGet, path, ""))
			if err != nil {
				c.Errorf("%s: %v", path, err)
				return
			}
			text, err := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(text), want) {
				c.Errorf("%s: %d, %v: %.200s", path, answer.StatusCode, err, text)
			}
			c.books.scrapes.Add(1)
		}
	}
}

// rude connects to a door again and again, says one of some things, and waits until it is thrown out or has had enough.
func (c *client) rude(ctx context.Context, door string, read bool, say ...string) {
	for rest(ctx, c.rng, c.think) {
		conn, err := c.dial(ctx, "tcp", door)
		if err != nil {
			continue
		}
		c.books.rude.Add(1)
		_, _ = io.WriteString(conn, say[c.rng.IntN(len(say))])
		enough := time.Duration(1+c.rng.IntN(20)) * c.think
		if read {
			_ = conn.SetReadDeadline(time.Now().Add(enough))
			if _, err := io.Copy(io.Discard, conn); err == nil || !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
				c.books.cutOffs.Add(1)
			}
		} else {
			rest(ctx, c.rng, enough+writeTimeout)
		}
		_ = conn.Close()
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

const login = "Action: Login\r\nUsername: all\r\nSecret: " + word + "\r\n"

// stranger says half a login, or a wrong one.
func stranger(ctx context.Context, c *client) {
	c.rude(ctx, c.ami[c.node], true, "Action: Lo", "", "Action: Login\r\nUsername: nobody\r\nSecret: x\r\n\r\n")
}

// mute logs in, and never reads an event.
func mute(ctx context.Context, c *client) {
	c.rude(ctx, c.ami[c.node], false, login+"Events: on\r\n\r\n")
}

// hasty sends much, and leaves before the answers come.
func hasty(ctx context.Context, c *client) {
	c.rude(ctx, c.ami[c.node], false, login+"\r\n"+strings.Repeat("Action: Ping\r\n\r\n", 1000))
}

// dawdler takes its time for a request's headers.
func dawdler(ctx context.Context, c *client) {
	c.rude(ctx, c.http, true, "GET /v1/state HTTP/1.1\r\nHost: 127.0.0.1\r\nX-")
}

// sleeper opens a stream of events and does not read it.
func sleeper(ctx context.Context, c *client) {
	c.rude(ctx, c.http, false, "GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer "+word+"\r\nAccept: text/event-stream\r\n\r\n")
}
