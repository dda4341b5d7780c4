package state

import (
	"maps"
	"slices"
	"sync"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

type handler func(*server, *wire.Message)

// handlers has what each event does, by its name in lower case.
var handlers = sync.OnceValue(func() map[string]handler {
	return map[string]handler{
		"newchannel":           newchannel,
		"newstate":             snapshot,
		"newexten":             newexten,
		"newcallerid":          snapshot,
		"newconnectedline":     snapshot,
		"newaccountcode":       snapshot,
		"rename":               rename,
		"hold":                 hold,
		"unhold":               unhold,
		"hangup":               hangup,
		"hanguprequest":        hangupRequest,
		"softhanguprequest":    softHangupRequest,
		"dialend":              dialEnd,
		"bridgecreate":         bridgeCreate,
		"bridgedestroy":        bridgeDestroy,
		"bridgeenter":          bridgeEnter,
		"bridgeleave":          bridgeLeave,
		"bridgemerge":          bridgeMerge,
		"blindtransfer":        blindTransfer,
		"attendedtransfer":     attendedTransfer,
		"pickup":               pickup,
		"queuememberadded":     queueMember,
		"queuememberstatus":    queueMember,
		"queuememberpause":     queueMember,
		"queuememberpaused":    queueMember, // 13 and older
		"queuememberpenalty":   queueMember,
		"queuememberremoved":   queueMemberRemoved,
		"queuecallerjoin":      queueCallerJoin,
		"queuecallerleave":     queueCallerLeave,
		"queuecallerabandon":   queueCallerAbandon,
		"agentconnect":         agentConnect,
		"agentcomplete":        agentComplete,
		"contactstatus":        contactStatus,
		"peerstatus":           peerStatus,
		"devicestatechange":    deviceStateChange,
		"extensionstatus":      extensionStatus,
		"registry":             registry,
		"confbridgestart":      conference,
		"confbridgejoin":       conference,
		"confbridgeend":        conferenceEnd,
		"parkedcall":           parkedCall,
		"unparkedcall":         unparked,
		"parkedcalltimeout":    unparked,
		"parkedcallgiveup":     unparked,
		"parkedcallswap":       parkedSwap,
		"queuememberringinuse": queueMember,
	}
})

// shellEvents are of interest to the shells alone: when to list again.
var shellEvents = []string{"fullybooted", "reload"}

// handlerOf finds what an event does, whatever the case of its name.
func handlerOf(name string) handler {
	var low [24]byte
	if len(name) > len(low) {
		return nil
	}
	for i := range len(name) {
		c := name[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		low[i] = c
	}
	return handlers()[string(low[:len(name)])]
}

// eventNames returns the names of all events that are of use.
func eventNames() []string {
	return append(slices.Sorted(maps.Keys(handlers())), shellEvents...)
}
