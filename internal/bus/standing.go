package bus

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/apntalk/amictl/internal/bus/subject"
)

// A Standby is a bridge that reads a node which another one owns, to go on behind him.
type Standby struct {
	Bridge string    `json:"-"`
	Node   string    `json:"node"`
	Since  time.Time `json:"since,omitzero"` // what it remembers goes back to then; zero: to nothing
	Why    string    `json:"why,omitempty"`  // it would go on with a gap now; "": it is in step
}

// A standing is what a bridge says of its standbys.
type standing struct {
	Self     string    `json:"self"`  // the process
	Alive    []string  `json:"alive"` // the processes that it hears
	Standbys []Standby `json:"standbys,omitempty"`
}

const (
	standingTime = 2 * time.Second // for a bridge to find out whether it is in step
	askStanding  = standingTime + answerMargin
)

// errNotThere: a bridge is hot, and has yet to read the node.
var errNotThere = errors.New("it has no session to the node")

// serveStandings answers whoever asks which nodes this bridge stands by for, until end.
func (b *bridge) serveStandings(ctx context.Context) (end func(), err error) {
	sub, err := b.o.Conn.Subscribe(subject.Standbys(b.o.Cluster), func(m *nats.Msg) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if !b.ended {
			b.all.Go(func() { respond(m, b.standing(ctx)) })
		}
	})
	return func() { _ = sub.Unsubscribe() }, wrap("tell of standbys", err)
}

// standing finds out for which nodes this bridge stands by, and whether it is in step.
func (b *bridge) standing(ctx context.Context) *standing {
	s := &standing{Self: b.self, Alive: b.members.list()}
	if !b.o.Hot {
		return s
	}
	ctx, cancel := context.WithTimeout(ctx, standingTime)
	defer cancel()
	nodes := slices.Clone(b.o.Nodes())
	all := make([]*Standby, len(nodes))
	var looking sync.WaitGroup
	for i := range nodes {
		if l := b.leases.of(nodes[i].Name); l.holder != "" && l.holder != b.self {
			looking.Go(func() { all[i] = b.standbyOf(ctx, nodes[i].Name) })
		}
	}
	looking.Wait()
	for _, one := range all {
		if one != nil {
			s.Standbys = append(s.Standbys, *one)
		}
	}
	return s
}

// standbyOf says whether this bridge could go on with a node now.
func (b *bridge) standbyOf(ctx context.Context, node string) *Standby {
	b.mu.Lock()
	s := b.standbys[node]
	_, unfit := b.unfit[node]
	b.mu.Unlock()
	found := &Standby{Node: node}
	var err error
	switch {
	case unfit:
		err = errNoTimestamp
	case s == nil:
		err = errNotThere
	default:
		if since := s.since.Load(); since != nil {
			found.Since = *since
		}
		p := newPublisher(b.js, b.o.Cluster, node, b.o.Log)
		err = s.inStep(ctx, &p.chain)
	}
	if err != nil {
		found.Why = strings.TrimPrefix(err.Error(), "bus: ")
	}
	return found
}

// inStep returns why a takeover would have a gap now, nil if it would have none.
func (s *standby) inStep(ctx context.Context, c *chain) error {
	last, err := c.lastMessage(ctx)
	switch {
	case err != nil:
		return err
	case last == nil:
		return errNothing
	}
	_, err = s.find(ctx, c, last, s.followed)
	return err
}

// followed waits until all is remembered that the server has sent to everybody by now.
func (s *standby) followed(ctx context.Context) error {
	now, err := s.session.Ping(ctx)
	if err != nil {
		return errors.Join(errOwnSession, err)
	}
	st := s.session.Events.Stats()
	for !s.hasTaken(st.Delivered + st.Queued) {
		select {
		case <-time.After(time.Millisecond):
		case <-s.ended: // the bridge takes the node over, or drops it
			return errNotThere
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return s.isOf(now.Session)
}

func (s *standby) hasTaken(events uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken >= events
}

// Standbys asks the bridges of a cluster for which nodes they stand by. silent are those that are alive and do not say.
func Standbys(ctx context.Context, conn *nats.Conn, cluster string) (all []Standby, silent []string, err error) {
	ctx, stop := UntilRefused(ctx, conn)
	defer stop()
	limited, cancel := context.WithTimeout(ctx, askStanding)
	defer cancel()
	inbox := conn.NewRespInbox()
	answers, err := conn.SubscribeSync(inbox)
	if err != nil {
		return nil, nil, wrap("listen for bridges", err)
	}
	defer func() { _ = answers.Unsubscribe() }()
	if err := conn.PublishRequest(subject.Standbys(cluster), inbox, nil); err != nil {
		return nil, nil, wrap("ask for standbys", err)
	}
	said := make(map[string]bool) // by process; false: it is alive, and has yet to
	for {
		m, err := answers.NextMsgWithContext(limited)
		switch {
		case errors.Is(err, nats.ErrNoResponders):
			return nil, nil, nil
		case err != nil && ctx.Err() == nil && limited.Err() != nil:
			return all, bridgesOf(said), nil
		case err != nil:
			return nil, nil, causeOf(ctx, wrap("ask for standbys", err))
		}
		var s standing
		if json.Unmarshal(m.Data, &s) != nil {
			continue
		}
		for i := range s.Standbys {
			s.Standbys[i].Bridge = bridgeOf(s.Self)
		}
		all = append(all, s.Standbys...)
		for _, process := range s.Alive {
			said[process] = said[process] || process == s.Self
		}
		if said[s.Self] = true; len(bridgesOf(said)) == 0 {
			return all, nil, nil
		}
	}
}

// bridgesOf are the names of the processes that have not said anything.
func bridgesOf(said map[string]bool) (names []string) {
	for process, done := range said {
		if !done {
			names = append(names, bridgeOf(process))
		}
	}
	slices.Sort(names)
	return names
}
