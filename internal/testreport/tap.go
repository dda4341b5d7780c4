package testreport

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// TAP writes suites in the Test Anything Protocol, version 14: the tests of all of them, each under its suite's name.
func TAP(w io.Writer, suites []Suite) error {
	total := 0
	for i := range suites {
		total += len(suites[i].Cases)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "TAP version 14\n1..%d\n", total)
	n := 0
	for i := range suites {
		for _, c := range suites[i].Cases {
			n++
			line := fmt.Sprintf("%d - %s", n, description(suites[i].Name+": "+c.Name))
			switch c.Outcome {
			case Passed:
				fmt.Fprintf(&b, "ok %s\n", line)
			case Skipped:
				fmt.Fprintf(&b, "ok %s # SKIP %s\n", line, description(c.Message))
			default:
				fmt.Fprintf(&b, "not ok %s\n  ---\n  message: %s\n  kind: %s\n  ...\n", line, quoted(c.Message), quoted(c.Kind))
			}
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// description keeps a text from being taken for a directive.
func description(s string) string { return strings.NewReplacer(`\`, `\\`, "#", `\#`).Replace(s) }

// quoted is a text as YAML has it in double quotes.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
