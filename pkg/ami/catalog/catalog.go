// Package catalog lists the actions and events that Asterisk is known to have: what its documentation and
// sources say, from release 13 on, without asking a server. A newer server may know more: nothing is wrong for being absent here.
package catalog

import (
	_ "embed"
	"strings"
	"sync"
)

//go:embed actions.tsv
var actionTable string

// An Action describes an action.
type Action struct {
	Name     string
	Classes  []string // a user needs one of them in write=; empty if none is needed
	Params   []Param
	EndEvent string // the event that ends the action's list, if it answers with one
	ReadOnly bool   // it changes nothing on the server
	Legacy   bool   // gone from current releases
	// Odd says how the answer breaks the rule that each of its packets names the action by its ActionID and ends with a
	// blank line; empty if it does not.
	Odd Oddity
}

// An Oddity is a way in which an answer is unlike others.
type Oddity string

// The oddities that are known.
const (
	Unnamed      Oddity = "unnamed"       // it has no ActionID, and may be text without a Response header or nothing at all
	UnnamedEnd   Oddity = "unnamed-end"   // the event that ends the list has no ActionID
	UnnamedItems Oddity = "unnamed-items" // the items of the list have no ActionID
	Glued        Oddity = "glued"         // no blank line stands between the items of the list
)

var oddities = []struct {
	flag string
	odd  Oddity
}{{"n", Unnamed}, {"e", UnnamedEnd}, {"i", UnnamedItems}, {"g", Glued}}

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
		for _, o := range oddities {
			if strings.Contains(col[4], o.flag) {
				a.Odd = o.odd
			}
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

// ReadOnly reports whether an action is known to change nothing on the server. Command is not: its text decides.
func ReadOnly(action string) bool {
	a, ok := Lookup(action)
	return ok && a.ReadOnly
}
