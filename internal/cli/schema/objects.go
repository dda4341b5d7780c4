package schema

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/bench"
	"github.com/apntalk/amictl/internal/bench/report"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// Schemas are the objects that amictl prints, by name.
var Schemas = sync.OnceValue(func() map[string]func() *schema {
	return map[string]func() *schema{
		"event":            eventSchema,
		"item":             itemSchema,
		"packet":           packetSchema,
		"gap":              gapSchema,
		"reply":            replySchema,
		"error":            errorSchema,
		"health":           healthSchema,
		"stats":            statsSchema,
		"synced":           syncedSchema,
		"call":             callSchema,
		"node":             heldSchema(state.KindNode),
		"channel":          heldSchema(state.KindChannel),
		"bridge":           heldSchema(state.KindBridge),
		"live-call":        heldSchema(state.KindCall),
		"call-record":      heldSchema(state.KindRecord),
		"queue":            heldSchema(state.KindQueue),
		"queue-figures":    heldSchema(state.KindQueueFigures),
		"member":           heldSchema(state.KindMember),
		"caller":           heldSchema(state.KindCaller),
		"endpoint":         heldSchema(state.KindEndpoint),
		"device":           heldSchema(state.KindDevice),
		"hint":             heldSchema(state.KindHint),
		"registration":     heldSchema(state.KindRegistration),
		"conference":       heldSchema(state.KindConference),
		"parked-call":      heldSchema(state.KindParked),
		"check":            checkSchema,
		"dialed":           dialedSchema,
		"drain":            drainSchema,
		"bus-node":         busNodeSchema,
		"bus-durable":      busDurableSchema,
		"bus-ledger":       busLedgerSchema,
		"bus-move":         busMoveSchema,
		"context-check":    contextCheckSchema,
		"dry-run":          dryRunSchema,
		"live-action":      liveActionSchema,
		"version":          versionSchema,
		"action":           actionSchema,
		"event-name":       eventNameSchema,
		"schema-name":      schemaNameSchema,
		"context":          contextSchema,
		"context-node":     contextNodeSchema,
		"setting":          settingSchema,
		"sim":              simSchema,
		"control":          controlSchema,
		"scenario":         scenarioSchema,
		"bench-result":     benchResultSchema,
		"bench-interval":   benchIntervalSchema,
		"bench-comparison": benchComparisonSchema,
		"bench-file":       benchFileSchema,
	}
})

const (
	aboutNode   = "The node's name. Absent if it came from a raw capture."
	aboutFields = "The headers as the server spelled them, each with its first value. An absent key was not sent, an empty string was an empty header."
)

// stamped are the keys that begin every object of a server's.
func stamped(typ string) []member {
	return []member{
		must("type", constant(typ)),
		may("node", str(aboutNode)),
		may("time", when("When it was received.")),
		may("ts", decimal("The same as seconds since 1970.")),
	}
}

func origin() []member {
	return []member{
		may("action", str("The action that it belongs to.")),
		may("id", str("The caller's own id, from a line of `send -`.")),
		may("line", whole("The line of standard input that asked, counted from 1.")),
	}
}

func headers() []member {
	return []member{
		must("fields", mapOf(str(""), aboutFields)),
		may("multi", mapOf(listOf(str(""), ""), "All values of each header that repeats.")),
		may("text", listOf(str(""), "Lines of the packet that are no header.")),
	}
}

func lossy() member {
	return may("lossy", &schema{Const: true, Description: "It held bytes that are not UTF-8; each became U+FFFD."})
}

func keys(lists ...[]member) (all []member) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

func eventSchema() *schema {
	return object("An event", "What `tail` and `wait` print.",
		keys(stamped("event"), []member{must("event", str("The event's name as the server spells it."))}, headers(), []member{lossy()})...)
}

func itemSchema() *schema {
	return object("An element of a list", "What `send --items` prints as it arrives, and nothing else; `send - --items` prints the reply to a line behind its items.",
		keys(stamped("item"), origin(), []member{may("event", str("The name of the event that carries it."))}, headers(), []member{lossy()})...)
}

