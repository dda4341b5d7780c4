package amitest

import (
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/manager"
)

// coreActions are those of manager.c about the system itself.
var coreActions = []action{
	{name: "CoreStatus", run: coreStatus},
	{name: "CoreSettings", run: coreSettings},
	{name: "CoreShowChannels", run: coreShowChannels},
	{name: "Reload", run: reload},
	{name: "LoggerRotate", run: func(_ *Request, w *ResponseWriter) { w.Ack("Reloaded the logger and rotated log files") }},
	{name: "ModuleCheck", run: moduleCheck},
	{name: "ModuleLoad", run: moduleLoad},
	{name: "UserEvent", run: userEvent},
	{name: "Status", run: status},
}

func coreStatus(_ *Request, w *ResponseWriter) {
	s := w.sess.srv
	s.state.mu.Lock()
	calls, active := s.state.calls, s.state.active
	s.state.mu.Unlock()
	day, clock := s.bootTime().Format("2006-01-02"), s.bootTime().Format("15:04:05")
	hs := []Header{
		{"CoreStartupDate", day},
		{"CoreStartupTime", clock},
		{"CoreReloadDate", day},
		{"CoreReloadTime", clock},
		{"CoreCurrentCalls", strconv.Itoa(active)},
	}
	if s.cfg.version.Major >= 18 {
		hs = append(hs, Header{"CoreProcessedCalls", strconv.Itoa(calls)})
	}
	w.Reply("Success", hs...)
}

func coreSettings(_ *Request, w *ResponseWriter) {
	v := w.sess.srv.cfg.version
	hs := []Header{
		{"AMIversion", v.AMI},
		{"AsteriskVersion", v.Asterisk},
		{"SystemName", ""},
		{"CoreMaxCalls", "0"},
		{"CoreMaxLoadAvg", "0.000000"},
		{"CoreRunUser", "asterisk"},
		{"CoreRunGroup", "asterisk"},
		{"CoreMaxFilehandles", "0"},
		{"CoreRealTimeEnabled", "No"},
		{"CoreCDRenabled", "Yes"},
		{"CoreHTTPenabled", "No"},
	}
	if v.Major >= 18 {
		hs = append(hs, Header{"SoundsSearchCustomDir", "No"})
	}
	w.Reply("Success", hs...)
}

func coreShowChannels(_ *Request, w *ResponseWriter) {
	w.ListStart("Channels will follow")
	now := time.Now()
	for _, c := range w.sess.srv.state.Channels() {
		w.ItemFields("CoreShowChannel", append(c.snapshot(""),
			Header{"Application", c.Application},
			Header{"ApplicationData", c.Data},
			Header{"Duration", hms(now.Sub(c.Created))},
			Header{"BridgeId", c.bridge}))
	}
	w.ListEnd("CoreShowChannelsComplete")
}

// status is action_status.
func status(r *Request, w *ResponseWriter) {
	st := &w.sess.srv.state
	channels := st.Channels()
	if name := r.Get("Channel"); name != "" {
		st.mu.Lock()
		c := st.channel(name)
		if c == nil {
			st.mu.Unlock()
			w.Error("No such channel")
			return
		}
		channels = []Channel{*c}
		st.mu.Unlock()
	}
	w.ListStart("Channel status will follow")
	for i := range channels {
		w.itemTail("Status", statusFields(&channels[i], r))
	}
	w.ListEnd("StatusComplete", "Items", strconv.Itoa(len(channels)))
}

func statusFields(c *Channel, r *Request) []Header {
	tech, _, _ := strings.Cut(c.Name, "/")
	hs := append([]Header{{"Privilege", "Call"}}, c.snapshot("")...)
	hs = append(hs,
		Header{"Type", tech},
		Header{"DNID", ""},
		Header{"EffectiveConnectedLineNum", orElse(c.ConnectedLineNum, unknown)},
		Header{"EffectiveConnectedLineName", orElse(c.ConnectedLineName, unknown)},
		Header{"TimeToHangup", "0"},
		Header{"BridgeID", c.bridge},
		Header{"Application", c.Application},
		Header{"Data", c.Data},
		Header{"Nativeformats", "(slin)"},
		Header{"Readformat", "slin"},
		Header{"Readtrans", ""},
		Header{"Writeformat", "slin"},
		Header{"Writetrans", ""},
		Header{"Callgroup", "0"},
		Header{"Pickupgroup", "0"},
		Header{"Seconds", strconv.Itoa(int(time.Since(c.Created) / time.Second))})
	if names := r.Get("Variables"); names != "" {
		for name := range strings.SplitSeq(names, ",") {
			v, ok := c.variable(name)
			if !ok {
				v = "(null)"
			}
			hs = append(hs, Header{"Variable", name + "=" + v})
		}
	}
	if manager.True(r.Get("AllVariables")) {
		for _, v := range c.Variables {
			hs = append(hs, Header{"Variable", v.Name + "=" + v.Value})
		}
	}
	return hs
}

// reload is action_reload; every module but "nosuch…" reloads.
func reload(r *Request, w *ResponseWriter) {
	module := r.Get("Module")
	if strings.HasPrefix(module, "nosuch") {
		w.Error("No such module")
		return
	}
	w.sess.srv.EmitEvent("Reload", "Module", orElse(module, "All"), "Status", "0")
	w.Ack("Module Reloaded")
}

func moduleCheck(r *Request, w *ResponseWriter) {
	if module := r.Get("Module"); module == "" || strings.HasPrefix(module, "nosuch") {
		w.Error("Module not loaded")
		return
	}
	w.Reply("Success", Header{"Version", ""})
}

// moduleLoad is manager_moduleload; without LoadType the server answers twice.
func moduleLoad(r *Request, w *ResponseWriter) {
	module := r.Get("Module")
	missing := strings.HasPrefix(module, "nosuch")
	switch typ := strings.ToLower(r.Get("LoadType")); {
	case typ == "reload" && module == "":
		w.Ack("All modules reloaded")
	case module == "":
		w.Error("Incomplete ModuleLoad action.")
	case typ == "" && w.sess.srv.cfg.version.Major < 18:
		w.Error("Incomplete ModuleLoad action.")
		w.Error("Incomplete ModuleLoad action.")
	case typ == "":
		w.Error("Incomplete ModuleLoad action.")
		w.Error("Module not found.")
	case missing && w.sess.srv.cfg.version.Major < 18:
		w.Error("Could not load module.")
	case missing:
		w.Error("Module not found.")
	case typ == "load":
		w.Ack("Module loaded.")
	case typ == "unload":
		w.Ack("Module unloaded.")
	case typ == "reload":
		w.Ack("Module reloaded.")
	default:
		w.Error("Incomplete ModuleLoad action.")
	}
}

// userEvent is action_userevent: the acknowledgement, then an event with every
// other header of the action as it was sent, to every session.
func userEvent(r *Request, w *ResponseWriter) {
	ev := Event{Name: "UserEvent", Class: classUser, Headers: []Header{{"UserEvent", r.Get("UserEvent")}}}
	for i := range r.in.Len() {
		line := r.in.Line(i)
		if hasPrefixFold(string(line), "Action:") || hasPrefixFold(string(line), "UserEvent:") {
			continue
		}
		ev.raw = append(append(ev.raw, line...), '\r', '\n')
	}
	w.sess.srv.emit([]Event{ev})
	w.Ack("Event Sent")
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
