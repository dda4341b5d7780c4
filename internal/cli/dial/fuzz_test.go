package dial

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/runtest"
)

// Whatever a list holds, it is refused or makes actions that hold no line of anybody else's, a row each number.
func FuzzList(f *testing.F) {
	f.Add("number,name\n100,Ann\n200,\"Bob, \"\"jr\"\"\"\n")
	f.Add("{\"number\":100,\"name\":\"a\\r\\nb\"}\n{\"number\":\"2\",\"name\":true}\n")
	f.Add("number,name\n100,\"a\nb\"\n")
	f.Add("\xef\xbb\xbfname,number\r\n\x00,1\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		r := runtest.New(t, runtest.Setup{Stdin: text})
		o := newOptions()
		o.file, o.Channel, o.Exten, o.Vars = "-", "Local/{number}@default", "200", flags.List{"NAME={name}"}
		p, err := prepare(r.Run, o)
		if err != nil {
			return
		}
		known := make(map[string]bool)
		for i := range p.list.rows {
			number := p.list.number(i)
			if number == "" || control(number) >= 0 || known[number] {
				t.Errorf("%q is a number", number)
			}
			known[number] = true
			action, err := p.action(i, "")
			if err != nil || action.Check() != nil {
				t.Errorf("%q: %v, %v", number, err, action.Check())
			}
			for _, field := range action.Fields {
				if strings.ContainsAny(field.Value, "\r\n\x00") {
					t.Errorf("%s is %q", field.Name, field.Value)
				}
			}
		}
	})
}

// What is read of a journal is what it says: written again, it is read the same.
func FuzzJournal(f *testing.F) {
	head := strings.Join(journalHeader, ",") + "\n"
	f.Add(head + "2026-11-28T06:47:25.787531Z,100,calling,1,pbx1,amictl-1,,,,\n")
	f.Add(head + "2026-11-28T06:47:25Z,\"1\"\"0\",final,2,pbx1,amictl-1,busy,17,1500,\n")
	f.Add(head + "2026-11-28T06:47:25Z,1,unsent,-1,,,,,,-5\n")
	f.Fuzz(func(t *testing.T, text string) {
		steps, err := readSteps("x", []byte(text))
		if err != nil {
			return
		}
		readBook(steps) // it does not panic
		var rows bytes.Buffer
		rows.WriteString(head)
		for i := range steps {
			if steps[i].state == stepCalling || steps[i].state == stepUnsent {
				steps[i].outcome = 0
			}
			steps[i].ring, steps[i].talk = max(steps[i].ring, unmeasured), max(steps[i].talk, unmeasured)
			for j, cell := range steps[i].row() {
				rows.WriteString(map[bool]string{true: ",", false: ""}[j > 0] + `"` + strings.ReplaceAll(cell, `"`, `""`) + `"`)
			}
			rows.WriteByte('\n')
		}
		again, err := readSteps("x", rows.Bytes())
		if diff := cmp.Diff(len(steps), len(again)); err != nil || diff != "" {
			t.Errorf("%v: %s", err, diff)
		}
		for i := range again {
			if steps[i].String() != again[i].String() {
				t.Errorf("%s became %s", &steps[i], &again[i])
			}
		}
	})
}
