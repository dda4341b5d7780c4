package bus

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/apntalk/amictl/internal/bus/subject"
	"github.com/apntalk/amictl/pkg/ami"
)

// A Request is an action that came over the bus.
type Request struct {
	Node     string
	User     string // in whose name the bus let it be published
	Action   string
	Packet   []byte    // the action as an AMI client sends it; empty: the action alone
	Deadline time.Time // after which nobody waits for the answer
}

// A Performer carries out actions on the nodes that a bridge owns.
type Performer interface {
	// Away says why a node takes no actions now, nil if it does, and how its server greets.
	Away(node string) (banner string, err error)
	// Do carries out a request, and hands out the packets of its answer as they come: last with the last of them, once.
	Do(ctx context.Context, q *Request, answer func(packets []byte, last bool))
}

// Headers of requests and of the parts of their answers.
const (
	deadlineHeader = "Ami-Deadline" // RFC 3339 with fractions of a second; absent: usualWait from now
	partHeader     = "Ami-Part"     // the number of a part, from 1
	moreHeader     = "Ami-More"     // absent in the last part; else morePart or moreLater
	awayHeader     = "Ami-Away"     // why a node takes no actions
	ownerHeader    = "Ami-Owner"    // of a request: the epoch of the owner who is meant, as he has said; absent: any
	refusedHeader  = "Ami-Refused"  // why the bridge has not begun
	behindHeader   = "Ami-Behind"   // in the first part: the sequence of the last batch of the node's that was stored when the request came
	takenHeader    = "Ami-Taken"    // as well: when it came, by the clock that the batches' times are of; RFC 3339
)

const (
	usualWait    = 30 * time.Second
	handOver     = time.Second // for what runs when a node is given up
	mostRequests = 256         // at once a node; what comes meanwhile is refused
	partSize     = 256 << 10   // of an answer's part; a server takes 1 MiB by default
)

// handedOn is the refusal of a request that another owner would take.
const handedOn = "the node is being handed over to another bridge"

// What comes behind a part.
const (
	morePart  = "part"  // the same packets go on in the next one
	moreLater = "later" // these packets are whole, and others come later
)

// A tenure is a bridge's time as a node's owner.
type tenure struct {
	epoch uint64
	from  uint64        // the first of those that were handed on, or given back, up to this one: their owners do nothing any more
	last  func() uint64 // sequence of the last batch that is stored
}

// A performance takes the requests for one node while the bridge owns it.
//
// Those that name their owner go to all that may take themselves for the owner, and he alone does anything: a queue would give some of them to
// one that stands still. What comes late for an owner of whom it is known that he does nothing any more is refused.
type performance struct {
	conn *nats.Conn
	node string
	do   Performer
	tenure
	log *slog.Logger

	subs  []*nats.Subscription
	slots chan struct{}
	ctx   context.Context //nolint:containedctx // of what runs, which outlives the callbacks that begin it
	end   context.CancelFunc

	mu     sync.Mutex // held to begin a request, and to begin none any more
	closed bool
	all    sync.WaitGroup
}

// perform begins to take requests. A nil Performer takes none.
func perform(conn *nats.Conn, cluster, node string, do Performer, t tenure, log *slog.Logger) (*performance, error) {
	ctx, end := context.WithCancel(context.Background())
	p := &performance{conn: conn, node: node, do: do, tenure: t, log: log, slots: make(chan struct{}, mostRequests), ctx: ctx, end: end}
	if do == nil {
		return p, nil
	}
	actions := subject.Actions(cluster, node)
	queue, err := conn.QueueSubscribe(actions, "owner", p.takeOfAny)
	own, err2 := conn.Subscribe(actions, p.takeOfOwner)
	asked, err3 := conn.Subscribe(subject.Owner(cluster, node), p.tell)
	p.subs = []*nats.Subscription{queue, own, asked}
	if err := errors.Join(err, err2, err3); err != nil {
		p.stop()
		return nil, wrap("take actions for "+node, err)
	}
	return p, nil
}

// hold begins no more requests, or goes on to.
func (p *performance) hold(closed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = closed
}

// stop takes no more requests, and waits for those that run: not for long, as nobody owns the node meanwhile.
func (p *performance) stop() {
	p.hold(true)
	for _, sub := range p.subs {
		_ = sub.Drain() // what has come already is refused; nil, too
	}
	limit := time.AfterFunc(handOver, p.end)
	defer limit.Stop()
	p.all.Wait()
	p.end()
}