func packetSchema() *schema {
	return object("A packet that is neither an event nor an answer", "What `tail --packets` prints of text without a Response header, and of answers to nobody here.",
		keys(stamped("packet"), []member{must("text", str("As it came, line ends included.")), lossy()})...)
}

func gapSchema() *schema {
	return object("Missing events", "It stands where they are missing.", keys(stamped("gap"), []member{
		must("reason", oneOf("overflow: the reader was too slow; disconnect: the connection was lost, and how many are missing cannot be known. On a bus also unpublished: it did not take them; expired: it no longer had them; unreadable: a batch was broken; unknown: of a newer program.",
			"overflow", "disconnect", "unpublished", "expired", "unreadable", "unknown")),
		may("dropped", whole("How many, of an overflow, or unpublished.")),
		may("since", when("When the connection was lost.")),
		may("until", when("When the stream resumed; absent while it has not.")),
		lossy(),
	})...)
}

func replySchema() *schema {
	inner := object("", "", keys([]member{may("event", str(""))}, headers())...)
	return object("The complete answer to an action", "What `send`, `originate` and, with -o, `command` print.",
		keys(stamped("reply"), origin(), []member{
			must("response", str("The Response header: Success, Error, Goodbye, Follows, Pong…")),
			may("message", str("The Message header.")),
			may("outcome", oneOf("How an Originate that was waited for ended.", "answered", "busy", "no-answer", "congestion", "failed")),
			must("rtt_us", whole("Microseconds from the write to the answer's end.")),
		}, headers(), []member{
			may("output", listOf(str(""), "Of Command: the lines of its text.")),
			may("events", listOf(inner, "Of a list: its elements, without the end event. Absent with `send - --items`.")),
			may("items", whole("Of a list: how many elements are in events, or were printed before with `send - --items`.")),
			may("complete", yesNo("false: elements are missing, for the list was cut off or cancelled, or announced more. Else absent.")),
			may("raw", str("What came of an answer that named no action, as it came; it was taken for this one because the server had gone on.")),
			may("end", inner),
			lossy(),
		})...)
}

func errorSchema() *schema {
	return object("A failure", "Printed for each failure of `send -` and of several nodes; one action to one node fails on standard error alone.",
		keys(stamped("error"), origin(), []member{
			must("code", oneOf("What kind of failure. The list is closed.", codes()...)),
			must("exit", whole("The exit status that it stands for.")),
			may("sent", oneOf("Whether the action left amictl: whether it may have run.", "no", "maybe", "yes")),
			must("message", str("")),
			may("hint", str("What to do about it.")),
			lossy(),
		})...)
}

func healthSchema() *schema {
	return object("A node's health", "What `health` prints. What is unknown is absent.",
		must("type", constant("health")),
		must("node", str("")),
		must("time", when("")),
		must("state", oneOf("", "ready", "degraded", "critical", "login-refused", "stopping", "down")),
		may("breaker", oneOf("Of a node that --watch follows.", "closed", "open", "half-open")),
		may("login_us", whole("Microseconds from dial to the login's answer.")),
		may("ping_us", whole("Microseconds of a Ping.")),
		may("version", str("Of Asterisk.")),
		may("uptime_s", whole("Seconds since Asterisk started, by its local time.")),
		may("calls", whole("")),
		may("channels", whole("")),
		may("banner", str("The version of the manager protocol.")),
		may("code", oneOf("Why it is not ready, as in an error.", codes()...)),
		may("reason", str("The same in words.")), lossy())
}

func statsSchema() *schema {
	return object("A count of events", "What `tail --stats` prints, the largest first. The event (dropped) counts what was lost, and (other) what came under more than 250,000 names.",
		must("type", constant("stats")), may("node", str("Absent for a raw capture.")), must("event", str("")), must("count", whole("")), may("rate", decimal("A second; absent for a replay of one instant.")), lossy())
}

func callSchema() *schema {
	return object("A call's end", "What `originate --wait hangup` prints after the reply.",
		must("type", constant("call")), must("node", str("")), must("time", when("Of the Hangup.")), must("channel", str("")), must("uniqueid", str("")),
		must("outcome", constant("answered")), must("cause", str("The number of the hangup's cause (causes.h).")), must("cause_text", str("")),
		must("duration_us", whole("Microseconds from the answer to the Hangup.")), lossy())
}

