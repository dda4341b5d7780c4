package amitest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// State is what the simulated Asterisk knows of its world. The zero value is an
// Asterisk with nothing configured; what is not used costs nothing. Its methods
// may be called from any goroutine.
type State struct {
	version       Version    // set before anybody sees it
	mu            sync.Mutex // guards the rest; a leaf
	channels      []*Channel
	byID          map[string]*Channel
	within        map[string][]*Channel // by the bridge that they are in
	bridges       []*bridge
	parked        []parkedChannel
	devices       []Header // name, state; endpoints' own are with them until they change
	registrations []registration
	lastBridge    int
	endpoints     []Endpoint
	queues        []*Queue
	agents        []Agent
	dialplan      []Extension
	db            map[string]string // "/family/key"
	globals       map[string]string
	configs       map[string][]ConfigCategory
	commands      map[string]CommandFunc
	lastChan      int
	calls         int // processed so far
	active        int
}

// Channel is one channel. Fields are copied out by Channels; change them there
// without effect.
type Channel struct {
	Name, Uniqueid, Linkedid    string
	State                       int // AST_STATE_*: 0 down, 4 ring, 5 ringing, 6 up, 7 busy
	CallerIDNum, CallerIDName   string
	ConnectedLineNum            string
	ConnectedLineName           string
	AccountCode, Context, Exten string
	Priority                    int
	Application, Data           string
	Created                     time.Time
	Variables                   []Header
	hungup                      chan struct{}
	peer                        string
	bridge                      string // its ID, "" for none
	dialer                      string // the unique ID of the channel that rings it, until that ends
	held                        bool
}

// Endpoint is a PJSIP endpoint.
type Endpoint struct {
	Name string
	// Contact is the registered URI, "" for none.
	Contact string
	// DeviceState defaults to "Not in use" with a contact, "Unavailable" without.
	DeviceState string
	// Outcome of a call to it: "answer" (the default), "busy", "noanswer" or
	// "congestion".
	Outcome string
}

// Queue is one queue of app_queue.
type Queue struct {
	Name, Strategy string
	ServiceLevel   int
	Members        []QueueMember
	callers        []queueCaller
	completed      int
	abandoned      int
	completedInSL  int // within ServiceLevel
	abandonedInSL  int
	talks          []queueTalk
}

// QueueMember is one member of a queue.
type QueueMember struct {
	Name, Interface, StateInterface string
	Penalty                         int
	Paused                          bool
	PausedReason                    string
	// Static says that the member comes from queues.conf.
	Static bool
	// Status is the device state number, 1 being not in use.
	Status        int
	login, paused int64
	taken         int
	last          int64 // when a call that it took has ended
}

// Agent is an agent of app_agent_pool.
type Agent struct {
	Number, Name string
	// LoggedIn agents are shown as on a call, with the bare LF that Asterisk puts
	// behind CallStarted.
	LoggedIn bool
}

// Extension is an extension that exists in the dialplan.
type Extension struct {
	Context, Exten string
	// Outcome of a call to it: "answer" (the default), "busy", "noanswer" or
	// "congestion".
	Outcome string
	// Hint is the device behind it, "" for none.
	Hint string
}

// ConfigCategory is one category of a configuration file.
type ConfigCategory struct {
	Name  string
	Lines []Header
}

// CommandFunc answers a CLI command with its output, as the CLI prints it; ok is
// false for a command that fails.
type CommandFunc func(command string) (output string, ok bool)

// State returns the server's state, to fill or to look at.
func (s *Server) State() *State { return &s.state }

// AddEndpoint adds PJSIP endpoints.
func (st *State) AddEndpoint(es ...Endpoint) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, e := range es {
		if e.DeviceState == "" {
			e.DeviceState = "Unavailable"
			if e.Contact != "" {
				e.DeviceState = "Not in use"
			}
		}
		st.endpoints = append(st.endpoints, e)
	}
}

// AddQueue adds queues with their members.
func (st *State) AddQueue(qs ...Queue) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, q := range qs {
		if q.Strategy == "" {
			q.Strategy = "ringall"
		}
		q.Members = slices.Clone(q.Members)
		for i := range q.Members {
			q.Members[i].complete()
		}
		st.queues = append(st.queues, &q)
	}
}

func (m *QueueMember) complete() {
	if m.Name == "" {
		m.Name = m.Interface
	}
	if m.StateInterface == "" {
		m.StateInterface = m.Interface
	}
	if m.Status == 0 {
		m.Status = 1
	}
	m.login = time.Now().Unix()
}

// AddExtension adds extensions to the dialplan. While there are none, every
// extension exists and answers.
func (st *State) AddExtension(es ...Extension) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.dialplan = append(st.dialplan, es...)
}

// AddAgent adds agents.
func (st *State) AddAgent(as ...Agent) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.agents = append(st.agents, as...)
}

// SetConfig sets the contents of a configuration file.
func (st *State) SetConfig(file string, categories ...ConfigCategory) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.configs == nil {
		st.configs = make(map[string][]ConfigCategory)
	}
	st.configs[file] = categories
}

