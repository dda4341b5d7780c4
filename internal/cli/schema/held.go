package schema

import (
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/apntalk/amictl/pkg/ami/state"
)

// heldAbout are the objects of a state, and what is to be said of their keys beyond their names.
var heldAbout = sync.OnceValue(func() map[state.Kind]heldType {
	return map[state.Kind]heldType{
		state.KindNode: {reflect.TypeFor[state.Node](), "A server, and how well it is known", map[string]string{
			"stale":  "Events are missing, and it has not been listed since: what it held is stale.",
			"reason": "Why it is stale: disconnect, or overflow (amictl was too slow); absent before the first list.",
			"parts":  "How each part is known: followed (its list and every event), listed (its list alone), events (they alone: it was not listed yet, or the user may not list it), absent (the server lacks it).",
			"drift":  "What audits found that no event explained.", "refused": "Things beyond the limit of 100,000 of a kind.",
			"short": "Lists that ended before the number of items that they announced.",
		}},
		state.KindChannel: {reflect.TypeFor[state.Channel](), "A channel", map[string]string{
			"linkedid": "Of its call.", "endpoint": "The name without what makes it unique.", "state": "down, ring, ringing, up, busy, …",
			"bridge": "The id of the bridge that it is in.", "answered": "Absent if it was up when it was first listed.",
		}},
		state.KindBridge: {reflect.TypeFor[state.Bridge](), "A bridge", map[string]string{
			"count": "Channels in it.", "channels": "Their uniqueids, the first 32.", "class": "basic, base, stasis, …",
		}},
		state.KindCall: {reflect.TypeFor[state.Call](), "A call that is up", map[string]string{
			"state": "dialing, ringing, waiting (in a queue), up (an application answered), talking.", "legs": "Channels that are up.",
			"channels": "Their uniqueids, at most 32.", "member": "The interface that took it from the queue.", "transfers": "Transfers and pickups.",
			"partial": "Part of it was not seen.",
		}},
		state.KindRecord: {reflect.TypeFor[state.Record](), "A call that ended", map[string]string{
			"answer": "When the first channel was answered.", "ring_us": "Microseconds in which somebody was rung and nobody talked.",
			"talk_us": "Microseconds in which two or more channels were bridged.", "hold_us": "Microseconds in which somebody was on hold.",
			"callee": "The last one reached, else the extension that was dialled.", "queue": "The last one that it was in.",
			"member": "The interface that took it from the queue.", "wait_us": "Microseconds in queues.", "transfers": "Transfers and pickups.",
			"legs": "Its channels, in the order in which they began, at most 64.", "legs_dropped": "Channels beyond those.",
			"outcome": "answered, abandoned (in a queue), busy, no-answer, cancelled, congestion, unavailable, failed, or unknown.",
			"by":      "Who ended it: caller, callee, or server (the dialplan, an action, a timeout); absent if nobody said.",
			"cause":   "Q.850, of the leg that ended it, else of the caller's.", "partial": "Part of it was not seen.",
		}},
		state.KindQueueFigures: {reflect.TypeFor[state.QueueFigures](), "What went through a queue", map[string]string{
			"since": "From when on it is counted.", "offered": "Callers who came in.", "answered": "Calls that a member took.",
			"completed": "Those of them that are over: what Asterisk counts.", "abandoned": "Callers who hung up, or whose time in the queue was over.",
			"left": "Callers who left by a key, or were taken out by an action.", "unknown": "Callers of whom events are missing.",
			"sl_us": "The service level in microseconds.", "in_sl": "Answered within it.", "sl": "Percent: in_sl of answered (ServicelevelPerf).",
			"sl2":         "Percent: answered or abandoned within the service level, of all those (ServicelevelPerf2).",
			"wait_avg_us": "Microseconds that answered calls waited.", "wait_p95_us": "What 95 of 100 of them did not exceed.",
			"talk_us": "Microseconds that members talked, in calls that are over.", "talk_avg_us": "The same a call.",
			"gaps": "How often events were missing: the counts are too low.", "stale": "Events are missing now.", "members": "Those who took calls.",
		}},
		state.KindQueue: {reflect.TypeFor[state.Queue](), "A queue", map[string]string{
			"callers": "Who wait now.", "completed": "Calls, when it was listed.", "abandoned": "Calls, when it was listed.",
			"holdtime_us": "Asterisk's moving average in microseconds, when it was listed.", "talktime_us": "The same of talking.",
			"sl_us": "The threshold of the service level in microseconds.", "sl": "The service level in percent, as Asterisk writes it.",
		}},
		state.KindMember: {reflect.TypeFor[state.Member](), "A member of a queue", map[string]string{
			"state": "Of its device: not-in-use, in-use, ringing, …", "in_call": "false before Asterisk 13.25.", "wrapup_us": "Microseconds.",
		}},
		state.KindCaller: {reflect.TypeFor[state.Caller](), "Who waits in a queue", map[string]string{
			"position": "From 1; 0 if it is not known, as over 1,000 wait.", "priority": "Only lists tell it.",
		}},
		state.KindEndpoint: {reflect.TypeFor[state.Endpoint](), "A PJSIP endpoint, a SIP or an IAX peer", map[string]string{
			"state": "Of its device.", "reach": "reachable, unreachable, lagged, unmonitored.", "contacts": "At most 32.",
		}},
		state.KindDevice: {reflect.TypeFor[state.Device](), "A device", map[string]string{
			"state": "not-in-use, in-use, busy, invalid, unavailable, ringing, ring-in-use, on-hold, unknown.",
		}},
		state.KindHint: {reflect.TypeFor[state.Hint](), "An extension whose state others watch", map[string]string{
			"device": "What it stands for, as the dialplan says.", "state": "idle, in-use, busy, unavailable, ringing, in-use-ringing, hold, …",
		}},
		state.KindRegistration: {reflect.TypeFor[state.Registration](), "A registration of the server's own with somebody else", map[string]string{
			"name": "The section of pjsip.conf.", "username": "Of PJSIP the client URI.", "domain": "Of PJSIP the server URI.",
			"state": "registered, unregistered, rejected, …",
		}},
		state.KindConference: {reflect.TypeFor[state.Conference](), "A room of ConfBridge", map[string]string{
			"bridge": "The bridge's id.", "parties": "Channels in the bridge.", "locked": "When it was listed.", "muted": "When it was listed.",
		}},
		state.KindParked: {reflect.TypeFor[state.Parked](), "A call in a parking lot", map[string]string{
			"space": "The extension that brings it back.", "by": "Who parked it, as Asterisk would dial him.", "timeout": "When it comes back by itself.",
		}},
	}
})

