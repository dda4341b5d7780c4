package ami_test

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
)

// Every figure has one name in JSON: its field's in snake case, with _ns behind what something took.
func TestStatsHaveOneJSONNaming(t *testing.T) {
	capital := regexp.MustCompile(`([a-z])([A-Z])`)
	for _, kind := range []reflect.Type{
		reflect.TypeFor[ami.ClusterStats](), reflect.TypeFor[ami.NodeStats](), reflect.TypeFor[ami.Ledger](), reflect.TypeFor[ami.SubscriptionStats](),
	} {
		for i := range kind.NumField() {
			f := kind.Field(i)
			want := strings.ToLower(capital.ReplaceAllString(f.Name, "${1}_$2"))
			if f.Type == reflect.TypeFor[time.Duration]() {
				want += "_ns"
			}
			if got, _, _ := strings.Cut(f.Tag.Get("json"), ","); got != want {
				t.Errorf("%s.%s is %q, want %q", kind, f.Name, got, want)
			}
		}
	}
}

func TestStatsAsJSON(t *testing.T) {
	text, err := json.Marshal(ami.NodeStats{Node: "pbx1", State: ami.StateBreakerOpen, PingLast: 1500 * time.Microsecond, Ledger: ami.Ledger{TimedOut: 3}})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	ledger, _ := got["ledger"].(map[string]any)
	if diff := cmp.Diff([]any{"pbx1", "breaker-open", 1.5e6, 3.0}, []any{got["node"], got["state"], got["ping_last_ns"], ledger["timed_out"]}); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, text)
	}
}

// Each state has a name of its own, as text too: a map of states is readable.
func TestStateNames(t *testing.T) {
	states := map[ami.State]int{}
	for s := ami.StateDown; s <= ami.StateClosed; s++ {
		states[s] = int(s)
	}
	text, err := json.Marshal(states)
	var names map[string]int
	if err == nil {
		err = json.Unmarshal(text, &names)
	}
	if err != nil || len(names) != len(states) {
		t.Fatalf("%d states have %d names: %v\n%s", len(states), len(names), err, text)
	}
	for s := range states {
		if n, ok := names[s.String()]; !ok || n != int(s) {
			t.Errorf("%v is not in %s", s, text)
		}
	}
}
