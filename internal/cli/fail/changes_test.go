package fail

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What had been changed before an error is told of, and no status or word says that nothing was done.
func TestAfterChanges(t *testing.T) {
	type end struct {
		Code Code
		Sent string
		Exit int
		Same bool // nothing had to be changed of it
	}
	for name, test := range map[string]struct {
		err  *Error
		want end
	}{
		"no connection":       {&Error{Code: CodeConnect, Exit: ExitConnect, Sent: "no"}, end{CodeLost, "yes", ExitLost, false}},
		"and it is not said":  {&Error{Code: CodeConnect, Exit: ExitConnect}, end{CodeLost, "yes", ExitLost, false}},
		"a refused login":     {&Error{Code: CodeLogin, Exit: ExitLogin}, end{CodeLost, "yes", ExitLost, false}},
		"this was not sent":   {&Error{Code: CodeTimeout, Exit: ExitTimeout, Sent: "no"}, end{CodeTimeout, "yes", ExitTimeout, false}},
		"this may have run":   {&Error{Code: CodeTimeout, Exit: ExitTimeout, Sent: "maybe"}, end{CodeTimeout, "maybe", ExitTimeout, true}},
		"the server's answer": {&Error{Code: CodeCondition, Exit: ExitFailed, Sent: "yes"}, end{CodeCondition, "yes", ExitFailed, true}},
	} {
		t.Run(name, func(t *testing.T) {
			got := AfterChanges(test.err)
			f := Classify(got)
			if diff := cmp.Diff(test.want, end{f.Code, f.Sent, f.Exit, errors.Is(got, error(test.err))}); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
