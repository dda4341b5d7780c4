package amitest

import (
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/manager"
)

// channelActions are those that work on one channel.
var channelActions = []action{
	{name: "Hangup", run: hangup},
	{name: "Getvar", run: getvar},
	{name: "Setvar", run: setvar},
	{name: "Redirect", run: redirect},
	{name: "AbsoluteTimeout", run: absoluteTimeout},
	{name: "SendText", run: sendText},
	{name: "PlayDTMF", run: playDTMF},
	{name: "BridgeList", run: bridgeList},
}

func absoluteTimeout(r *Request, w *ResponseWriter) {
	name := r.Get("Channel")
	secs, _ := leadingInt(r.Get("Timeout"))
	switch {
	case name == "":
		w.Error("No channel specified")
	case secs == 0:
		w.Error("No timeout specified")
	case !w.sess.srv.state.has(name):
		w.Error("No such channel")
	default:
		w.Ack("Timeout Set")
	}
}

func (st *State) has(channel string) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.channel(channel) != nil
}

// hangup is action_hangup; a name between slashes is a regular expression.
func hangup(r *Request, w *ResponseWriter) {
	s := w.sess.srv
	name := r.Get("Channel")
	if name == "" {
		w.Error("No channel specified")
		return
	}
	cause, _ := strconv.Atoi(r.Get("Cause"))
	if cause < 1 || cause > 127 {
		cause = 0
	}
	if strings.HasPrefix(name, "/") {
		hangupMatching(r, w, name, cause)
		return
	}
	if !s.hangupChannel(name, cause) {
		w.Error("No such channel")
		return
	}
	w.Ack("Channel Hungup")
}

func hangupMatching(_ *Request, w *ResponseWriter, name string, cause int) {
	expr := strings.TrimPrefix(name, "/")
	expr = strings.TrimSuffix(expr, "/")
	re, err := manager.Regexp(expr)
	if err != nil {
		w.Error("Regex compile failed on: " + name)
		return
	}
	s := w.sess.srv
	w.ListStart("Channels hung up will follow")
	for _, c := range s.state.Channels() {
		if re.MatchString(c.Name) && s.hangupChannel(c.Name, cause) {
			w.Item("ChannelHungup", "Channel", c.Name)
		}
	}
	w.ListEnd("ChannelsHungupListComplete")
}

// Hangup ends a channel with a cause, as if somebody hung up.
func (s *Server) Hangup(channel string, cause int) bool { return s.hangupChannel(channel, cause) }

func getvar(r *Request, w *ResponseWriter) {
	name := r.Get("Variable")
	if name == "" {
		w.Error("No variable specified")
		return
	}
	st := &w.sess.srv.state
	st.mu.Lock()
	value := st.globals[name]
	if args, ok := strings.CutPrefix(name, "STRFTIME(,,"); ok {
		value = strftime(time.Now(), strings.TrimSuffix(args, ")"))
	}
	if ch := r.Get("Channel"); ch != "" {
		c := st.channel(ch)
		if c == nil {
			st.mu.Unlock()
			w.Error("No such channel")
			return
		}
		value = c.expand(name)
	}
	st.mu.Unlock()
	w.Reply("Success", Header{"Variable", name}, Header{"Value", value})
}

// strftime writes a time as C does, by the conversions for a date and a time of day.
func strftime(t time.Time, format string) string {
	return strings.NewReplacer("%Y", t.Format("2006"), "%m", t.Format("01"), "%d", t.Format("02"), "%H", t.Format("15"), "%M", t.Format("04"), "%S", t.Format("05"), "%%", "%").Replace(format)
}

// expand returns a variable or one of the few functions that the simulator knows.
func (c *Channel) expand(name string) string {
	switch name {
	case "CHANNEL(state)":
		return stateDesc(c.State)
	case "CHANNEL", "CHANNEL(name)":
		return c.Name
	case "UNIQUEID", "CHANNEL(uniqueid)":
		return c.Uniqueid
	case "CALLERID(num)":
		return c.CallerIDNum
	case "CALLERID(name)":
		return c.CallerIDName
	}
	v, _ := c.variable(name)
	return v
}

func setvar(r *Request, w *ResponseWriter) {
	name, value := r.Get("Variable"), r.Get("Value")
	if name == "" {
		w.Error("No variable specified")
		return
	}
	s := w.sess.srv
	s.state.mu.Lock()
	var c *Channel
	if ch := r.Get("Channel"); ch != "" {
		if c = s.state.channel(ch); c == nil {
			s.state.mu.Unlock()
			w.Error("No such channel")
			return
		}
		c.Variables = append(c.Variables, Header{name, value})
	}
	s.state.mu.Unlock()
	if strings.HasSuffix(name, ")") && !strings.HasPrefix(name, "CALLERID(") && !strings.HasPrefix(name, "CHANNEL(") {
		w.Error("Variable not set") // no such function
		return
	}
	if c == nil {
		s.state.SetGlobal(name, value)
	}
	s.varSet(c, name, value)
	w.Ack("Variable Set")
}

// varSet announces a variable; a global one belongs to channel "none". The value
// is C-escaped.
func (s *Server) varSet(c *Channel, name, value string) {
	hs := noChannel
	if c != nil {
		s.state.mu.Lock()
		hs = c.snapshot("")
		s.state.mu.Unlock()
	}
	hs = append(hs[:len(hs):len(hs)], Header{"Variable", name}, Header{"Value", escapeC(value)})
	s.emit([]Event{{Name: "VarSet", Class: classDialplan, Headers: hs}})
}

var noChannel = []Header{{"Channel", "none"}, {"Uniqueid", "none"}}

// escapeC is ast_escape_c.
var escaper = strings.NewReplacer("\\", `\\`, "\"", `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\a", `\a`, "\b", `\b`, "\f", `\f`, "\v", `\v`, "'", `\'`, "?", `\?`)

func escapeC(s string) string { return escaper.Replace(s) }

func redirect(r *Request, w *ResponseWriter) {
	name := r.Get("Channel")
	switch {
	case name == "":
		w.Error("Channel not specified")
		return
	case r.Get("Context") == "":
		w.Error("Context not specified")
		return
	case r.Get("Exten") == "":
		w.Error("Exten not specified")
		return
	case r.Get("Priority") == "":
		w.Error("Priority not specified")
		return
	}
	prio, err := strconv.Atoi(r.Get("Priority"))
	if err != nil {
		w.Error("Priority is invalid")
		return
	}
	st := &w.sess.srv.state
	st.mu.Lock()
	c := st.channel(name)
	if c != nil {
		c.Context, c.Exten, c.Priority = r.Get("Context"), r.Get("Exten"), prio
	}
	st.mu.Unlock()
	if c == nil {
		w.Error("Channel does not exist: " + name)
		return
	}
	w.Ack("Redirect successful")
}

func sendText(r *Request, w *ResponseWriter) {
	name := r.Get("Channel")
	switch {
	case name == "":
		w.Error("No channel specified")
	case r.Get("Message") == "":
		w.Error("No Message specified")
	case !w.sess.srv.state.has(name):
		w.Error("No such channel")
	default:
		w.Ack("Success")
	}
}

func playDTMF(r *Request, w *ResponseWriter) {
	switch {
	case !w.sess.srv.state.has(r.Get("Channel")):
		w.Error("Channel not found")
	case r.Get("Digit") == "":
		w.Error("No digit specified")
	default:
		w.Ack("DTMF successfully queued")
	}
}