// A heldType is an object of a state, and what is to be said of its keys.
type heldType struct {
	of    reflect.Type
	title string
	keys  map[string]string
}

// heldSchema makes the schema of an object of a state: what JSON makes of its type, and with --follow what became of it.
func heldSchema(kind state.Kind) func() *schema {
	return func() *schema { return held(kind) }
}

func held(kind state.Kind) *schema {
	about := heldAbout()[kind]
	all := []member{must("type", constant(string(kind)))}
	by := "What `state` prints."
	switch kind {
	case state.KindRecord:
		by = "What `calls` prints."
	case state.KindQueueFigures:
		by = "What `state queues --stats` prints."
	default:
		all = append(all,
			may("op", oneOf("Of `state --follow`: what became of it. A remove has what it last was.", "add", "change", "remove")),
			may("changed", listOf(str(""), "Of a change: the keys that have other values.")),
			may("time", when("Of `state --follow`: when the server said so.")),
		)
	}
	for _, f := range reflect.VisibleFields(about.of) {
		if f.Anonymous {
			continue
		}
		key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		s := schemaOf(f.Type)
		if f.Type == reflect.TypeFor[time.Time]() {
			s = when("")
		}
		if text := about.keys[key]; text != "" {
			s.Description = strings.TrimSpace(text + " " + s.Description)
		}
		all = append(all, member{key: key, schema: s, optional: strings.Contains(options, "omit")})
	}
	return object(about.title, by, append(all, lossy())...)
}

func syncedSchema() *schema {
	return object("A node that was listed whole", "What `state --follow` prints when what it has printed of a node is what that holds.",
		must("type", constant("synced")), must("time", when("")), must("node", str("")), lossy())
}
