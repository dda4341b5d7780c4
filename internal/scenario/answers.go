package scenario

import (
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// answer makes a server answer as the scenario says.
func (s *Scenario) answer(srv *amitest.Server) {
	byAction := make(map[string][]*Answer)
	for i := range s.Answers {
		a := &s.Answers[i]
		if len(matching(a.On, []string{srv.Name()})) == 0 {
			continue
		}
		if a.Command != "" {
			text := strings.Repeat(strings.Repeat("x", a.Width)+"\n", a.Lines)
			srv.State().SetCommand(a.Command, func(string) (string, bool) { return text, true })
			continue
		}
		byAction[strings.ToLower(a.Action)] = append(byAction[strings.ToLower(a.Action)], a)
	}
	for _, answers := range byAction {
		srv.Handle(answers[0].Action, choose(answers))
	}
}

// choose returns a handler that takes the first answer whose turn it is.
func choose(answers []*Answer) amitest.HandlerFunc {
	var times atomic.Int64
	return func(r *amitest.Request, w *amitest.ResponseWriter) {
		n := times.Add(1)
		for _, a := range answers {
			if a.Every <= 1 || n%int64(a.Every) == 0 {
				a.write(r, w)
				return
			}
		}
		w.Error("No answer is left")
	}
}

func (a *Answer) write(r *amitest.Request, w *amitest.ResponseWriter) {
	if a.Text != "" {
		w.Raw(fill(a.Text, r))
		return
	}
	w.ListStart("A list will follow")
	fields, _ := headers(a.List.Fields) // checked when the file was read
	for i := range a.List.Items {
		var kv []string
		for _, f := range fields {
			kv = append(kv, f.Name, strings.ReplaceAll(f.Value, "{i}", strconv.Itoa(i+1)))
		}
		w.Item(a.List.Event, kv...)
		if p := a.List.Pause.D(); p > 0 && !w.Sleep(p) {
			return
		}
	}
	w.ListEnd(a.List.End)
}

// fill replaces {Header} by the request's header of that name.
func fill(text string, r *amitest.Request) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{")
		b.WriteString(before)
		name, behind, closed := strings.Cut(rest, "}")
		if found && !closed {
			b.WriteString("{" + rest)
		}
		if !found || !closed {
			return b.String()
		}
		b.WriteString(r.Get(name))
		text = behind
	}
}
