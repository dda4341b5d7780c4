package amitest

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// TrafficConfig says how much goes on. Rates may be combined.
type TrafficConfig struct {
	// CallsPerSecond starts calls evenly; each makes some 28 events spread over its
	// life.
	CallsPerSecond float64
	// EventsPerSecond emits the events of calls in order, but at this rate instead
	// of over the calls' lives.
	EventsPerSecond float64
	// Ring and Talk are the means of how long a call rings and talks; 3 s and 30 s
	// if 0.
	Ring, Talk time.Duration
	// Events ends the traffic after so many, and what comes together with the last; 0 for no limit.
	Events int
	// Seed makes the calls differ; the same seed makes the same calls.
	Seed uint64
}

// Traffic plays calls, or emits the events of calls, some 24 headers and 590 bytes each, until ctx ends, the server closes or
// the limit is reached. It returns how many events it emitted. The calls of CallsPerSecond are channels of the server's, which
// wait in its queues, ring, talk, are held and transferred, so that lists show them; those of EventsPerSecond are events alone.
func (s *Server) Traffic(ctx context.Context, cfg TrafficConfig) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	if cfg.Ring == 0 {
		cfg.Ring = 3 * time.Second
	}
	if cfg.Talk == 0 {
		cfg.Talk = 30 * time.Second
	}
	cfg.Ring, cfg.Talk = min(cfg.Ring, maxMean), min(cfg.Talk, maxMean)
	t := &traffic{cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 0x7ea)), start: time.Now(), base: s.bootTime().Unix()}
	p := newPlay(s, cfg)
	sent := 0
	for ctx.Err() == nil && (cfg.Events == 0 || sent < cfg.Events) {
		now := time.Since(t.start)
		played := p.due(now, cfg.Events-sent)
		sent += played
		evs := t.due(now)
		if cfg.Events > 0 {
			evs = evs[:max(0, min(len(evs), cfg.Events-sent))]
		}
		if len(evs)+played == 0 {
			if pause(ctx, max(tick, min(p.next(), t.next())-now)) != nil {
				break
			}
			continue
		}
		for len(evs) > 0 {
			k := min(len(evs), batchBytes/600)
			s.Emit(evs[:k]...)
			sent, evs = sent+k, evs[k:]
		}
	}
	return sent
}

// maxMean keeps the sum of a call's times within a Duration: 73 years.
const maxMean = time.Duration(math.MaxInt64 / 4)

// traffic is the state of one stream of calls: what is due is a function of the
// time since its start and the seed alone.
type traffic struct {
	cfg   TrafficConfig
	rng   *rand.Rand
	start time.Time
	base  int64
	calls int
	sent  int
	ready []Event
}

// scene is an event of a call at a time since the start of the traffic.
type scene struct {
	at time.Duration
	ev Event
}

// never is when something comes that does not.
const never = time.Duration(math.MaxInt64)

// next returns when the next event falls due.
func (t *traffic) next() time.Duration {
	if t.cfg.EventsPerSecond == 0 {
		return never
	}
	return time.Duration(float64(t.sent) / t.cfg.EventsPerSecond * float64(time.Second))
}

// due returns the events that fall due up to now.
func (t *traffic) due(now time.Duration) []Event {
	var out []Event
	if t.cfg.EventsPerSecond > 0 {
		const most = 4096 // a late stream catches up in steps
		for want := min(int(now.Seconds()*t.cfg.EventsPerSecond)+1, t.sent+most); t.sent < want; t.sent++ {
			if len(t.ready) == 0 {
				for _, sc := range t.call(0) {
					t.ready = append(t.ready, sc.ev)
				}
			}
			out, t.ready = append(out, t.ready[0]), t.ready[1:]
		}
	}
	return out
}

