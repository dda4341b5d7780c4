package timeline

import (
	"fmt"
	"strings"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// Words says in a few words what an event tells, and of which leg.
func (t *Timeline) Words(m *wire.Message) (l *Leg, text string) {
	all := blocks(m)
	for _, b := range all { // the first of its channels that is the call's own is whom it is about
		if l = t.legs[b.uniqueid]; l != nil {
			break
		}
	}
	if l == nil {
		return nil, ""
	}
	say := phrases[strings.ToLower(m.Name())]
	if say == nil {
		return l, m.Name()
	}
	return l, strings.Join(strings.Fields(say(t, m)), " ")
}

// phrases has how events are told, by their names in lower case. What is not here is told by its name.
var phrases = map[string]func(*Timeline, *wire.Message) string{
	"newchannel":       func(_ *Timeline, m *wire.Message) string { return "begins " + exten(m) },
	"newstate":         func(_ *Timeline, m *wire.Message) string { return "is " + strings.ToLower(m.Get("ChannelStateDesc")) },
	"newexten":         func(_ *Timeline, m *wire.Message) string { return exten(m) + " " + application(m) },
	"newcallerid":      func(_ *Timeline, m *wire.Message) string { return "is called " + who(m, "CallerID") },
	"newconnectedline": func(_ *Timeline, m *wire.Message) string { return "sees " + who(m, "ConnectedLine") },
	"rename":           func(_ *Timeline, m *wire.Message) string { return "is now " + m.Get("Newname") },
	"dialbegin":        func(t *Timeline, m *wire.Message) string { return t.dials(m, "dials ") },
	"dialstate": func(t *Timeline, m *wire.Message) string {
		return t.dials(m, "dials ") + ": " + strings.ToLower(m.Get("DialStatus"))
	},
	"dialend": func(t *Timeline, m *wire.Message) string {
		return t.dials(m, "dialled ") + ": " + strings.ToLower(m.Get("DialStatus"))
	},
	"bridgeenter":      func(t *Timeline, m *wire.Message) string { return "enters bridge " + t.bridge(m.Get("BridgeUniqueid")) },
	"bridgeleave":      func(t *Timeline, m *wire.Message) string { return "leaves bridge " + t.bridge(m.Get("BridgeUniqueid")) },
	"hold":             func(*Timeline, *wire.Message) string { return "holds" },
	"unhold":           func(*Timeline, *wire.Message) string { return "resumes" },
	"musiconholdstart": func(_ *Timeline, m *wire.Message) string { return "hears music " + m.Get("Class") },
	"musiconholdstop":  func(*Timeline, *wire.Message) string { return "music ends" },
	"dtmfend": func(_ *Timeline, m *wire.Message) string {
		return "DTMF " + m.Get("Digit") + " " + strings.ToLower(m.Get("Direction"))
	},
	"queuecallerjoin": func(_ *Timeline, m *wire.Message) string {
		return "waits in " + m.Get("Queue") + ", place " + m.Get("Position")
	},
	"queuecallerleave":   func(_ *Timeline, m *wire.Message) string { return "leaves " + m.Get("Queue") },
	"queuecallerabandon": func(_ *Timeline, m *wire.Message) string { return "gives up on " + m.Get("Queue") },
	"agentcalled":        func(_ *Timeline, m *wire.Message) string { return "rings member " + m.Get("MemberName") },
	"agentconnect":       func(_ *Timeline, m *wire.Message) string { return "gets member " + m.Get("MemberName") },
	"agentringnoanswer":  func(_ *Timeline, m *wire.Message) string { return "no answer from member " + m.Get("MemberName") },
	"agentcomplete": func(_ *Timeline, m *wire.Message) string {
		return "done with member " + m.Get("MemberName") + ", by " + m.Get("Reason")
	},
	"blindtransfer": func(_ *Timeline, m *wire.Message) string { return "transfers blind to " + m.Get("Extension") },
	"attendedtransfer": func(t *Timeline, m *wire.Message) string {
		to := t.name(m, "TransferTarget")
		if to == "" {
			to = who(m, "SecondTransfererConnectedLine")
		}
		return "transfers attended to " + to
	},
	"pickup":            func(t *Timeline, m *wire.Message) string { return "picks up " + t.name(m, "Target") },
	"parkedcall":        func(_ *Timeline, m *wire.Message) string { return "is parked at " + m.Get("ParkingSpace") },
	"unparkedcall":      func(t *Timeline, m *wire.Message) string { return "is retrieved by " + t.name(m, "Retriever") },
	"parkedcalltimeout": func(*Timeline, *wire.Message) string { return "was parked for too long" },
	"parkedcallgiveup":  func(*Timeline, *wire.Message) string { return "gives up being parked" },
	"localbridge":       func(t *Timeline, m *wire.Message) string { return "is joined with " + t.name(m, "LocalTwo") },
	"localoptimizationbegin": func(t *Timeline, m *wire.Message) string {
		return "is being optimised away for " + t.name(m, "Source")
	},
	"varset": func(_ *Timeline, m *wire.Message) string { return m.Get("Variable") + "=" + m.Get("Value") },
	"confbridgejoin": func(_ *Timeline, m *wire.Message) string {
		return "joins conference " + m.Get("Conference")
	},
	"confbridgeleave":   func(_ *Timeline, m *wire.Message) string { return "leaves conference " + m.Get("Conference") },
	"hanguprequest":     func(*Timeline, *wire.Message) string { return "hangs up" },
	"softhanguprequest": func(*Timeline, *wire.Message) string { return "is asked to hang up" },
	"hangup": func(_ *Timeline, m *wire.Message) string {
		return "ends: " + m.Get("Cause") + " " + m.Get("Cause-txt")
	},
}

// unknown is what Asterisk writes for a number or name that it does not have.
const unknown = "<unknown>"

func exten(m *wire.Message) string {
	if e := m.Get("Exten"); e != "" && e != "s" {
		return e + "@" + m.Get("Context")
	}
	return ""
}

func application(m *wire.Message) string {
	return fmt.Sprintf("%s(%s)", m.Get("Application"), m.Get("AppData"))
}

// who is a number and a name.
func who(m *wire.Message, prefix string) string {
	number, name := m.Get(prefix+"Num"), m.Get(prefix+"Name")
	if name == number || name == unknown {
		name = ""
	}
	if number == unknown {
		number = ""
	}
	if number+name == "" {
		return "nobody"
	}
	return number + " " + name
}

// dials says whom a channel dials. An Originate dials without one.
func (t *Timeline) dials(m *wire.Message, verb string) string {
	if m.Get("Uniqueid") == "" {
		return "is dialled"
	}
	return verb + t.name(m, "Dest")
}

// name names another channel of an event: by its number, if it is of the call.
func (t *Timeline) name(m *wire.Message, prefix string) string {
	if l := t.legs[m.Get(prefix+"Uniqueid")]; l != nil {
		return fmt.Sprintf("%d", l.number)
	}
	return m.Get(prefix + "Channel")
}

// bridge gives each bridge a letter.
func (t *Timeline) bridge(id string) string {
	name := t.bridges[id]
	if name == "" {
		if n := len(t.bridges); n < 26 {
			name = string(rune('A' + n))
		} else {
			name = fmt.Sprintf("%d", n+1)
		}
		if len(t.bridges) < mostIDs {
			t.bridges[strings.Clone(id)] = name
		}
	}
	return name
}
