package amitest

import (
	_ "embed"
	"strings"
	"sync"
)

// actionsTSV is what ListCommands of real servers says of every action.
//
//go:embed actions.tsv
var actionsTSV string

// known is one action of a real server's table, claimed by the simulator or not.
type known struct {
	name, synopsis string
	class          Class
	series         string
}

// catalogue has the real servers' actions by lower-case name. It is read when it is first asked: most programs that link this
// package do not.
var catalogue = sync.OnceValue(func() map[string]known {
	m := make(map[string]known, 160)
	for line := range strings.Lines(actionsTSV) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 4) // one synopsis has a tab
		if len(f) != 4 || strings.HasPrefix(line, "#") {
			continue
		}
		m[strings.ToLower(f[0])] = known{name: f[0], class: ParseClass(f[1]), series: f[2], synopsis: f[3]}
	}
	return m
})
