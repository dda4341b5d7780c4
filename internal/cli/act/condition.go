package act

import (
	"iter"
	"slices"
	"strings"

	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cond"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/catalog"
)

// ParseWhere joins conditions: several flags mean and. It is nil without any. What looks like a mistake is said.
func ParseWhere(r *run.Run, conditions []string) (where *ami.Where, err error) {
	for _, text := range conditions {
		w, err := ami.ParseWhere(text)
		if err != nil {
			return nil, err
		}
		where = where.And(w)
	}
	for _, w := range where.Warnings() {
		r.Note("%s", strings.TrimPrefix(w.Error(), "ami: "))
	}
	return where, nil
}

// NoteMissing names the fields that a condition asked for and nothing had: they may be misspelt.
func NoteMissing(r *run.Run, where *ami.Where) {
	for _, field := range where.Missing() {
		r.Note("the condition asks for a field %s, which nothing that came had", field)
	}
}

// WarnLacking tells of a field that a condition asks for and that none of the events has that were named, as far as the
// catalogue knows. They are waited for all the same: a newer server, or another module, may send it.
func WarnLacking(r *run.Run, where *ami.Where, events []string) {
	if where == nil || r.Flags.Quiet {
		return
	}
	for _, lack := range cond.Lacking(where, events, catalogued(events)) {
		near := ""
		if len(lack.Near) > 0 {
			near = "; did you mean " + strings.Join(lack.Near, " or ") + "?"
		}
		who := events[0] + " has no"
		if len(events) > 1 {
			who = "none of " + strings.Join(events, ", ") + " has a"
		}
		r.Note("%s header %s in the catalogue%s", who, lack.Field, near)
	}
}

// catalogued yields the events of the catalogue that one of the globs names, with their headers; without, if any may be there.
func catalogued(globs []string) iter.Seq2[string, []string] {
	return func(yield func(string, []string) bool) {
		for _, name := range catalog.EventNames() {
			if !slices.ContainsFunc(globs, func(glob string) bool { return ami.MatchGlob(glob, name) }) {
				continue
			}
			var headers []string
			e, _ := catalog.LookupEvent(name)
			for _, h := range e.Headers {
				if !e.Open {
					headers = append(headers, h.Name)
				}
			}
			if !yield(name, headers) {
				return
			}
		}
	}
}