func dialedSchema() *schema {
	return object("A number that was called", "What `dial` prints, once for each number.",
		must("type", constant("dialed")), must("node", str("Of the last attempt.")), must("time", when("When its last call was over.")), must("number", str("")),
		must("outcome", oneOf("How the last attempt ended; unknown: nobody saw it.", "answered", "busy", "no-answer", "congestion", "failed", "unknown")),
		must("attempts", whole("Calls that were made, those of earlier runs included.")),
		may("cause", str("The number of the hangup's cause (causes.h), if there was a channel.")),
		may("ring_us", whole("Microseconds from the Originate to its outcome, as far as it was seen.")),
		may("talk_us", whole("Microseconds from the answer to the Hangup, as far as both were seen.")),
		must("uniqueid", str("The ChannelId of the last attempt.")),
		may("message", str("The server's words, if it refused the Originate.")), lossy())
}

func drainSchema() *schema {
	return object("A server that was drained", "What `drain` prints.",
		must("type", constant("drain")), must("node", str("")), must("time", when("When it was empty.")), must("calls", whole("At the beginning.")),
		must("hung_up", whole("Channels that --hangup-after hung up.")), must("drain_us", whole("Microseconds until it was empty.")),
		may("run", str("The console command.")), may("run_us", whole("Microseconds until it was answered, or the session ended.")),
		may("back_us", whole("Microseconds from then until the server had booted again.")),
		may("output", listOf(str(""), "Lines of a command that was answered.")), lossy())
}

func busNodeSchema() *schema {
	return object("A node on a bus", "What `bus info` prints.",
		must("type", constant("bus-node")), must("cluster", str("")), must("node", str("")), may("bridge", str("That owns it; absent if none does.")),
		may("since", when("It has owned it.")), must("batches", whole("Messages of the stream that are stored.")),
		may("standbys", listOf(object("", "",
			must("bridge", str("")), must("in_step", yesNo("It would go on without a gap if the owner died now.")),
			may("since", when("What it remembers goes back to then.")), may("reason", str("Why it is not in step."))),
			"Bridges with --hot that stand by for it; absent if there are none, or the bus does not allow to ask for them.")), lossy())
}

func busDurableSchema() *schema {
	return object("A durable of tail on a bus", "What `bus info` prints behind the nodes.",
		must("type", constant("bus-durable")), must("cluster", str("")), must("durable", str("Its name.")),
		must("nodes", listOf(str("A name or glob."), "That it is for; none: all.")), must("behind", whole("Batches that are not acknowledged yet.")), lossy())
}

func busLedgerSchema() *schema {
	return object("What a whole stream holds of a node", "What `bus verify` prints.",
		must("type", constant("bus-ledger")), must("cluster", str("")), must("node", str("")), must("batches", whole("")), must("packets", whole("")),
		must("sessions", whole("")), must("owners", whole("Times that a bridge took the node over.")), must("gaps", whole("Marks of events that are missing.")),
		must("dropped", whole("Events that these marks count; of a lost session nobody knows how many.")),
		must("faults", listOf(str(""), "What should not be: batches that are missing or cannot be read, packets twice or out of order.")), lossy())
}

func busMoveSchema() *schema {
	return object("A node that was moved to another bridge", "What `bus move` prints.",
		must("type", constant("bus-move")), must("cluster", str("")), must("node", str("")), must("from", str("The bridge that owned it.")),
		must("to", str("The bridge that owns it now.")), must("whole", yesNo("No event is missing, and none is there twice; else a gap marks where.")),
		must("move_us", whole("Microseconds until the other bridge owned it.")), lossy())
}

func contextCheckSchema() *schema {
	return object("A node of a context, tried out", "What `context check` prints.",
		must("type", constant("context-check")), must("context", str("")), must("node", str("")), must("time", when("")), must("ok", yesNo("")),
		must("url", str("")), may("secret", str("A reference, never the secret.")), may("code", oneOf("Why not, as in an error.", codes()...)), may("reason", str("The same in words.")), lossy())
}