// SetCommand sets the answer to every CLI command that begins with prefix; the
// longest prefix wins.
func (st *State) SetCommand(prefix string, f CommandFunc) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.commands == nil {
		st.commands = make(map[string]CommandFunc)
	}
	st.commands[prefix] = f
}

// SetGlobal sets a global dialplan variable.
func (st *State) SetGlobal(name, value string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.globals == nil {
		st.globals = make(map[string]string)
	}
	st.globals[name] = value
}

// DBPut sets a key of the internal database.
func (st *State) DBPut(family, key, value string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.db == nil {
		st.db = make(map[string]string)
	}
	st.db["/"+family+"/"+key] = value
}

// AddChannel adds a channel that lives until it is hung up. What is left empty
// is filled in as Asterisk would.
func (st *State) AddChannel(c Channel) Channel {
	st.mu.Lock()
	defer st.mu.Unlock()
	return *st.add(c)
}

// add adds a channel; mu is held.
func (st *State) add(c Channel) *Channel {
	now := time.Now()
	if c.Uniqueid == "" {
		c.Uniqueid = strconv.FormatInt(now.Unix(), 10) + "." + strconv.Itoa(st.lastChan)
	}
	st.lastChan++
	if c.Linkedid == "" {
		c.Linkedid = c.Uniqueid
	}
	if c.Created.IsZero() {
		c.Created = now
	}
	if c.Priority == 0 {
		c.Priority = 1
	}
	c.hungup = make(chan struct{})
	if st.byID == nil {
		st.byID, st.within = make(map[string]*Channel), make(map[string][]*Channel)
	}
	st.channels = append(st.channels, &c)
	st.byID[c.Uniqueid] = &c
	return &c
}

// Channels returns copies of the channels there are.
func (st *State) Channels() []Channel {
	st.mu.Lock()
	defer st.mu.Unlock()
	cs := make([]Channel, len(st.channels))
	for i, c := range st.channels {
		cs[i] = *c
	}
	return cs
}

// channel finds a channel by name, unique ID or name prefix, as
// ast_channel_get_by_name does; mu is held.
func (st *State) channel(name string) *Channel {
	if c := st.byID[name]; c != nil {
		return c
	}
	for _, c := range st.channels {
		if strings.EqualFold(c.Name, name) {
			return c
		}
	}
	return nil
}

// remove takes a channel out; it says whether it was there. mu is held.
func (st *State) remove(c *Channel) bool {
	i := slices.Index(st.channels, c)
	if i < 0 {
		return false
	}
	st.channels = slices.Delete(st.channels, i, i+1)
	if st.byID[c.Uniqueid] == c {
		delete(st.byID, c.Uniqueid)
	}
	st.part(c)
	return true
}

func (st *State) endpoint(name string) (Endpoint, bool) {
	for _, e := range st.endpoints {
		if e.Name == name {
			return e, true
		}
	}
	return Endpoint{}, false
}

func (st *State) queue(name string) *Queue {
	for _, q := range st.queues {
		if strings.EqualFold(q.Name, name) {
			return q
		}
	}
	return nil
}

// extension says whether an extension exists and what becomes of a call to it.
func (st *State) extension(context, exten string) (outcome string, ok bool) {
	if len(st.dialplan) == 0 {
		return outcomeAnswer, true
	}
	for _, e := range st.dialplan {
		if e.Context == context && e.Exten == exten {
			return orElse(e.Outcome, outcomeAnswer), true
		}
	}
	return "", false
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// stateDesc is ast_state2str.
func stateDesc(state int) string {
	names := [...]string{"Down", "Rsrvd", "OffHook", "Dialing", "Ring", "Ringing", "Up", "Busy", "Dialing Offhook", "Pre-ring"}
	if state < 0 || state >= len(names) {
		return "Unknown"
	}
	return names[state]
}

const unknown = "<unknown>"

// snapshot is the block of channel headers (ast_manager_build_channel_state_string).
func (c *Channel) snapshot(prefix string) []Header {
	return []Header{
		{prefix + "Channel", c.Name},
		{prefix + "ChannelState", strconv.Itoa(c.State)},
		{prefix + "ChannelStateDesc", stateDesc(c.State)},
		{prefix + "CallerIDNum", orElse(c.CallerIDNum, unknown)},
		{prefix + "CallerIDName", orElse(c.CallerIDName, unknown)},
		{prefix + "ConnectedLineNum", orElse(c.ConnectedLineNum, unknown)},
		{prefix + "ConnectedLineName", orElse(c.ConnectedLineName, unknown)},
		{prefix + "Language", "en"},
		{prefix + "AccountCode", c.AccountCode},
		{prefix + "Context", orElse(c.Context, "default")},
		{prefix + "Exten", c.Exten},
		{prefix + "Priority", strconv.Itoa(c.Priority)},
		{prefix + "Uniqueid", c.Uniqueid},
		{prefix + "Linkedid", c.Linkedid},
	}
}

func hms(d time.Duration) string {
	s := int(d / time.Second)
	return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
}

// variable returns a channel variable; mu is held.
func (c *Channel) variable(name string) (string, bool) {
	for _, v := range slices.Backward(c.Variables) {
		if v.Name == name {
			return v.Value, true
		}
	}
	return "", false
}
