package scenario

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/apntalk/amictl/internal/tomlfile"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A Scenario is one file.
type Scenario struct {
	Name string `toml:"-"` // the file's name without folder and suffix

	About string `toml:"about"` // one sentence: what is tested
	Cold  bool   `toml:"cold"`  // time begins before the first dial, not when all nodes are ready
	For   Span   `toml:"for"`   // the least that it lasts
	Seed  uint64 `toml:"seed"`

	Engine        Engine         `toml:"engine"`
	Servers       []Server       `toml:"server"`
	Answers       []Answer       `toml:"answer"`
	Faults        []Fault        `toml:"fault"`
	Actions       []Action       `toml:"action"`
	Subscriptions []Subscription `toml:"subscription"`
	Nodes         []Node         `toml:"node"`

	// Expect is about the whole run: took, redials_per_second (the most in any second), dials_at_once.
	Expect map[string]*Want `toml:"expect"`
}

// Engine is how the engine is configured, for all nodes alike; what is absent has the engine's default.
type Engine struct {
	Events          string   `toml:"events"` // the event mask; on if absent
	Filters         []string `toml:"filters"`
	Auth            string   `toml:"auth"` // auto, md5 or plain
	DialTimeout     Span     `toml:"dial_timeout"`
	LoginTimeout    Span     `toml:"login_timeout"`
	ActionTimeout   Span     `toml:"action_timeout"`
	Keepalive       Span     `toml:"keepalive"`
	PingTimeout     Span     `toml:"ping_timeout"`
	KeepaliveMisses int      `toml:"keepalive_misses"`
	BackoffMin      Span     `toml:"backoff_min"`
	BackoffMax      Span     `toml:"backoff_max"`
	BreakerAfter    Span     `toml:"breaker_after"`
	LoginBackoffMin Span     `toml:"login_backoff_min"`
	LoginBackoffMax Span     `toml:"login_backoff_max"`
	StableAfter     Span     `toml:"stable_after"`
	Pending         int      `toml:"pending"`
	WriteBuffer     int      `toml:"write_buffer"` // bytes
	ListItems       int      `toml:"list_items"`
	ListBytes       int      `toml:"list_bytes"`
	Packet          int      `toml:"packet"` // bytes
	Line            int      `toml:"line"`   // bytes
	Headers         int      `toml:"headers"`
	Answer          int      `toml:"answer"` // bytes
	MaxDials        int      `toml:"max_dials"`
	RedialRate      int      `toml:"redial_rate"`
	Budget          int64    `toml:"budget"` // bytes
}

// Server is one simulated Asterisk, or several alike.
type Server struct {
	Name    string `toml:"name"`
	Count   int    `toml:"count"` // so many servers, NAME1, NAME2…
	Nodes   int    `toml:"nodes"` // so many nodes for each, NAME-1, NAME-2…
	Version string `toml:"version"`
	Read    string `toml:"read"`  // classes of the user; all if absent
	Write   string `toml:"write"` // classes of the user; all if absent

	AuthLimit    int  `toml:"authlimit"`
	AuthTimeout  Span `toml:"authtimeout"`
	WriteTimeout Span `toml:"writetimeout"`
	FailDelay    Span `toml:"faildelay"`
	NotBooted    bool `toml:"not_booted"`

	CallsPerSecond  float64 `toml:"calls_per_second"`
	EventsPerSecond float64 `toml:"events_per_second"`
	Events          int     `toml:"events"` // traffic ends after so many

	// Expect is of the server's own ledger, the sum if there are several: its fields in snake case.
	Expect map[string]*Want `toml:"expect"`
}

// Answer is what servers answer to an action that they do not know, or not that way. Exactly one of Text, List and
// Command says what.
type Answer struct {
	On     string `toml:"on"`     // pattern of server names; all if absent
	Action string `toml:"action"` // its name
	Every  int    `toml:"every"`  // only every so many-th time; those without answer the rest

	// Text is sent as it is, {Header} replaced by the request's header of that name.
	Text string `toml:"text"`
	List *List  `toml:"list"`
	// Command is the beginning of a CLI command whose output is Lines lines of Width bytes.
	Command string `toml:"command"`
	Lines   int    `toml:"lines"`
	Width   int    `toml:"width"`
}

// List is an answer of many packets.
type List struct {
	Event  string   `toml:"event"` // of the items
	End    string   `toml:"end"`   // event that ends it
	Items  int      `toml:"items"`
	Pause  Span     `toml:"pause"`  // between items
	Fields []string `toml:"fields"` // "Name: value" of each item, {i} its number from 1
}