func checkSchema() *schema {
	return object("A check of a node", "What `check` prints.", must("type", constant("check")), must("node", str("")), must("time", when("")),
		must("check", str("What was looked at.")), must("status", oneOf("warn: a warn is met; fail: a crit is met, or what must be is not; skip: the user may not ask, or there is no session; unknown: what the profile asks for is not known.",
			"pass", "warn", "fail", "skip", "unknown")), must("took_us", whole("Microseconds.")),
		may("figures", mapOf(decimal(""), "The figures that are known, by the names that conditions have for them; times in seconds.")),
		may("code", oneOf("Why it failed, as in an error.", codes()...)), may("detail", str("What was found, in words.")), lossy())
}

func dryRunSchema() *schema {
	return object("An action that was not sent", "What --dry-run prints.", must("type", constant("dry-run")), must("node", str("")), must("addr", str("")),
		must("action", str("")), may("line", whole("The line of standard input that asked.")), must("packet", str("The bytes, without secrets.")), lossy())
}

func liveActionSchema() *schema {
	return object("An action that a server has", "What `actions --live` prints.", must("type", constant("live-action")), must("node", str("")), must("action", str("")),
		must("classes", listOf(str(""), "A user needs one of them in write=; none if empty.")), must("in_catalogue", yesNo("")), must("summary", str("")), lossy())
}

func versionSchema() *schema {
	module := object("", "", must("path", str("")), must("version", str("")), may("sum", str("As in go.sum.")))
	return object("The version of amictl", "", must("type", constant("version")), must("version", str("")), may("commit", str("")),
		may("date", when("Of the commit.")), must("go", str("Of the compiler.")), must("platform", str("Such as linux/amd64.")),
		must("modules", listOf(module, "The dependencies that are linked in; none where the binary does not tell, as in a test.")))
}

func actionSchema() *schema {
	return object("An action of the catalogue", "What `actions` prints.",
		must("action", str("")),
		must("classes", listOf(str(""), "A user needs one of them in write=; none if empty.")),
		must("read_only", yesNo("It changes nothing on the server.")),
		must("legacy", yesNo("Gone from current releases.")),
		may("end_event", str("The event that ends its list.")),
		may("odd_answer", oneOf("How its answer is unlike others: it has no ActionID (unnamed), or its end or its items have none, or no blank line stands between the items (glued).",
			"unnamed", "unnamed-end", "unnamed-items", "glued")),
		must("params", listOf(str(""), "The headers that it understands.")),
		must("required", listOf(str(""), "Those that it needs.")))
}

func eventNameSchema() *schema {
	return object("An event of the catalogue", "What `events` prints.", must("event", str("")),
		must("classes", listOf(str(""), "A user needs all of them in read=; if empty, it only comes in answers.")),
		may("since", str("The first series of Asterisk that has it, if later than 13.")),
		may("removed", str("The first series without it.")),
		may("answers", listOf(str(""), "The actions whose answers hold it.")),
		may("ends", listOf(str(""), "The actions whose list it ends.")),
		must("headers", listOf(str(""), "In the order in which they are sent, without those that any event may have, such as Privilege.")),
		must("optional", listOf(str(""), "Those of them that are not always there.")),
		must("repeats", listOf(str(""), "Those of them that may stand several times.")),
		must("any_header", yesNo("It may have any other header too.")))
}

func schemaNameSchema() *schema {
	return object("A schema", "What `schema` prints without a name.", must("schema", str("")), must("title", str("")))
}

func contextSchema() *schema {
	return object("A context", "What `context list` prints.", must("context", str("")), must("current", yesNo("")), must("nodes", whole("")),
		must("protect", yesNo("What is not read-only asks, or needs --yes.")))
}

func contextNodeSchema() *schema {
	return object("A node of a context", "What `context show` prints.", must("context", str("")), must("node", str("")), must("url", str("")),
		must("user", str("")), must("secret", str("A reference, never the secret.")), must("labels", mapOf(str(""), "")))
}

