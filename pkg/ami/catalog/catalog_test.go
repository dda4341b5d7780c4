package catalog_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami/catalog"
)

func TestLookup(t *testing.T) {
	for _, name := range []string{"QueueAdd", "queueadd", "QUEUEADD"} {
		got, ok := catalog.Lookup(name)
		required := slices.DeleteFunc(slices.Clone(got.Params), func(p catalog.Param) bool { return !p.Required })
		want := []catalog.Param{{Name: "Queue", Required: true}, {Name: "Interface", Required: true}}
		if diff := cmp.Diff(want, required); !ok || got.Name != "QueueAdd" || diff != "" {
			t.Errorf("%s: %+v (%v), required (-want +got):\n%s", name, got, ok, diff)
		}
	}
	if got, ok := catalog.Lookup("QueueAd"); ok || got.Name != "" {
		t.Errorf("there is a %+v", got)
	}
}

// An action that may change something never counts as one that only reads.
func TestReadOnly(t *testing.T) {
	for name, want := range map[string]bool{
		"Ping": true, "coreshowchannels": true, "GetConfig": true, "QueueStatus": true,
		"Command": false, "Originate": false, "Hangup": false, "UpdateConfig": false, "DBDel": false, "NoSuchAction": false,
	} {
		if got := catalog.ReadOnly(name); got != want {
			t.Errorf("%s only reads: %v", name, got)
		}
	}
}

// Both lists are sorted and hold nothing twice.
func TestLists(t *testing.T) {
	fold := func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) }
	var actions []string
	for _, a := range catalog.Actions() {
		actions = append(actions, a.Name)
	}
	for what, names := range map[string][]string{"actions": actions, "events": catalog.EventNames()} {
		if len(names) < 100 || !slices.IsSortedFunc(names, fold) || len(slices.CompactFunc(slices.Clone(names), strings.EqualFold)) != len(names) {
			t.Errorf("%d %s, sorted: %v", len(names), what, slices.IsSortedFunc(names, fold))
		}
	}
}