// call writes the script of one call: a caller comes in, a member of staff is
// rung and answers, or not, and they talk in a bridge.
func (t *traffic) call(at time.Duration) []scene {
	n := t.calls
	t.calls++
	id := func(leg int) string { return strconv.FormatInt(t.base, 10) + "." + strconv.Itoa(2*n+leg) }
	a := &Channel{
		Name: fmt.Sprintf("PJSIP/trunk-provider-%08x", 2*n), State: 4, CallerIDNum: "49301234" + strconv.Itoa(100+n%900),
		CallerIDName: "Caller " + strconv.Itoa(n), Context: "inbound-from-provider", Exten: "200", Priority: 1, AccountCode: "support-line-1", Uniqueid: id(0), Linkedid: id(0),
	}
	b := &Channel{
		Name: fmt.Sprintf("PJSIP/%d-%08x", 100+t.rng.IntN(50), 2*n+1), CallerIDNum: "200", ConnectedLineNum: a.CallerIDNum,
		ConnectedLineName: a.CallerIDName, Context: "internal-staff", Exten: "200", Priority: 1, AccountCode: "support-staff", Uniqueid: id(1), Linkedid: id(0),
	}
	sc := script{at: at}
	sc.one("Newchannel", a)
	for i, app := range []string{"Answer", "Queue"} {
		a.Priority = i + 1
		sc.one("Newexten", a, "Extension", a.Exten, "Application", app, "AppData", []string{"", "support,tThHc,,,120,agi://192.0.2.20/queue?caller=" + a.CallerIDNum}[i])
	}
	a.State = 6
	sc.one("Newstate", a)
	sc.one("VarSet", a, "Variable", "CRM_LINK", "Value", "https://crm.example.com/open?caller="+a.CallerIDNum+"&queue=support&ticket="+a.Uniqueid)
	sc.one("QueueCallerJoin", a, "Queue", "support", "Position", "1", "Count", "1")
	sc.one("Newchannel", b)
	sc.one("NewConnectedLine", b)
	member := []string{"Queue", "support", "MemberName", "Agent " + b.CallerIDNum, "Interface", "PJSIP/200"}
	sc.two("AgentCalled", a, b, member...)
	sc.two("DialBegin", a, b, "DialString", "PJSIP/"+b.Exten)
	b.State = 5
	sc.one("Newstate", b)
	sc.two("DialState", a, b, "DialStatus", "RINGING")
	sc.at += around(t.rng, t.cfg.Ring)
	bridge := fmt.Sprintf("%08x-2c1d-4c4e-9a53-%012x", n, n)
	if answered := t.rng.IntN(10) < 8; answered {
		b.State = 6
		sc.one("Newstate", b)
		sc.two("DialEnd", a, b, "DialStatus", "ANSWER")
		sc.two("AgentConnect", a, b, append(member, "RingTime", "3", "HoldTime", "4")...)
		sc.one("QueueCallerLeave", a, "Queue", "support", "Position", "1", "Count", "0")
		sc.bridged("BridgeEnter", b, bridge, 1)
		sc.bridged("BridgeEnter", a, bridge, 2)
		talk := around(t.rng, t.cfg.Talk)
		for i, ch := range []*Channel{a, b, a, b} {
			sc.at += talk / 4
			sc.one([]string{"RTCPSent", "RTCPReceived"}[i/2], ch, rtcp...)
		}
		sc.bridged("BridgeLeave", b, bridge, 1)
		sc.bridged("BridgeLeave", a, bridge, 0)
		sc.two("AgentComplete", a, b, append(member, "HoldTime", "4", "TalkTime", "30", "Reason", "caller")...)
	} else {
		sc.two("DialEnd", a, b, "DialStatus", "NOANSWER")
		sc.two("AgentRingNoAnswer", a, b, append(member, "RingTime", "10000")...)
	}
	for _, ch := range []*Channel{b, a} {
		sc.one("HangupRequest", ch, "Cause", "16")
		sc.one("Hangup", ch, "Cause", "16", "Cause-txt", "Normal Clearing")
	}
	return sc.scenes
}

// rtcp is what an RTCP report says besides its channel.
var rtcp = []string{
	"To", "192.0.2.10:14223", "From", "192.0.2.1:18767", "SSRC", "0x5b9b7d5c", "PT", "200(SR)", "ReportCount", "1",
	"SentNTP", "1795460079.43892736", "SentRTP", "160000", "SentPackets", "1000", "SentOctets", "160000",
	"Report0SourceSSRC", "0x2a4c9d11", "Report0FractionLost", "0", "Report0CumulativeLost", "0", "Report0HighestSequence", "17301",
	"Report0SequenceNumberCycles", "0", "Report0IAJitter", "12", "Report0LSR", "3120561220", "Report0DLSR", "2.1430",
}

// script collects scenes.
type script struct {
	at     time.Duration
	scenes []scene
}

func (sc *script) add(name string, hs []Header, extra []string) {
	sc.scenes = append(sc.scenes, scene{sc.at, Event{Name: name, Headers: append(hs, pairs(extra)...)}})
}

func (sc *script) one(name string, c *Channel, extra ...string) { sc.add(name, c.snapshot(""), extra) }

func (sc *script) two(name string, a, b *Channel, extra ...string) {
	sc.add(name, append(a.snapshot(""), b.snapshot("Dest")...), extra)
}

func (sc *script) bridged(name string, c *Channel, id string, channels int) {
	sc.add(name, append([]Header{
		{"BridgeUniqueid", id},
		{"BridgeType", "basic"},
		{"BridgeTechnology", "simple_bridge"},
		{"BridgeCreator", "<unknown>"},
		{"BridgeName", "<unknown>"},
		{"BridgeNumChannels", strconv.Itoa(channels)},
		{"BridgeVideoSourceMode", "none"},
	}, c.snapshot("")...), nil)
}