func settingSchema() *schema {
	return object("A setting", "What `config explain` prints.", must("setting", str("")), must("value", str("")),
		must("source", str("flag, the environment variable, context, file or default.")))
}

func simSchema() *schema {
	node := object("", "", must("name", str("")), must("addr", str("")), must("url", str("")))
	return object("A simulated cluster", "What `sim` prints once all servers listen.",
		must("type", constant("sim")), must("version", str("")), must("user", str("")), must("config", str("A configuration file for amictl.")),
		must("secret_file", str("")), may("ca", str("")), may("control", str("")), must("nodes", listOf(node, "")))
}

func controlSchema() *schema {
	return object("The answer to a control line of sim", "", must("type", oneOf("", "control", "error")), must("line", str("")), may("servers", whole("")),
		may("ledger", mapOf(whole(""), "What the servers counted.")), may("code", oneOf("", codes()...)), may("message", str("")))
}

func scenarioSchema() *schema {
	return object("A scenario's result", "What `sim check` prints.", must("type", constant("scenario")), must("name", str("")), must("result", str("")),
		must("checks", whole("")), must("actions", whole("")), must("events", whole("")), must("took_us", whole("")), must("failures", listOf(str(""), "")))
}

func benchFileSchema() *schema {
	s := schemaOf(reflect.TypeFor[bench.Result]())
	s.Title, s.Description = "A bench result as a file", "What `bench --out` writes and `bench -o json` prints. Microseconds, bytes, a second."
	return s
}

func benchResultSchema() *schema {
	s := benchFileSchema()
	s.Title, s.Description = "A bench result", "What `bench -o jsonl` prints at the end."
	return typed("result", s)
}

func benchIntervalSchema() *schema {
	s := schemaOf(reflect.TypeFor[bench.Interval]())
	s.Title, s.Description = "A stretch of a bench run", "What `bench -o jsonl` prints while it runs. A percentile for which it has too few samples is that of this stretch together with those before it that had too few as well."
	return typed("interval", s)
}

func benchComparisonSchema() *schema {
	s := schemaOf(reflect.TypeFor[report.Comparison]())
	s.Title, s.Description = "A bench result against another", "What `bench compare -o jsonl` prints."
	return typed("comparison", s)
}

func typed(name string, s *schema) *schema {
	s.Properties = append(members{must("type", constant(name)), must("time", when("")), must("ts", decimal(""))}, s.Properties...)
	s.Required = append([]string{"type", "time", "ts"}, s.Required...)
	return s
}

// schemaOf describes what encoding/json makes of a type.
func schemaOf(t reflect.Type) *schema {
	if t.Kind() == reflect.Pointer {
		return schemaOf(t.Elem())
	}
	if t == reflect.TypeFor[time.Time]() {
		return str("RFC 3339.")
	}
	zero := reflect.New(t)
	_, marshals := zero.Interface().(json.Marshaler)
	if _, text := zero.Interface().(encoding.TextMarshaler); text || marshals {
		if b, err := json.Marshal(zero.Interface()); err == nil && len(b) > 0 && b[0] == '"' {
			return str("")
		}
		return &schema{}
	}
	switch t.Kind() {
	case reflect.Struct:
		return object("", "", fieldsOf(t)...)
	case reflect.Slice:
		return listOf(schemaOf(t.Elem()), "")
	case reflect.Map:
		return mapOf(schemaOf(t.Elem()), "")
	case reflect.String:
		return str("")
	case reflect.Bool:
		return yesNo("")
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Uint64, reflect.Uint, reflect.Uint32:
		return &schema{Type: "integer"}
	case reflect.Float64:
		return decimal("")
	}
	return &schema{}
}

// fieldsOf are the keys of a struct, those of embedded ones among them.
func fieldsOf(t reflect.Type) (all []member) {
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported() && !f.Anonymous:
		case f.Anonymous && name == "":
			all = append(all, fieldsOf(f.Type)...)
		default:
			if name == "" {
				name = f.Name
			}
			all = append(all, member{key: name, schema: schemaOf(f.Type), optional: strings.Contains(options, "omit")})
		}
	}
	return all
}
