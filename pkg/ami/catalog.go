package ami

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

// The catalogue holds what Asterisk's documentation and sources say of its actions and events, from release 13 on.
// A newer server may know more: nothing is refused for being absent here.
var (
	//go:embed catalog_actions.tsv
	catalogActions string
	//go:embed catalog_events.txt
	catalogEvents string
)

// A CatalogAction describes an action.
type CatalogAction struct {
	Name     string
	Classes  []string // a user needs one of them in write=; empty if none is needed
	Params   []CatalogParam
	EndEvent string // the event that ends the action's list, if it answers with one
	ReadOnly bool   // it changes nothing on the server
	Legacy   bool   // gone from current releases
}

// A CatalogParam is a header that an action understands.
type CatalogParam struct {
	Name     string
	Required bool
}

type catalog struct {
	actions []CatalogAction
	byName  map[string]*CatalogAction // by lower-case name
}

var loadCatalog = sync.OnceValue(func() *catalog {
	c := &catalog{byName: make(map[string]*CatalogAction)}
	for line := range strings.Lines(catalogActions) {
		col := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(line, "#") || len(col) != 5 {
			continue
		}
		a := CatalogAction{Name: col[0], EndEvent: col[3], ReadOnly: strings.Contains(col[4], "r"), Legacy: strings.Contains(col[4], "l")}
		if col[1] != "none" {
			a.Classes = strings.Split(col[1], ",")
		}
		for p := range strings.SplitSeq(col[2], ",") {
			if name := strings.TrimSuffix(p, "*"); name != "" {
				a.Params = append(a.Params, CatalogParam{Name: name, Required: name != p})
			}
		}
		c.actions = append(c.actions, a)
	}
	for i := range c.actions {
		c.byName[strings.ToLower(c.actions[i].Name)] = &c.actions[i]
	}
	return c
})

// Actions returns all actions of the catalogue by name. The caller must not change it.
func Actions() []CatalogAction { return loadCatalog().actions }

// LookupAction finds an action by name, whatever its case.
func LookupAction(name string) (CatalogAction, bool) {
	a, ok := loadCatalog().byName[strings.ToLower(name)]
	if !ok {
		return CatalogAction{}, false
	}
	return *a, true
}

// EventNames returns the names of all known events, sorted without regard to case.
func EventNames() []string {
	return slices.Collect(func(yield func(string) bool) {
		for line := range strings.Lines(catalogEvents) {
			if !yield(strings.TrimSuffix(line, "\n")) {
				return
			}
		}
	})
}

// ReadOnly reports whether an action is known to change nothing on the server. Command is not: its text decides.
func ReadOnly(action string) bool {
	a, ok := LookupAction(action)
	return ok && a.ReadOnly
}

// endEvent returns the event that ends an action's list, or "".
func endEvent(action string) string {
	a, _ := LookupAction(action)
	return a.EndEvent
}
