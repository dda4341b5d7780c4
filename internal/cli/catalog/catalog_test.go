package catalog

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

func TestActions(t *testing.T) {
	r := runtest.New(t, runtest.Setup{})
	if err := actions(t.Context(), r.Run, &options{args: []string{"queuepau*"}}); err != nil {
		t.Fatal(err)
	}
	if got := gjson.Get(r.Out.String(), "required"); gjson.Get(r.Out.String(), "action").Str != "QueuePause" || !strings.Contains(got.Raw, "Interface") {
		t.Errorf("not QueuePause with what it needs: %s", r.Out)
	}
}

func TestActionsRefuses(t *testing.T) {
	r := runtest.New(t, runtest.Setup{})
	err := actions(t.Context(), r.Run, &options{args: []string{"QueuePuase"}})
	runtest.Refused(t, err, fail.CodeUsage, `no action "QueuePuase"`)
	if hint := fail.Classify(err).Hint; hint != "did you mean QueuePause?" {
		t.Errorf("the hint is %q", hint)
	}
	runtest.Refused(t, actions(t.Context(), r.Run, &options{args: []string{"A", "B"}}), fail.CodeUsage, "one name")
}

// A server shows a user what that user may do there, and nothing else.
func TestLiveActions(t *testing.T) {
	reader := amitest.User{Name: amitest.DefaultUser, Secret: amitest.DefaultSecret, Write: amitest.ParseClass("reporting")}
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{runtest.Server(t, "pbx1", amitest.WithUsers(reader))}})
	if err := actions(t.Context(), r.Run, &options{live: true}); err != nil {
		t.Fatal(err)
	}
	names := gjson.Get(r.Out.String(), "..#.action").Raw
	if !strings.Contains(names, `"CoreStatus"`) || strings.Contains(names, `"Originate"`) {
		t.Errorf("a user with reporting alone may do %s", names)
	}
	runtest.Refused(t, actions(t.Context(), r.Run, &options{live: true, args: []string{"Originate"}}), fail.CodeCondition, "no action Originate for this user")
	two := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{runtest.Server(t, "a"), runtest.Server(t, "b")}})
	runtest.Refused(t, actions(t.Context(), two.Run, &options{live: true}), fail.CodeUsage, "asks one server, and 2 are selected")
}

func TestEvents(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Flags: run.Globals{Query: "ends.0"}})
	if err := events(t.Context(), r.Run, &options{args: []string{"QueueStatusComplete"}}); err != nil {
		t.Fatal(err)
	}
	if got := r.Out.String(); got != "QueueStatus\n" {
		t.Errorf("it ends the list of %q", got)
	}
	runtest.Refused(t, events(t.Context(), r.Run, &options{args: []string{"Nosuch"}}), fail.CodeUsage, `no event "Nosuch"`)
}
