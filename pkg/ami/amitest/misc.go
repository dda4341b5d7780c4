package amitest

import "strconv"

// miscActions are those of the smaller modules.
var miscActions = []action{
	{name: "Agents", run: agents},
	{name: "IAXnetstats", run: func(_ *Request, w *ResponseWriter) { w.Raw("\r\n") }},
	{name: "IAXregistry", run: emptyList("Registrations will follow", "RegistrationsComplete")},
	{name: "MailboxCount", run: mailboxCount},
	{name: "MailboxStatus", run: mailboxStatus},
	{name: "ExtensionState", run: extensionState},
	{name: "ExtensionStateList", run: extensionStateList},
	{name: "DeviceStateList", run: deviceStateList},
	{name: "PresenceState", run: presenceState},
	{name: "PresenceStateList", run: emptyList("Presence State Changes will follow", "PresenceStateListComplete")},
	{name: "ParkedCalls", run: parkedCalls},
	{name: "ConfbridgeListRooms", run: confbridgeListRooms},
	{name: "ConfbridgeList", run: confbridgeList},
	{name: "FAXSessions", run: faxSessions},
	{name: "FAXStats", run: faxStats},
}

func emptyList(message, end string, extra ...string) HandlerFunc {
	return func(_ *Request, w *ResponseWriter) {
		w.ListStart(message)
		w.ListEnd(end, extra...)
	}
}

func agents(_ *Request, w *ResponseWriter) {
	st := &w.sess.srv.state
	st.mu.Lock()
	list := append([]Agent(nil), st.agents...)
	st.mu.Unlock()
	w.ListStart("Agents will follow")
	for _, a := range list {
		hs := []Header{{"Agent", a.Number}, {"Name", a.Name}}
		if !a.LoggedIn {
			w.itemTail("Agents", append(hs, Header{"Status", "AGENT_LOGGEDOFF"}))
			continue
		}
		b := appendHeader(w.sess.batch.b, "Event", "Agents")
		for _, h := range append(hs, Header{"Status", "AGENT_ONCALL"}) {
			b = appendHeader(b, h.Name, h.Value)
		}
		b = append(b, "TalkingToChan: PJSIP/caller-00000001\r\nCallStarted: "...)
		b = strconv.AppendInt(b, w.sess.now.Unix(), 10)
		b = append(b, "\nLoggedInTime: "...) // a bare LF, as app_agent_pool writes it
		b = strconv.AppendInt(b, w.sess.srv.bootTime().Unix(), 10)
		b = append(b, '\r', '\n')
		if id := w.sess.req.id; len(id) > 0 {
			b = appendHeader(b, "ActionID", string(id))
		}
		w.sess.batch.b = b
		w.itemEnd()
	}
	w.ListEnd("AgentsComplete")
}

func mailboxCount(r *Request, w *ResponseWriter) {
	box := r.Get("Mailbox")
	if box == "" {
		w.Error("Mailbox not specified")
		return
	}
	w.Reply("Success", Header{"Message", "Mailbox Message Count"}, Header{"Mailbox", box},
		Header{"UrgMessages", "0"}, Header{"NewMessages", "0"}, Header{"OldMessages", "0"})
}

func mailboxStatus(r *Request, w *ResponseWriter) {
	box := r.Get("Mailbox")
	if box == "" {
		w.Error("Mailbox not specified")
		return
	}
	w.Reply("Success", Header{"Message", "Mailbox Status"}, Header{"Mailbox", box}, Header{"Waiting", "0"})
}

// hint finds an extension's hint; ok is false for an extension without.
func (st *State) hint(context, exten string) (string, bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, e := range st.dialplan {
		if e.Context == context && e.Exten == exten && e.Hint != "" {
			return e.Hint, true
		}
	}
	return "", false
}

func extensionState(r *Request, w *ResponseWriter) {
	exten, context := r.Get("Exten"), orElse(r.Get("Context"), "default")
	if exten == "" {
		w.Error("Extension not specified")
		return
	}
	hint, ok := w.sess.srv.state.hint(context, exten)
	status, text := "0", "Idle"
	if !ok {
		status, text = "-1", "Unknown"
	}
	w.Reply("Success", Header{"Message", "Extension Status"}, Header{"Exten", exten}, Header{"Context", context},
		Header{"Hint", hint}, Header{"Status", status}, Header{"StatusText", text})
}

func extensionStateList(_ *Request, w *ResponseWriter) {
	st := &w.sess.srv.state
	st.mu.Lock()
	var hinted []Extension
	for _, e := range st.dialplan {
		if e.Hint != "" {
			hinted = append(hinted, e)
		}
	}
	st.mu.Unlock()
	if len(hinted) == 0 {
		w.Error("No dialplan hints are available")
		return
	}
	w.ListStart("Extension Statuses will follow")
	for _, e := range hinted {
		w.Item("ExtensionStatus", "Exten", e.Exten, "Context", e.Context, "Hint", e.Hint, "Status", "0", "StatusText", "Idle")
	}
	w.ListEnd("ExtensionStateListComplete")
}

func presenceState(r *Request, w *ResponseWriter) {
	if r.Get("Provider") == "" {
		w.Error("No provider specified")
		return
	}
	w.Reply("Success", Header{"Message", "Presence State"}, Header{"State", "not_set"})
}

func confbridgeList(r *Request, w *ResponseWriter) {
	if r.Get("Conference") == "" {
		w.Error("No Conference name provided.")
		return
	}
	w.Error("No active conferences.")
}

// faxSessions spells its EventList: Start with a capital.
func faxSessions(_ *Request, w *ResponseWriter) {
	w.items = 0
	w.head("Success")
	w.sess.batch.b = append(w.sess.batch.b, "EventList: Start\r\nMessage: FAXSessionsEntry event list will follow\r\n\r\n"...)
	w.sess.batch.close(markPart)
	w.ListEnd("FAXSessionsComplete", "Total", "0")
}

// faxStats acknowledges, then sends one event with the ActionID and no end event.
func faxStats(_ *Request, w *ResponseWriter) {
	w.Ack("FAXStats event will follow")
	w.Item("FAXStats", "CurrentSessions", "0", "ReservedSessions", "0", "TransmitAttempts", "0",
		"ReceiveAttempts", "0", "CompletedFAXes", "0", "FailedFAXes", "0")
}
