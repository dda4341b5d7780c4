package state_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A scene is something that happens at a server.
type scene struct {
	name string
	rare int // one in so many times; 0: always
	play func(*world, *amitest.Server)
}

func (w *world) channel(srv *amitest.Server) string {
	cs := srv.State().Channels()
	if len(cs) == 0 {
		return "none"
	}
	return cs[w.rng.IntN(len(cs))].Uniqueid
}

func (w *world) one(of []string) string { return of[w.rng.IntN(len(of))] }

func (w *world) incoming(srv *amitest.Server) string {
	c := srv.Dial("", amitest.Channel{
		Name: "PJSIP/trunk", CallerIDNum: fmt.Sprint(200 + w.rng.IntN(100)), CallerIDName: w.one([]string{"", "O'Brien", `A "B"`}),
		Context: "default", Exten: "100",
	})
	return c.Uniqueid
}

func (w *world) ring(srv *amitest.Server, caller string) string {
	return srv.Dial(caller, amitest.Channel{Name: "PJSIP/" + w.one(endpoints), CallerIDNum: "100", Context: "default", Exten: "100"}).Uniqueid
}

// talk is a call in which two talk; it returns both ends.
func (w *world) talk(srv *amitest.Server) (a, b string) {
	a = w.incoming(srv)
	b = w.ring(srv, a)
	srv.Answer(b)
	return a, b
}