// Fault is something that goes wrong at a time.
type Fault struct {
	At *Span  `toml:"at"` // since time began; absent: from the servers' start
	On string `toml:"on"` // pattern of server names; all if absent
	Do string `toml:"do"` // a fault as amitest.ParseFault reads it

	fault amitest.Fault // what Do says
}

// Action is one action that is sent, or many alike.
type Action struct {
	Name    string   `toml:"name"`
	At      Span     `toml:"at"`
	On      string   `toml:"on"` // pattern of node names; all if absent
	Action  string   `toml:"action"`
	Fields  []string `toml:"fields"` // "Name: value", {n} the action's number from 1, {node} the node's name
	Count   int      `toml:"count"`  // for each node
	Every   Span     `toml:"every"`  // between them; all at once if absent
	Via     string   `toml:"via"`    // do (default), try or submit
	Timeout Span     `toml:"timeout"`
	Cancel  Span     `toml:"cancel"` // the caller gives up after

	WaitReady      bool `toml:"wait_ready"`
	AwaitOriginate bool `toml:"await_originate"`

	Expect Outcomes `toml:"expect"`
}

// Outcomes says how many of the actions end how; an outcome that is absent must not occur. The rest is about each
// action that ended in the way that the expectation is for.
type Outcomes struct {
	Replied      *Want `toml:"replied"`
	Refused      *Want `toml:"refused"` // the server answered Error
	Timeout      *Want `toml:"timeout"`
	Cancelled    *Want `toml:"cancelled"`
	Disconnected *Want `toml:"disconnected"`
	Busy         *Want `toml:"busy"`
	NotReady     *Want `toml:"not_ready"`
	BreakerOpen  *Want `toml:"breaker_open"`
	Unauthorized *Want `toml:"unauthorized"`
	ListTooLong  *Want `toml:"list_too_long"`
	Invalid      *Want `toml:"invalid"` // refused before a byte was written

	Message *Want            `toml:"message"` // of each refusal
	Error   *Want            `toml:"error"`   // text of each error that is no refusal
	Sent    *Want            `toml:"sent"`    // of each error that is no refusal: no, maybe or yes
	Items   *Want            `toml:"items"`   // of each reply's list, cut off or not
	Lines   *Want            `toml:"lines"`   // of each reply's output
	Fields  map[string]*Want `toml:"fields"`  // of each reply; {n} and {node} as in the action
	Took    *Want            `toml:"took"`    // each, however it ended
}

// Subscription is a consumer of events.
type Subscription struct {
	Name       string   `toml:"name"`
	On         string   `toml:"on"` // pattern of node names; all if absent
	Events     []string `toml:"events"`
	Where      string   `toml:"where"`
	RingEvents int      `toml:"ring_events"`
	RingBytes  int      `toml:"ring_bytes"`
	Start      Span     `toml:"start"` // the consumer does not read before
	Delay      Span     `toml:"delay"` // the consumer takes for each event

	// Expect is of the subscription's statistics (delivered, dropped …), and overflow_gaps, disconnect_gaps and
	// complete (true: every event that the servers wrote was delivered once).
	Expect map[string]*Want `toml:"expect"`
	// Delivered is how many events came from a node.
	Delivered map[string]*Want `toml:"delivered"`
	// Lag is the longest that an event of a node waited for the consumer.
	Lag map[string]*Want `toml:"lag"`
}

// Node expects something of the engine's nodes whose names match.
type Node struct {
	On string `toml:"on"`
	// Expect is of the node's statistics and ledger, under their names in JSON, and of first_ready and longest_away.
	Expect map[string]*Want `toml:"expect"`
}

// Load reads and checks a file.
func Load(path string) (*Scenario, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("scenario: %w", err)
	}
	defer func() { _ = f.Close() }()
	text, err := tomlfile.Read(f)
	if err != nil {
		return nil, fmt.Errorf("scenario %s: %w", path, err)
	}
	name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	return Parse(name, text)
}

// Parse reads and checks a scenario. Its errors name the place.
func Parse(name, text string) (*Scenario, error) {
	s := &Scenario{Name: name}
	unknown, err := tomlfile.Decode(text, s)
	if err != nil {
		return nil, fmt.Errorf("scenario %s: %s", name, tomlfile.Explain(err))
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("scenario %s: unknown key %s", name, unknown[0])
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("scenario %s: %w", name, err)
	}
	return s, nil
}
