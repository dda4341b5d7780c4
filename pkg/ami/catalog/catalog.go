// Package catalog lists the actions and events that Asterisk is known to have: what its documentation and sources say,
// from release 13 on, without asking a server. A newer server may know more: nothing is wrong for being absent here.
package catalog

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

var (
	//go:embed actions.tsv
	actionTable string
	//go:embed events.txt
	eventList string
)

// An Action describes an action.
type Action struct {
	Name     string
	Classes  []string // a user needs one of them in write=; empty if none is needed
	Params   []Param
	EndEvent string // the event that ends the action's list, if it answers with one
	ReadOnly bool   // it changes nothing on the server
	Legacy   bool   // gone from current releases
}

// A Param is a header that an action understands.
type Param struct {
	Name     string
	Required bool
}

type table struct {
	actions []Action
	byName  map[string]*Action // by lower-case name
}

var load = sync.OnceValue(func() *table {
	c := &table{byName: make(map[string]*Action)}
	for line := range strings.Lines(actionTable) {
		col := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(line, "#") || len(col) != 5 {
			continue
		}
		a := Action{Name: col[0], EndEvent: col[3], ReadOnly: strings.Contains(col[4], "r"), Legacy: strings.Contains(col[4], "l")}
		if col[1] != "none" {
			a.Classes = strings.Split(col[1], ",")
		}
		for p := range strings.SplitSeq(col[2], ",") {
			if name := strings.TrimSuffix(p, "*"); name != "" {
				a.Params = append(a.Params, Param{Name: name, Required: name != p})
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
func Actions() []Action { return load().actions }

// Lookup finds an action by name, whatever its case.
func Lookup(name string) (Action, bool) {
	a, ok := load().byName[strings.ToLower(name)]
	if !ok {
		return Action{}, false
	}
	return *a, true
}

// Events returns the names of all known events, sorted without regard to case.
func Events() []string {
	return slices.Collect(func(yield func(string) bool) {
		for line := range strings.Lines(eventList) {
			if !yield(strings.TrimSuffix(line, "\n")) {
				return
			}
		}
	})
}

// ReadOnly reports whether an action is known to change nothing on the server. Command is not: its text decides.
func ReadOnly(action string) bool {
	a, ok := Lookup(action)
	return ok && a.ReadOnly
}