// tell answers whoever asks whether the node takes actions.
func (p *performance) tell(m *nats.Msg) {
	answer := nats.NewMsg(m.Reply)
	banner, err := p.do.Away(p.node)
	if err != nil {
		answer.Header.Set(awayHeader, err.Error())
	}
	answer.Header.Set(ownerHeader, strconv.FormatUint(p.epoch, 10))
	answer.Data = []byte(banner)
	_ = p.conn.PublishMsg(answer)
}

// takeOfAny begins a request that names no owner.
func (p *performance) takeOfAny(m *nats.Msg) {
	if m.Header.Get(ownerHeader) == "" {
		p.take(m)
	}
}

// takeOfOwner begins a request that names this one. That it was for the one before, who will not carry it out, is told.
func (p *performance) takeOfOwner(m *nats.Msg) {
	switch owner, err := strconv.ParseUint(m.Header.Get(ownerHeader), 10, 64); {
	case err != nil:
	case owner == p.epoch:
		p.take(m)
	case p.from <= owner && owner < p.epoch:
		(&answer{conn: p.conn, to: m.Reply}).refuse(handedOn)
	}
}

// take begins a request.
func (p *performance) take(m *nats.Msg) {
	user, action, err := subject.UserAndAction(m.Subject)
	if err != nil || m.Reply == "" {
		return // there is nobody to tell, or nobody who follows the rules
	}
	a := &answer{conn: p.conn, to: m.Reply, taken: time.Now(), behind: p.last()}
	q := &Request{Node: p.node, User: user, Action: action, Packet: m.Data, Deadline: time.Now().Add(usualWait)}
	if text := m.Header.Get(deadlineHeader); text != "" {
		if q.Deadline, err = time.Parse(time.RFC3339Nano, text); err != nil {
			a.refuse("the header " + deadlineHeader + " is not a time of RFC 3339")
			return
		}
	}
	select {
	case p.slots <- struct{}{}:
	default:
		a.refuse("the bridge carries out " + strconv.Itoa(mostRequests) + " actions on this node already")
		return
	}
	if !p.begin(func() {
		defer func() { <-p.slots }()
		ctx, cancel := context.WithDeadline(p.ctx, q.Deadline)
		defer cancel()
		p.do.Do(ctx, q, a.add)
		if a.err != nil {
			p.log.Warn("an answer could not be sent", slog.String("action", q.Action), slog.String("user", q.User), slog.Any("error", a.err))
		}
	}) {
		<-p.slots
		a.refuse(handedOn)
	}
}

// begin runs f unless the node is given up.
func (p *performance) begin(f func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.all.Go(f)
	}
	return !p.closed
}

// An answer goes out in parts.
type answer struct {
	conn   *nats.Conn
	to     string
	taken  time.Time // when the request came
	behind uint64    // the last batch then
	parts  int
	err    error
}

// add sends packets; last says that there are no more.
func (a *answer) add(packets []byte, last bool) {
	for {
		n := min(len(packets), partSize)
		m := nats.NewMsg(a.to)
		m.Data, packets = packets[:n], packets[n:]
		switch {
		case len(packets) > 0:
			m.Header.Set(moreHeader, morePart)
		case !last:
			m.Header.Set(moreHeader, moreLater)
		}
		a.send(m)
		if len(packets) == 0 {
			return
		}
	}
}

func (a *answer) send(m *nats.Msg) {
	a.parts++
	m.Header.Set(partHeader, strconv.Itoa(a.parts))
	if a.parts == 1 {
		m.Header.Set(behindHeader, strconv.FormatUint(a.behind, 10))
		m.Header.Set(takenHeader, a.taken.UTC().Format(time.RFC3339Nano))
	}
	a.err = errors.Join(a.err, a.conn.PublishMsg(m))
}

// refuse answers that nothing was sent.
func (a *answer) refuse(why string) {
	m := nats.NewMsg(a.to)
	m.Header.Set(refusedHeader, why)
	m.Data = appendRefusal(nil, "", why, ami.SentNo)
	a.send(m)
}

// appendRefusal appends what a relay answers when no server does.
func appendRefusal(dst []byte, id, why string, sent ami.Sent) []byte {
	dst = append(dst, "Response: Error\r\n"...)
	if id != "" {
		dst = append(append(append(dst, "ActionID: "...), id...), "\r\n"...)
	}
	return append(dst, "Message: "+why+"\r\n"+ami.RelaySent+": "+sent.String()+"\r\n\r\n"...)
}