var scenes = []scene{
	{name: "incoming", play: func(w *world, srv *amitest.Server) { w.incoming(srv) }},
	{name: "ring", play: func(w *world, srv *amitest.Server) { w.ring(srv, w.channel(srv)) }},
	{name: "talk", play: func(w *world, srv *amitest.Server) { w.talk(srv) }},
	{name: "answer", play: func(w *world, srv *amitest.Server) { srv.Answer(w.channel(srv)) }},
	{name: "hangup", play: func(w *world, srv *amitest.Server) { srv.Hangup(w.channel(srv), 16) }},
	{name: "hangup and an echo", play: func(w *world, srv *amitest.Server) { // Asterisk tells of channels that are gone [live]
		if cs := srv.State().Channels(); len(cs) > 0 {
			c := cs[w.rng.IntN(len(cs))]
			srv.Hangup(c.Uniqueid, 16)
			srv.EmitEvent("NewCallerid", "Channel", c.Name, "ChannelState", "6", "Uniqueid", c.Uniqueid, "Linkedid", c.Linkedid)
		}
	}},
	{name: "hangup more", play: func(w *world, srv *amitest.Server) {
		for range w.rng.IntN(5) {
			srv.Hangup(w.channel(srv), 17)
		}
	}},
	{name: "execute", play: func(w *world, srv *amitest.Server) {
		srv.Execute(w.channel(srv), "200", w.one([]string{"Playback", "Wait"}), "x")
	}},
	{name: "hold", play: func(w *world, srv *amitest.Server) { srv.Hold(w.channel(srv), w.rng.IntN(2) == 0) }},
	{name: "rename", play: func(w *world, srv *amitest.Server) {
		srv.Rename(w.channel(srv), fmt.Sprintf("PJSIP/%s-%08x", w.one(endpoints), w.rng.Uint32()))
	}},
	{name: "blind transfer", play: func(w *world, srv *amitest.Server) { srv.BlindTransfer(w.channel(srv), "300") }},
	{name: "attended transfer", play: func(w *world, srv *amitest.Server) {
		_, b := w.talk(srv)
		time.Sleep(time.Duration(w.rng.IntN(300)) * time.Millisecond)
		c, _ := w.talk(srv)
		srv.AttendedTransfer(b, c)
	}},
	{name: "bridge", play: func(w *world, srv *amitest.Server) {
		ids := []string{w.channel(srv), w.channel(srv), w.channel(srv)}
		slices.Sort(ids)
		srv.Bridge(slices.Compact(ids)...)
	}},
	{name: "unbridge", play: func(w *world, srv *amitest.Server) { srv.Unbridge(w.channel(srv)) }},
	{name: "conference", play: func(w *world, srv *amitest.Server) { srv.JoinConference(w.one(rooms), w.channel(srv)) }},
	{name: "queue", play: func(w *world, srv *amitest.Server) { srv.JoinQueue(w.one(queues), w.channel(srv)) }},
	{name: "queue call", play: func(w *world, srv *amitest.Server) {
		q, a := w.one(queues), w.incoming(srv)
		srv.Answer(a)
		srv.JoinQueue(q, a)
		b := w.ring(srv, a)
		time.Sleep(time.Duration(w.rng.IntN(300)) * time.Millisecond)
		srv.ConnectQueue(q, a, "PJSIP/alice", b)
	}},
	{name: "leave queue", play: func(w *world, srv *amitest.Server) { srv.LeaveQueue(w.one(queues), w.channel(srv), w.rng.IntN(2) == 0) }},
	{name: "member", play: func(w *world, srv *amitest.Server) {
		srv.SetMember(w.one(queues), w.one([]string{"PJSIP/alice", "PJSIP/bob"}), 1+w.rng.IntN(6), w.rng.IntN(2) == 0, "tea")
	}},
	{name: "members", play: func(w *world, srv *amitest.Server) {
		w.ask(srv, w.one([]string{"QueueAdd", "QueueRemove"}), "Queue", w.one(queues), "Interface", "PJSIP/"+w.one(endpoints))
	}},
	{name: "park", play: func(w *world, srv *amitest.Server) { srv.Park(w.channel(srv)) }},
	{name: "unpark", play: func(w *world, srv *amitest.Server) { srv.Unpark(w.channel(srv), w.rng.IntN(2) == 0) }},
	{name: "device", play: func(w *world, srv *amitest.Server) {
		srv.SetDevice(w.one([]string{"PJSIP/alice", "PJSIP/bob", "Custom:x"}), w.one([]string{"INUSE", "NOT_INUSE", "RINGING"}))
	}},
	{name: "contact", play: func(w *world, srv *amitest.Server) {
		srv.SetContact(w.one(endpoints), w.one([]string{"", "sip:x@192.0.2.7:5060"}))
	}},
	{name: "registration", play: func(w *world, srv *amitest.Server) {
		srv.SetRegistration("trunk", "", "", w.one([]string{"Registered", "Unregistered", "Rejected"}))
	}},
	{name: "kick", rare: 4, play: func(_ *world, srv *amitest.Server) { srv.Kick() }},
	{name: "cut list", rare: 4, play: func(w *world, srv *amitest.Server) {
		w.fault(srv, "rst action=%s after=%d", w.one(lists), w.rng.IntN(1500))
	}},
	{name: "short list", rare: 4, play: func(w *world, srv *amitest.Server) {
		w.fault(srv, "truncate action=%s bytes=%d", w.one(lists), w.rng.IntN(1500))
	}},
	{name: "refused list", rare: 8, play: func(w *world, srv *amitest.Server) {
		w.fault(srv, "refuse action=%s message=\"Permission denied\"", w.one(lists))
		srv.Kick()
	}},
	{name: "restart", rare: 10, play: func(w *world, srv *amitest.Server) { w.fault(srv, "restart for=%dms", 100+w.rng.IntN(2000)) }},
	{name: "pause", play: func(w *world, _ *amitest.Server) { time.Sleep(time.Duration(w.rng.IntN(2000)) * time.Millisecond) }},
}

var lists = []string{"CoreShowChannels", "BridgeList", "QueueStatus", "PJSIPShowEndpoints", "DeviceStateList", "ParkedCalls"}

func (w *world) fault(srv *amitest.Server, format string, args ...any) {
	if err := srv.InjectText(fmt.Sprintf(format, args...)); err != nil {
		w.t.Fatal(err)
	}
}
