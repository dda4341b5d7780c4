package check

import (
	"math"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/nagios"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/output"
)

// A status is how a check ended.
type status uint8

const (
	passed    status = iota
	warned           // a warn is met
	failed           // a crit is met, or what has to be is not
	skipped          // the user may not ask, or there is no session
	undecided        // a threshold asks for what is not known
)

// statuses say what each of them means elsewhere.
var statuses = [...]struct {
	word   string
	tone   output.Tone
	nagios int
}{
	passed: {"pass", output.Good, nagios.OK}, warned: {"warn", output.Doubtful, nagios.Warning}, failed: {"fail", output.Bad, nagios.Critical},
	skipped: {"skip", output.Doubtful, nagios.OK}, undecided: {"unknown", output.Doubtful, nagios.Unknown},
}

// A finding is what a check found.
type finding struct {
	status  status
	detail  string // what was found, or why it is not well
	err     error  // of what is neither passed nor skipped
	figures []measured
}

// A measured figure is one with its value. NaN: it is not known.
type measured struct {
	figure
	value      float64
	label      string // Prometheus' label beside node, and its value
	of         string
	warn, crit string // ranges of the thresholds, for performance data
}

// A result is the finding of one check of one node.
type result struct {
	finding
	node, check string
	at          time.Time
	took        time.Duration
	inSession   bool // behind the login, when there may have been others before it
	acted       bool // there were, in an earlier round
}

// exit is the status that the check asks for. One that failed on a session, or after one, does not say that nothing was executed: a call
// or a command of the profile may have been, before it.
func (r *result) exit() int {
	f := fail.Classify(r.err)
	switch {
	case !r.inSession && !r.acted:
	case f.Exit == fail.ExitConnect:
		return fail.ExitLost
	case f.Exit == fail.ExitLogin, f.Exit == fail.ExitUsage:
		return fail.ExitFailed
	}
	return f.Exit
}

func (r *result) record() output.Record {
	how := statuses[r.status]
	var figures any
	if known := r.known(); len(known) > 0 {
		figures = known
	}
	took := run.Span(r.took)
	if took == "" {
		took = "-"
	}
	return output.Record{
		{Key: "type", Value: "check"},
		{Key: "node", Value: r.node},
		{Key: "time", Value: r.at, Text: r.at.Local().Format(time.TimeOnly), Look: output.Minor},
		{Key: "check", Value: r.check},
		{Key: "status", Value: how.word, Tone: how.tone},
		{Key: "took_us", Value: r.took.Microseconds(), Text: took},
		{Key: "figures", Value: figures, Look: output.Minor},
		{Key: "code", Value: run.OrAbsent(string(fail.Classify(r.err).Code))},
		{Key: "detail", Value: run.OrAbsent(r.detail), Look: output.Prose},
	}
}

// byName are figures for programs; people read the detail, which has them in words.
type byName map[string]float64

func (byName) String() string { return "" }

// known are the figures that are known.
func (f *finding) known() byName {
	known := make(byName)
	for _, m := range f.figures {
		if !math.IsNaN(m.value) {
			known[m.name] = m.value
		}
	}
	return known
}

// failedCheck is the error of a check that found something else than the profile wants.
func failedCheck(code fail.Code, text string) error {
	hint := "fix the server, or change what the profile asks of it"
	if code == fail.CodePermission {
		hint = "give the user those rights in manager.conf, or ask for less in the profile"
	}
	return &fail.Error{Code: code, Message: text, Hint: hint}
}

// judged is the finding of thresholds: how, and why if that is not well, and what there is in words.
func judged(how status, why, there string, figures []measured) finding {
	f := finding{status: how, detail: there, figures: figures}
	switch how {
	case failed, warned:
		f.detail = why + ": " + there
		f.err = failedCheck(fail.CodeCondition, f.detail)
	case undecided:
		f.detail = why + ": not known; " + there
		f.err = failedCheck(fail.CodePermission, f.detail)
	}
	return f
}

// failing is the finding of an error.
func failing(node string, err error) finding {
	return finding{status: failed, err: err, detail: strings.TrimPrefix(fail.Classify(err).Message, node+": ")}
}

// measure puts values to figures, with what a profile says of each.
func measure(of []figure, values []float64, t thresholds, label, name string) (all []measured) {
	for i := range of {
		m := measured{figure: of[i], value: values[i], label: label, of: name}
		m.warn, m.crit = bound(t.warn, m.name), bound(t.crit, m.name)
		all = append(all, m)
	}
	return all
}

// words are figures as people read them: the first, those that a threshold asks for, and those that are not 0.
func words(all []measured, asked thresholds) string {
	var b strings.Builder
	for i, m := range all {
		if math.IsNaN(m.value) || i > 0 && m.value == 0 && !asked.names(m.name) {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		value := number(m.value)
		if m.unit == "s" {
			value = output.Duration(time.Duration(m.value * float64(time.Second)))
		}
		b.WriteString(m.name + " " + value)
	}
	return b.String()
}

// fields are figures as a condition asks for them, and the names of those that are not known.
func fields(all []measured) (known func(yield func(string, string) bool), unknown []string) {
	for _, m := range all {
		if math.IsNaN(m.value) {
			unknown = append(unknown, m.name)
		}
	}
	return func(yield func(string, string) bool) {
		for _, m := range all {
			if !math.IsNaN(m.value) && !yield(m.name, number(m.value)) {
				return
			}
		}
	}, unknown
}

func names(of []figure) (all []string) {
	for i := range of {
		all = append(all, of[i].name)
	}
	return all
}
