package state

import (
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A Channel is one channel that is up. Asterisk's internal ones (CBAnn/…) are in no list and tell nothing.
type Channel struct {
	Node            string    `json:"node"`
	Uniqueid        string    `json:"uniqueid"`
	Linkedid        string    `json:"linkedid"` // of its call
	Name            string    `json:"name"`
	Endpoint        string    `json:"endpoint,omitempty"` // the name without what makes it unique: PJSIP/alice
	State           string    `json:"state"`              // down, ring, ringing, up, busy, …
	CallerNumber    string    `json:"caller_number,omitempty"`
	CallerName      string    `json:"caller_name,omitempty"`
	ConnectedNumber string    `json:"connected_number,omitempty"`
	ConnectedName   string    `json:"connected_name,omitempty"`
	Account         string    `json:"account,omitempty"`
	Context         string    `json:"context,omitempty"`
	Exten           string    `json:"exten,omitempty"`
	Priority        int       `json:"priority,omitempty"`
	Application     string    `json:"application,omitempty"`
	Data            string    `json:"data,omitempty"`
	Bridge          string    `json:"bridge,omitempty"`  // the ID of the bridge that it is in
	Hold            bool      `json:"hold,omitempty"`    // only events tell it: false behind a gap
	Created         time.Time `json:"created,omitzero"`  // to the second if a list told it
	Answered        time.Time `json:"answered,omitzero"` // unknown if it was up when it was first listed
}

// Kind returns KindChannel.
func (*Channel) Kind() Kind { return KindChannel }

// Key returns the Uniqueid.
func (c *Channel) Key() string { return c.Uniqueid }

// channelStates are ast_state2str's, as JSON has them, by AST_STATE_* number.
var channelStates = [...]string{"down", "reserved", "offhook", "dialing", "ring", "ringing", "up", "busy", "dialing-offhook", "pre-ring"}

const (
	stateDown    = "down"
	stateRing    = "ring"
	stateRinging = "ringing"
	stateUp      = "up"
)

func channelState(n string) string {
	if len(n) == 1 && n[0] >= '0' && n[0] <= '9' {
		return channelStates[n[0]-'0']
	}
	return "unknown"
}

// A snap is the block of channel headers that most events carry (ast_manager_build_channel_state_string), borrowed.
type snap struct {
	name, state, callerNumber, callerName, connectedNumber, connectedName string
	account, context, exten, priority, uniqueid, linkedid                 string
	has                                                                   uint32
}

// field returns where a header belongs; the first one of a name counts.
func (p *snap) field(name string) (*string, uint32) {
	switch name {
	case "Channel":
		return &p.name, 1 << 0
	case "ChannelState":
		return &p.state, 1 << 1
	case "CallerIDNum":
		return &p.callerNumber, 1 << 2
	case "CallerIDName":
		return &p.callerName, 1 << 3
	case "ConnectedLineNum":
		return &p.connectedNumber, 1 << 4
	case "ConnectedLineName":
		return &p.connectedName, 1 << 5
	case "AccountCode", "Account", "Accountcode":
		return &p.account, 1 << 6
	case "Context":
		return &p.context, 1 << 7
	case "Exten":
		return &p.exten, 1 << 8
	case "Priority":
		return &p.priority, 1 << 9
	case "Uniqueid", "UniqueID":
		return &p.uniqueid, 1 << 10
	case "Linkedid", "LinkedID":
		return &p.linkedid, 1 << 11
	}
	return nil, 0
}

// readSnap reads the block whose headers begin with prefix.
func readSnap(m *wire.Message, prefix string) (p snap) {
	for i := 1; i < m.Len(); i++ {
		name, value := m.Line(i)
		if prefix != "" {
			var ok bool
			if name, ok = strings.CutPrefix(name, prefix); !ok {
				continue
			}
		}
		if f, bit := p.field(name); f != nil && p.has&bit == 0 {
			p.has |= bit
			*f = value
		}
	}
	if p.linkedid == "" {
		p.linkedid = p.uniqueid
	}
	return p
}

// write puts what the block says into a channel.
func (p *snap) write(c *Channel, e *edit) {
	e.str(&c.Linkedid, p.linkedid, "linkedid")
	if c.Name != p.name && p.name != "" {
		e.str(&c.Name, p.name, "name")
		e.word(&c.Endpoint, endpointOf(c.Name), "endpoint")
	}
	if p.has&(1<<1) != 0 {
		e.word(&c.State, channelState(p.state), "state")
	}
	e.str(&c.CallerNumber, known(p.callerNumber), "caller_number")
	e.str(&c.CallerName, unescape(known(p.callerName)), "caller_name")
	e.str(&c.ConnectedNumber, known(p.connectedNumber), "connected_number")
	e.str(&c.ConnectedName, unescape(known(p.connectedName)), "connected_name")
	e.str(&c.Account, p.account, "account")
	e.str(&c.Context, p.context, "context")
	e.str(&c.Exten, p.exten, "exten")
	set(e, &c.Priority, number(p.priority), "priority")
}

// endpointOf returns a channel's name without its serial number: PJSIP/alice-0000001f → PJSIP/alice. A Local channel's
// mark of its end, ;1 or ;2, goes too.
func endpointOf(name string) string {
	if at := strings.LastIndexByte(name, '-'); at > strings.IndexByte(name, '/') {
		return name[:at]
	}
	return name
}

func isLocal(name string) bool { return strings.HasPrefix(name, "Local/") }

// localPair is what the names of both ends of a Local channel begin with, "" for any other channel.
func localPair(name string) string {
	if pair, end := name[:max(len(name)-1, 0)], name[max(len(name)-1, 0):]; isLocal(name) && (end == "1" || end == "2") {
		return pair
	}
	return ""
}

// newchannel changes nothing in a channel that is known: it is late, and would lower its state.
func newchannel(s *server, m *wire.Message) {
	p := readSnap(m, "")
	if r := s.channels.find(s, p.uniqueid); r != nil {
		s.begun(p.uniqueid)
		return
	}
	s.upsert(&p, s.when)
}

// snapshot is any event whose channel headers say what the channel is now.
func snapshot(s *server, m *wire.Message) {
	p := readSnap(m, "")
	s.upsert(&p, time.Time{})
}

func newexten(s *server, m *wire.Message) {
	p := readSnap(m, "")
	app := m.Get("Application")
	if !strings.EqualFold(app, "Queue") {
		s.quitQueues(p.uniqueid)
	}
	if !withinQueue(app) {
		s.leaveVisits(p.uniqueid)
	}
	s.upsertWith(&p, time.Time{}, func(c *Channel, e *edit) {
		e.str(&c.Application, app, "application")
		e.str(&c.Data, m.Get("AppData"), "data")
	})
}

// withinQueue reports whether an application is Queue, or one that it runs for a caller whom a member has taken.
func withinQueue(app string) bool {
	for _, own := range [...]string{"Queue", "AGI", "Gosub", "Macro"} {
		if strings.EqualFold(app, own) {
			return true
		}
	}
	return false
}

func hold(s *server, m *wire.Message)   { s.held(m, true) }
func unhold(s *server, m *wire.Message) { s.held(m, false) }

func (s *server) held(m *wire.Message, on bool) {
	p := readSnap(m, "")
	s.upsertWith(&p, time.Time{}, func(c *Channel, e *edit) { set(e, &c.Hold, on, "hold") })
}

// rename is a step of a masquerade, or a channel driver's own: the Uniqueid stays with what it now names.
func rename(s *server, m *wire.Message) {
	r := s.channels.find(s, m.Get("Uniqueid"))
	if r == nil {
		return
	}
	next := *r.obj
	var e edit
	if name := m.Get("Newname"); name != "" {
		e.str(&next.Name, name, "name")
		e.word(&next.Endpoint, endpointOf(next.Name), "endpoint")
	}
	s.saveChannel(r, next, &e)
}

func hangup(s *server, m *wire.Message) {
	id := m.Get("Uniqueid")
	s.endLeg(id, number(m.Get("Cause")), m.Get("Cause-txt"))
	if r := s.channels.end(s, id); r != nil {
		s.vacate(r.obj)
	}
	s.quitQueues(id)
	s.leaveVisits(id)
	s.hungUp(id)
	if usable(id) && len(s.gone) < s.core.limit {
		s.gone[strings.Clone(id)] = s.now
	}
}

// upsert makes a channel what a block of headers says. born is when it began, zero if the event does not tell.
func (s *server) upsert(p *snap, born time.Time) { s.upsertWith(p, born, nil) }

// upsertWith is upsert for an event that says more. Asterisk tells of channels that it has hung up already, a NewCallerid
// as a rule: they stay away.
func (s *server) upsertWith(p *snap, born time.Time, more func(*Channel, *edit)) {
	if len(s.gone) > 0 {
		if _, over := s.gone[p.uniqueid]; over && born.IsZero() {
			return
		}
		delete(s.gone, p.uniqueid)
	}
	if born.IsZero() && s.surveyed != 0 && s.surveyed == s.session && s.channels.rows[p.uniqueid] == nil {
		return // it was hung up before this session began: what is new begins with a Newchannel
	}
	r, next := s.channels.open(s, p.uniqueid)
	if r == nil {
		return
	}
	if r.obj == nil && born.IsZero() {
		r.born = 0
	}
	s.write(r, next, p, born, more)
}

// write puts a block of headers into an opened row and saves it.
func (s *server) write(r *row[Channel], next Channel, p *snap, born time.Time, more func(*Channel, *edit)) {
	var e edit
	before := next.State
	if r.obj == nil {
		next.Node = s.name
		e.str(&next.Uniqueid, p.uniqueid, "uniqueid")
		next.Created = born
	}
	p.write(&next, &e)
	if next.State == stateUp && before != stateUp && next.Answered.IsZero() && before != "" {
		e.moment(&next.Answered, s.when, "answered")
	}
	if more != nil {
		more(&next, &e)
	}
	s.saveChannel(r, next, &e)
}

// saveChannel publishes a channel and follows its call.
func (s *server) saveChannel(r *row[Channel], next Channel, e *edit) {
	var before Channel
	if r.obj != nil {
		before = *r.obj
	}
	s.channels.save(s, r, next, e)
	if e.n > 0 {
		s.follow(&before, r.obj)
		s.tellNames(&before, r.obj)
	}
}

// tellNames passes on what a channel is called to where it waits.
func (s *server) tellNames(before, now *Channel) {
	if before.Name == now.Name && before.CallerNumber == now.CallerNumber && before.CallerName == now.CallerName &&
		before.Linkedid == now.Linkedid {
		return
	}
	if r := s.parked.rows[now.Uniqueid]; r != nil {
		var e edit
		next := *r.obj
		e.word(&next.Linkedid, now.Linkedid, "linkedid")
		e.word(&next.Channel, now.Name, "channel")
		e.word(&next.Number, now.CallerNumber, "number")
		e.word(&next.Name, now.CallerName, "name")
		s.parked.save(s, r, next, &e)
	}
	for _, queue := range s.queuesOf[now.Uniqueid] {
		r := s.callers.rows[memberKey(queue, now.Uniqueid)]
		if r == nil {
			continue
		}
		var e edit
		next := *r.obj
		e.word(&next.Linkedid, now.Linkedid, "linkedid")
		e.word(&next.Channel, now.Name, "channel")
		e.word(&next.Number, now.CallerNumber, "number")
		e.word(&next.Name, now.CallerName, "name")
		s.callers.save(s, r, next, &e)
	}
}

// vacate takes a channel that is gone out of what it was in.
func (s *server) vacate(c *Channel) {
	s.quitQueues(c.Uniqueid)
	if c.Bridge != "" {
		s.leaveBridge(c.Bridge, c.Uniqueid)
		s.remaining(c.Bridge)
	}
}

// coreShowChannel is an item of CoreShowChannels, or of Status, which more users may ask for.
func coreShowChannel(s *server, m *wire.Message, from source) {
	p := readSnap(m, "")
	delete(s.gone, p.uniqueid)
	r, next := s.channels.listed(s, p.uniqueid, from)
	if r == nil {
		return
	}
	fresh := r.obj == nil
	var born time.Time
	if fresh {
		age := clock(m.Get("Duration"))
		if age == 0 {
			age = clock(m.Get("Seconds"))
		}
		born = bornOf(p.uniqueid, s.when.Add(-age))
	}
	was := next
	s.write(r, next, &p, born, func(c *Channel, e *edit) {
		e.str(&c.Application, m.Get("Application"), "application")
		data, ok := m.Lookup("ApplicationData")
		if !ok {
			data = m.Get("Data")
		}
		e.str(&c.Data, data, "data")
		bridge, ok := m.Lookup("BridgeId")
		if !ok {
			bridge, ok = m.Lookup("BridgeID")
		}
		if ok {
			s.moved(c, e, bridge)
		}
	})
	now := r.obj
	if fresh || was.State != now.State || was.Bridge != now.Bridge || was.Name != now.Name || was.Linkedid != now.Linkedid {
		s.channels.suspect(s, now.Uniqueid)
	}
}

// bornOf is when a channel began that is known from a list alone: that says its age in whole seconds, so about when; its Uniqueid,
// `[SYSTEM-]SECONDS.NUMBER`, says the very second, in each list the same, where the clocks of server and host agree.
func bornOf(uniqueid string, about time.Time) time.Time {
	text, _, _ := strings.Cut(uniqueid[strings.LastIndexByte(uniqueid, '-')+1:], ".")
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if born := time.Unix(n, 0); born.Sub(about).Abs() <= 2*time.Second {
			return born
		}
	}
	return about
}

// channelsListed takes away what CoreShowChannels lacked.
func channelsListed(s *server, from source) {
	if !s.unlisted {
		s.surveyed = s.session
		s.knowVisits()
	}
	s.channels.sweep(s, from, func(id string, r *row[Channel], due bool) {
		s.vacate(r.obj)
		if !due {
			s.endLost(id)
		} else if l := s.legs[id]; l != nil {
			s.fade(l)
		}
	})
}
