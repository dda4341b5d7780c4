package amitest

import (
	"container/heap"
	"math/rand/v2"
	"strconv"
	"time"
)

// A play is a stream of calls that are played on the server's state: lists show them, and events tell of them.
type play struct {
	srv     *Server
	cfg     TrafficConfig
	rng     *rand.Rand // drawn from while calls are planned, and never while they are played: that depends on the clock
	started int        // calls
	steps   steps
	seq     int
}

func newPlay(s *Server, cfg TrafficConfig) *play {
	return &play{srv: s, cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 0x91a))}
}

// A step of a call comes at a time since the start of the traffic.
type step struct {
	at  time.Duration
	seq int // of two at the same time the first that was planned is played first
	do  func(st *State, evs *[]Event)
}

// steps is a heap, the earliest first.
type steps []step

func (h steps) Len() int { return len(h) }
func (h steps) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].seq < h[j].seq
}
func (h steps) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *steps) Push(x any)   { *h = append(*h, x.(step)) }
func (h *steps) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

func (p *play) plan(at time.Duration, do func(st *State, evs *[]Event)) {
	p.seq++
	heap.Push(&p.steps, step{at, p.seq, do})
}

// due plays what falls due up to now, until there were so many events; any number if that is not above 0.
func (p *play) due(now time.Duration, most int) (events int) {
	if p.cfg.CallsPerSecond == 0 {
		return 0
	}
	for want := int(now.Seconds()*p.cfg.CallsPerSecond) + 1; p.started < want; p.started++ {
		p.call(time.Duration(float64(p.started) / p.cfg.CallsPerSecond * float64(time.Second)))
	}
	for len(p.steps) > 0 && p.steps[0].at <= now && (most <= 0 || events < most) {
		s := heap.Pop(&p.steps).(step)
		p.srv.act(func(st *State, evs *[]Event) {
			s.do(st, evs)
			events += len(*evs)
		})
	}
	return events
}

// next returns when the next step or call falls due.
func (p *play) next() time.Duration {
	if p.cfg.CallsPerSecond == 0 {
		return never
	}
	at := time.Duration(float64(p.started) / p.cfg.CallsPerSecond * float64(time.Second))
	if len(p.steps) > 0 {
		at = min(at, p.steps[0].at)
	}
	return at
}

// around draws a time of that mean, from half of it to one and a half.
func around(rng *rand.Rand, mean time.Duration) time.Duration {
	return mean/2 + time.Duration(rng.Int64N(int64(mean)+1))
}

// A played call is one that comes in over a trunk, waits in a queue, and is talked to, or not.
type playedCall struct {
	*play
	queue, member string
	caller, agent string // Uniqueids
	number        string // of the agent
}

// call plans a call. All its chances are drawn here, so that the same seed makes the same calls.
func (p *play) call(at time.Duration) {
	n := p.started
	c := &playedCall{play: p, number: strconv.Itoa(100 + p.rng.IntN(50))}
	pick := p.rng.Float64() // which of the queue's members, whoever is one when the call comes
	p.plan(at, func(st *State, evs *[]Event) {
		a := st.dial("", Channel{
			Name: "PJSIP/trunk-provider", CallerIDNum: "49301234" + strconv.Itoa(100+n%900), CallerIDName: "Caller " + strconv.Itoa(n),
			Context: "inbound-from-provider", Exten: "200", AccountCode: "support-line-1",
		}, evs)
		c.caller = a.Uniqueid
		st.execute(a.Uniqueid, "200", "Answer", "", evs)
		st.answer(a.Uniqueid, evs)
		*evs = append(*evs, Event{Name: "VarSet", Headers: append(a.snapshot(""), Header{"Variable", "CRM_LINK"},
			Header{"Value", "https://crm.example.com/open?caller=" + a.CallerIDNum + "&ticket=" + a.Uniqueid})})
		if len(st.queues) > 0 {
			q := st.queues[n%len(st.queues)]
			c.queue, c.member = q.Name, "PJSIP/"+c.number
			if len(q.Members) > 0 {
				c.member = q.Members[int(pick*float64(len(q.Members)))].Interface
			}
			st.execute(a.Uniqueid, "200", "Queue", q.Name+",tThHc,,,120", evs)
			st.joinQueue(q.Name, a.Uniqueid, evs)
		}
	})
	ring := at + time.Duration(p.rng.Int64N(int64(200*time.Millisecond)))
	p.plan(ring, c.ring)
	answer := ring + around(p.rng, p.cfg.Ring)
	switch outcome := p.rng.IntN(10); outcome {
	case 8:
		p.plan(answer, func(st *State, evs *[]Event) { c.hangUp(st, evs, 16, c.caller, c.agent) }) // the caller gives up
	case 9:
		p.plan(answer, c.unanswered)
		p.plan(answer+2*time.Second, func(st *State, evs *[]Event) { c.hangUp(st, evs, 16, c.caller) })
	default:
		p.plan(answer, c.answered)
		c.talk(answer, around(p.rng, p.cfg.Talk))
	}
}

