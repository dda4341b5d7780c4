package ami_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/catalog"
)

// listHeaders are what an action needs to answer with a list, or an error.
var listHeaders = map[string][]string{
	"BridgeInfo":           {"BridgeUniqueid", "none"},
	"ConfbridgeList":       {"Conference", "none"},
	"CoreShowChannelMap":   {"Channel", "none"},
	"DBGet":                {"Family", "interop", "Key", "key"},
	"DBGetTree":            {"Family", "interop"},
	"Hangup":               {"Channel", "/^nothing-is-called-so$/"},
	"MWIGet":               {"Mailbox", "600@default"},
	"PJSIPHangup":          {"Channel", "/^nothing-is-called-so$/"},
	"PJSIPShowEndpoint":    {"Endpoint", "alice"},
	"SIPqualifypeer":       {"Peer", "none"},
	"VoicemailBoxSummary":  {"Context", "default", "Mailbox", "600"},
	"VoicemailUserStatus":  {"Context", "default", "Mailbox", "600"},
	"ShowDialPlan":         {"Context", "default"},
	"PJSIPShowMaintenance": nil,
}

// Every list of the catalogue ends on a real server, by the end event that the catalogue names.
func TestInteropLists(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) {
		c := mustDial(t, l.config("admin"))
		if _, err := c.Do(t.Context(), ami.NewAction("DBPut", "Family", "interop", "Key", "key", "Val", "a: b")); err != nil {
			t.Fatal(err)
		}
		seen, empty, unknown := 0, 0, 0
		for _, a := range catalog.Actions() {
			if a.EndEvent == "" || a.Name == "WaitEvent" {
				continue
			}
			action := ami.NewAction(a.Name, listHeaders[a.Name]...)
			action.Timeout = 10 * time.Second
			r, err := c.Do(t.Context(), action)
			var refused *ami.ResponseError
			switch {
			case errors.As(err, &refused) && strings.HasPrefix(refused.Message, "Invalid/unknown command"):
				unknown++
			case errors.As(err, &refused):
				empty++
				t.Logf("%s: %s", a.Name, refused.Message)
			case err != nil:
				t.Errorf("%s: %v", a.Name, err)
			case r.End.Len() == 0:
				empty++
				t.Logf("%s: no list: %q", a.Name, r.Get("Message"))
			default:
				seen++
				if !strings.EqualFold(r.End.Name(), a.EndEvent) {
					t.Errorf("%s ended by %s, the catalogue says %s", a.Name, r.End.Name(), a.EndEvent)
				}
				if n := r.End.Get("ListItems"); n != "" && n != strconv.Itoa(len(r.Events)) {
					t.Logf("%s: ListItems %s, %d came", a.Name, n, len(r.Events))
				}
			}
		}
		if seen < 15 {
			t.Errorf("only %d lists (%d empty, %d unknown to the server)", seen, empty, unknown)
		}
		st := c.Stats()
		exact(t, st)
		if st.Foreign+st.Unmatched+st.Late != 0 || st.Pending != 0 {
			t.Errorf("strays: %+v", st)
		}
		t.Logf("%d lists, %d empty or refused, %d unknown", seen, empty, unknown)
	})
}

func TestInteropListContents(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) {
		c := mustDial(t, l.config("admin"))
		_, err := c.Do(t.Context(), ami.NewAction("DBPut", "Family", "interop", "Key", "key", "Val", "a: b"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Do(t.Context(), ami.NewAction("DBGet", "Family", "interop", "Key", "key"))
		if err != nil || len(r.Events) != 1 || r.Events[0].Get("Val") != "a: b" {
			t.Errorf("DBGet: %v %v", r, err)
		}
		r, err = c.Do(t.Context(), ami.NewAction("IAXpeers"))
		if err != nil || len(r.Events) == 0 || r.End.Get("ListItems") != strconv.Itoa(len(r.Events)) {
			t.Errorf("IAXpeers, whose items have no ActionID: %v %v", r, err)
		}
		r, err = c.Do(t.Context(), ami.NewAction("FAXStats"))
		if err != nil || len(r.Events) != 1 || r.Events[0].Get("CurrentSessions") == "" {
			t.Errorf("FAXStats: %v %v", r, err)
		}
		r, err = c.Do(t.Context(), ami.NewAction("WaitEvent", "Timeout", "1"))
		if err != nil || r.End.Name() != "WaitEventComplete" {
			t.Errorf("WaitEvent: %v %v", r, err)
		}
		_, err = c.Do(t.Context(), ami.NewAction("PJSIPShowEndpoint", "Endpoint", "nosuch"))
		if !errors.As(err, new(*ami.ResponseError)) {
			t.Errorf("PJSIPShowEndpoint of none: %v", err)
		}
	})
}

// Command's output is what the console prints.
func TestInteropCommand(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) {
		c := mustDial(t, l.config("command"))
		for _, command := range []string{
			"core show version", "pjsip show endpoints", "pjsip show aors", "dialplan show default", "manager show users",
			"module show like app_queue", "core show help queue", "database show interop", "core show codecs",
		} {
			r, err := c.Do(t.Context(), ami.NewAction("Command", "Command", command))
			if err != nil {
				t.Errorf("%s: %v", command, err)
				continue
			}
			got := strings.Join(slices.Collect(r.Output()), "\n") + "\n"
			if diff := cmp.Diff(l.script(t, "rx", command), got); diff != "" {
				t.Errorf("%s (-console +Command):\n%s", command, diff)
			}
		}
		r, err := c.Do(t.Context(), ami.NewAction("Command", "Command", "logger rotate"))
		if err != nil || !slices.Equal(slices.Collect(r.Output()), []string{""}) {
			t.Errorf("empty output: %v %v", r, err)
		}
		r, err = c.Do(t.Context(), ami.NewAction("Command", "Command", "no such thing"))
		if !errors.As(err, new(*ami.ResponseError)) || r == nil || !strings.Contains(strings.Join(slices.Collect(r.Output()), ""), "No such command 'no such thing'") {
			t.Errorf("no such command: %v %v", r, err)
		}
	})
}
