// Package nagios is what a plugin says to Nagios and those that took over its ways: a status, a line, performance data.
package nagios

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/output"
)

// The statuses of a plugin.
const (
	OK       = 0
	Warning  = 1
	Critical = 2
	Unknown  = 3
)

// bySeverity are the statuses by how much they matter, as the Monitoring Plugins' own (lib/utils_base.c, max_state_alt) put them:
// what is certainly ill, if only a little, is not hidden by what is not known.
var bySeverity = []int{OK, Unknown, Warning, Critical}

// Compare is how much more one status matters than another: below, at or above 0.
func Compare(a, b int) int { return slices.Index(bySeverity, a) - slices.Index(bySeverity, b) }

// Worse is the one of two statuses that matters more.
func Worse(a, b int) int {
	if Compare(b, a) > 0 {
		return b
	}
	return a
}

// Word is a status as a line says it.
func Word(status int) string {
	return [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[status]
}

// Text keeps text from being taken for performance data or another line. The or of a condition stays readable.
func Text(s string) string { return strings.NewReplacer("||", "or", "|", "/").Replace(output.Safe(s)) }

// Failure is the line of a service that could not be looked at.
func Failure(service string, f fail.Failure) []byte {
	return []byte(service + " UNKNOWN - " + Text(f.Message) + "\n")
}

// Report returns what makes a failure of the run UNKNOWN where Nagios asks; it is run.About's Failed.
func Report(service string) func(form run.Output, f fail.Failure) (text []byte, status int) {
	return func(form run.Output, f fail.Failure) ([]byte, int) {
		if form != run.OutputNagios {
			return nil, 0
		}
		return Failure(service, f), Unknown
	}
}

// mostText is how many characters the text of the first line has at most, if it tells of several problems: what is sent as a text
// message, or stands in a list of services.
const mostText = 200

// Summary is the first line before its performance data: what was found, and the problems, which are Text with the worst first. What
// would make the line too long is counted; Details has it.
func Summary(service string, status int, found string, problems []string) string {
	line := service + " " + Word(status) + " - " + found
	for i, problem := range problems {
		if i > 0 && utf8.RuneCountInString(line)+len("; ")+utf8.RuneCountInString(problem) > mostText {
			return line + fmt.Sprintf("; and %d more", len(problems)-i)
		}
		line += "; " + problem
	}
	return line
}

// Details is the long output, a line for each problem. A single one is in the first line, whole.
func Details(problems []string) string {
	if len(problems) < 2 {
		return ""
	}
	return strings.Join(problems, "\n") + "\n"
}

// Undetermined is what the plugin guidelines have for a figure that is not known.
const Undetermined = "U"

// Number is a figure as performance data has it; NaN is not known.
func Number(v float64) string {
	if math.IsNaN(v) {
		return Undetermined
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// A Datum is one figure of performance data.
type Datum struct {
	Label      string
	Value      float64 // NaN: it is not known
	Unit       string  // s, c, %, B; "" for a number
	Warn, Crit string  // ranges, "" for none
	Max        string  // "" for none
}

// Range is a condition as a range of the guidelines, which is of what is met: a figure alerts outside of it, behind an @ inside.
func Range(op string, limit float64) string {
	value := Number(limit)
	return map[string]string{
		">": "~:" + value, "<": value + ":", ">=": "@" + value + ":", "<=": "@~:" + value, "=": "@" + value + ":" + value, "!=": value + ":" + value,
	}[op]
}

// String writes it as the guidelines want it: 'label'=value[unit];[warn];[crit];[min];[max], an end that is empty left out, and
// quotes that are not needed. No figure of ours is below 0.
func (d Datum) String() string {
	value := Number(d.Value)
	if value != Undetermined {
		value += d.Unit
	}
	label := strings.NewReplacer("'", "''", "=", ":").Replace(Text(d.Label))
	if strings.ContainsAny(label, " '") {
		label = "'" + label + "'"
	}
	text := label + "=" + value + ";" + d.Warn + ";" + d.Crit + ";0"
	if d.Max != "" {
		text += ";" + d.Max
	}
	return text
}