// ring rings the agent.
func (c *playedCall) ring(st *State, evs *[]Event) {
	b := st.dial(c.caller, Channel{
		Name: "PJSIP/" + c.number, CallerIDNum: c.number, CallerIDName: "Agent " + c.number, Context: "internal-staff", Exten: "200", AccountCode: "support-staff",
	}, evs)
	if b == nil {
		return // somebody hung up
	}
	c.agent = b.Uniqueid
	if a := st.channel(c.caller); c.queue != "" {
		*evs = append(*evs, dialEvent("AgentCalled", a, b, "Queue", c.queue, "MemberName", "Agent "+c.number, "Interface", c.member))
	}
}

func (c *playedCall) answered(st *State, evs *[]Event) {
	if c.queue != "" {
		st.connectQueue(c.queue, c.caller, c.member, c.agent, evs)
	} else {
		st.answer(c.agent, evs)
	}
}

// unanswered is an agent who does not answer, and a caller whose time in the queue is over then.
func (c *playedCall) unanswered(st *State, evs *[]Event) {
	a, b := st.channel(c.caller), st.channel(c.agent)
	if a == nil || b == nil {
		return
	}
	b.dialer = ""
	*evs = append(*evs, dialEvent("DialEnd", a, b, "DialStatus", "NOANSWER"))
	if c.queue != "" {
		*evs = append(*evs, dialEvent("AgentRingNoAnswer", a, b, "Queue", c.queue, "MemberName", "Agent "+c.number, "Interface", c.member, "RingTime", "10000"))
	}
	st.end(b, 19, evs)
	st.leaveQueue(c.queue, c.caller, true, evs)
	st.execute(c.caller, "200", "VoiceMail", "200@default", evs)
}

// talk plans what happens while two talk: reports on the media, now and then a hold or a transfer, and the end.
func (c *playedCall) talk(at, length time.Duration) {
	for i := range 4 {
		c.plan(at+time.Duration(i+1)*length/5, func(st *State, evs *[]Event) {
			who := []string{c.caller, c.agent, c.caller, c.agent}[i]
			if ch := st.channel(who); ch != nil {
				*evs = append(*evs, Event{Name: []string{"RTCPSent", "RTCPReceived"}[i/2], Headers: append(ch.snapshot(""), pairs(rtcp)...)})
			}
		})
	}
	switch c.rng.IntN(20) {
	case 0, 1, 2:
		c.plan(at+length/2, func(st *State, evs *[]Event) { st.hold(c.agent, true, evs) })
		c.plan(at+3*length/4, func(st *State, evs *[]Event) { st.hold(c.agent, false, evs) })
	case 3:
		to := strconv.Itoa(300 + c.rng.IntN(10))
		c.plan(at+length/2, func(st *State, evs *[]Event) { st.blindTransfer(c.agent, to, evs) })
	}
	caller := c.rng.IntN(2) == 0
	c.plan(at+length, func(st *State, evs *[]Event) {
		if caller {
			c.hangUp(st, evs, 16, c.caller, c.agent)
		} else {
			c.hangUp(st, evs, 16, c.agent, c.caller)
		}
	})
}

// hangUp ends channels, the first of which is whose user hung up.
func (c *playedCall) hangUp(st *State, evs *[]Event, cause int, channels ...string) {
	for _, id := range channels {
		if ch := st.channel(id); id != "" && ch != nil {
			st.end(ch, cause, evs)
		}
	}
}
