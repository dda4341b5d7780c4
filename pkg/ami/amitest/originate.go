package amitest

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/manager"
)

var originateActions = []action{{name: "Originate", run: originate}}

// What becomes of a simulated call.
const (
	outcomeAnswer     = "answer"
	outcomeBusy       = "busy"
	outcomeNoAnswer   = "noanswer"
	outcomeCongestion = "congestion"
	outcomeMissing    = "missing" // there is no such thing to dial
)

// reasons are the Reason values of OriginateResponse (AST_CONTROL_* and 0).
var reasons = sync.OnceValue(func() map[string]int {
	return map[string]int{
		outcomeAnswer: 4, outcomeBusy: 5, outcomeNoAnswer: 3, outcomeCongestion: 8, outcomeMissing: 0,
	}
})

// defaultDialTimeout is Originate's Timeout if none is given.
const defaultDialTimeout = 30 * time.Second

// order is what an Originate asks for.
type order struct {
	dial, tech, dest     string
	context, exten       string
	priority             int
	app, data            string
	cidNum, cidName      string
	account, id, otherID string
	actionID             string
	timeout              time.Duration
	vars                 []Header
}

// originate is action_originate. With Async it acknowledges and tells the outcome
// by an event; without, the session waits for the outcome.
func originate(r *Request, w *ResponseWriter) {
	s := w.sess.srv
	o, refusal := readOrder(r)
	if refusal != "" {
		w.Error(refusal)
		return
	}
	if o.exten != "" && o.context != "" && o.priority > 0 && !s.state.exists(o.context, o.exten) {
		w.Error("Extension does not exist.")
		return
	}
	if manager.True(r.Get("Async")) {
		w.Ack("Originate successfully queued")
		s.call(o, func(c *Channel, outcome string) { s.originateResponse(o, c, outcome) })
		return
	}
	if o.app == "" && (o.exten == "" || o.context == "" || o.priority == 0) {
		w.Error("Originate with 'Exten' requires 'Context' and 'Priority'")
		return
	}
	done := make(chan string, 1)
	s.call(o, func(_ *Channel, outcome string) { done <- outcome })
	w.Flush()
	select {
	case outcome := <-done:
		if outcome == outcomeAnswer {
			w.Ack("Originate successfully queued")
		} else {
			w.Error("Originate failed")
		}
	case <-w.Context().Done():
		w.Close()
	}
}

func readOrder(r *Request) (o order, refusal string) {
	o = order{
		dial: r.Get("Channel"), context: r.Get("Context"), exten: r.Get("Exten"),
		app: r.Get("Application"), data: r.Get("Data"), account: r.Get("Account"),
		id: r.Get("ChannelId"), otherID: r.Get("OtherChannelId"), actionID: r.ActionID(),
		vars: r.vars("Variable"), timeout: defaultDialTimeout,
	}
	if o.dial == "" {
		return o, "Channel not specified"
	}
	if p := r.Get("Priority"); p != "" {
		n, ok := leadingInt(p)
		if !ok {
			return o, "Invalid priority"
		}
		o.priority = n
	}
	if t := r.Get("Timeout"); t != "" {
		ms, ok := leadingInt(t)
		if !ok {
			return o, "Invalid timeout"
		}
		o.timeout = time.Duration(ms) * time.Millisecond
	}
	var ok bool
	if o.tech, o.dest, ok = strings.Cut(o.dial, "/"); !ok {
		return o, "Invalid channel"
	}
	o.cidName, o.cidNum = parseCallerID(r.Get("CallerID"))
	return o, ""
}

// leadingInt reads a number as sscanf("%30d") does: what follows it is ignored.
func leadingInt(s string) (int, bool) {
	end := 0
	if end < len(s) && (s[0] == '-' || s[0] == '+') {
		end++
	}
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(s[:end])
	return n, err == nil
}

// parseCallerID reads `"Name" <number>`, `Name <number>` or a bare number.
func parseCallerID(s string) (name, number string) {
	open := strings.LastIndexByte(s, '<')
	if open < 0 || !strings.HasSuffix(s, ">") {
		if strings.Trim(s, "0123456789+-() ") == "" {
			return "", strings.TrimSpace(s)
		}
		return strings.Trim(s, `" `), ""
	}
	return strings.Trim(s[:open], `" `), s[open+1 : len(s)-1]
}

func (st *State) exists(context, exten string) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	_, ok := st.extension(context, exten)
	return ok
}

// route says what becomes of a dial string.
func (st *State) route(o *order) string {
	st.mu.Lock()
	defer st.mu.Unlock()
	switch strings.ToLower(o.tech) {
	case "pjsip":
		name, _, _ := strings.Cut(o.dest, "/")
		e, ok := st.endpoint(name)
		switch {
		case len(st.endpoints) == 0:
			return outcomeAnswer
		case !ok, e.Contact == "":
			return outcomeMissing
		}
		return orElse(e.Outcome, outcomeAnswer)
	case "local":
		exten, context, _ := strings.Cut(o.dest, "@")
		context, _, _ = strings.Cut(orElse(context, "default"), "/")
		outcome, ok := st.extension(context, exten)
		if !ok {
			return outcomeMissing
		}
		return outcome
	case "sip", "iax2", "dahdi":
		return outcomeAnswer
	}
	return outcomeMissing
}

// originateResponse is the event that ends an asynchronous Originate.
func (s *Server) originateResponse(o order, c *Channel, outcome string) {
	hs := make([]Header, 0, 12)
	if o.actionID != "" {
		hs = append(hs, Header{"ActionID", o.actionID})
	}
	response, channel, uniqueid := "Failure", o.dial, orElse(o.id, unknown)
	if outcome == outcomeAnswer {
		response, channel, uniqueid = "Success", c.Name, c.Uniqueid
	}
	hs = append(hs, Header{"Response", response}, Header{"Channel", channel})
	if o.app != "" {
		hs = append(hs, Header{"Application", o.app}, Header{"Data", o.data})
	} else {
		hs = append(hs, Header{"Context", o.context}, Header{"Exten", o.exten})
	}
	hs = append(hs,
		Header{"Reason", strconv.Itoa(reasons()[outcome])},
		Header{"Uniqueid", uniqueid},
		Header{"CallerIDNum", orElse(o.cidNum, unknown)},
		Header{"CallerIDName", orElse(o.cidName, unknown)})
	s.emit([]Event{{Name: "OriginateResponse", Class: classCall, Headers: hs}})
}
