package amitest

// pjsipActions are those of res_pjsip.
var pjsipActions = []action{
	{name: "PJSIPShowEndpoints", run: pjsipShowEndpoints},
	{name: "PJSIPShowEndpoint", run: pjsipShowEndpoint},
	{name: "PJSIPQualify", run: pjsipQualify},
	{name: "PJSIPShowRegistrationsOutbound", run: showRegistrations},
	{name: "PJSIPShowSubscriptionsInbound", run: emptyList("Following are Events for each inbound Subscription",
		"InboundSubscriptionDetailComplete")},
	{name: "PJSIPShowResourceLists", run: badEnd("No resource lists found")},
}

// errorLF is astman_send_error with a message that ends in a newline, as many in
// res_pjsip do: a bare LF, the blank line, and another one.
func (w *ResponseWriter) errorLF(message string) {
	w.head("Error")
	b := append(w.sess.batch.b, "Message: "...)
	b = append(b, message...)
	w.sess.batch.b = append(b, "\n\r\n\r\n"...)
	w.sess.batch.close(markError)
}

func badEnd(message string) HandlerFunc {
	return func(_ *Request, w *ResponseWriter) { w.errorLF(message) }
}

func pjsipShowEndpoints(_ *Request, w *ResponseWriter) {
	st := &w.sess.srv.state
	st.mu.Lock()
	list := append([]Endpoint(nil), st.endpoints...)
	st.mu.Unlock()
	if len(list) == 0 {
		w.errorLF("No endpoints found")
		return
	}
	w.ListStart("A listing of Endpoints follows, presented as EndpointList events")
	for _, e := range list {
		contacts := ""
		if e.Contact != "" {
			contacts = e.Name + "/" + e.Contact + ","
		}
		w.Item("EndpointList", "ObjectType", "endpoint", "ObjectName", e.Name, "Transport", "", "Aor", e.Name,
			"Auths", e.Name, "OutboundAuths", "", "Contacts", contacts, "DeviceState", e.DeviceState,
			"ActiveChannels", w.sess.srv.activeChannels())
	}
	w.ListEnd("EndpointListComplete")
}

// activeChannels is the number of an endpoint's channels; series 16 leaves a zero
// out [live].
func (s *Server) activeChannels() string {
	if s.cfg.version.Major < 18 {
		return ""
	}
	return "0"
}

func pjsipShowEndpoint(r *Request, w *ResponseWriter) {
	name := r.Get("Endpoint")
	if name == "" {
		w.errorLF("PJSIPShowEndpoint requires an endpoint name")
		return
	}
	st := &w.sess.srv.state
	st.mu.Lock()
	e, ok := st.endpoint(name)
	st.mu.Unlock()
	if !ok {
		w.errorLF("Unable to retrieve endpoint " + name)
		return
	}
	w.ListStart("Following are Events for each object associated with the Endpoint")
	for _, d := range w.sess.srv.endpointDetails(e) {
		w.ItemFields(d.Name, d.Headers)
	}
	w.ListEnd("EndpointDetailComplete")
}

func pjsipQualify(r *Request, w *ResponseWriter) {
	name := r.Get("Endpoint")
	if name == "" {
		w.Error("Endpoint parameter missing.")
		return
	}
	st := &w.sess.srv.state
	st.mu.Lock()
	_, ok := st.endpoint(name)
	st.mu.Unlock()
	if !ok {
		w.errorLF("Unable to retrieve endpoint")
		return
	}
	w.Ack("Endpoint found, will qualify")
}
