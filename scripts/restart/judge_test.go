package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// A seenAll is a wire that saw what it holds.
type seenAll map[string]bool

func (w seenAll) left(mark string) bool { return w[mark] }

// printedBy is a tool that printed these lines.
func printedBy(t *testing.T, exit int, out, err []string) *tool {
	t.Helper()
	one := &tool{exit: exit}
	for _, text := range out {
		s := said{text: text}
		if err := json.Unmarshal([]byte(text), &s.object); err != nil {
			t.Fatal(err)
		}
		s.at = s.Time
		one.out = append(one.out, s)
	}
	for i, text := range err {
		one.err = append(one.err, said{at: second(i), text: text})
	}
	return one
}

// The one restart of the test: gone at 10 s, back at 15 s.
func second(n int) time.Time { return time.Unix(int64(n), 0).UTC() }

func stamped(n int) string { return `"time":"` + second(n).Format(time.RFC3339Nano) + `"` }

// The judge sees what is wrong, and only that.
func TestJudge(t *testing.T) {
	reply := func(n, at int) string {
		return fmt.Sprintf(`{"type":"reply","id":%q,"response":"Success",%s}`, mark(n), stamped(at))
	}
	failure := func(n, at, exit int, rest string) string {
		return fmt.Sprintf(`{"type":"error","id":%q,"exit":%d,%s,%s}`, mark(n), exit, stamped(at), rest)
	}
	event := func(n, at int) string {
		return fmt.Sprintf(`{"type":"event","event":"UserEvent","fields":{"UserEvent":"Restarts","N":%q},%s}`, mark(n), stamped(at))
	}
	gap := fmt.Sprintf(`{"type":"gap","since":%q,"until":%q,%s}`, second(10).Format(time.RFC3339), second(16).Format(time.RFC3339), stamped(16))
	late := fmt.Sprintf(`{"type":"gap","since":%q,"until":%q,%s}`, second(14).Format(time.RFC3339), second(16).Format(time.RFC3339), stamped(16))
	health := func(at int, state, code string) string {
		return fmt.Sprintf(`{"type":"health","state":%q,"code":%q,"reason":"pbx: x",%s}`, state, code, stamped(at))
	}
	cut := `"sent":"yes","message":"lost"`
	for name, test := range map[string]struct {
		send, tail, health []string
		complaint          string
		exit               int
		wrong              string // a part of the one wrong word, "" none
	}{
		"all well":                    {send: []string{reply(0, 5), failure(1, 10, 7, cut), reply(2, 17)}, tail: []string{event(0, 5), gap, event(2, 17)}, exit: 6},
		"an event in the gap":         {send: []string{reply(0, 5), reply(1, 15), reply(2, 17)}, tail: []string{event(0, 5), gap, event(2, 17)}},
		"an event without a gap":      {send: []string{reply(0, 5), reply(1, 6), reply(2, 17)}, tail: []string{event(0, 5), gap, event(2, 17)}, wrong: "lost without a gap"},
		"events not written any more": {send: []string{reply(0, 5), reply(1, 11), reply(2, 17)}, tail: []string{event(0, 5), late, event(2, 17)}},
		"but for one before others":   {send: []string{reply(0, 5), reply(1, 11), reply(2, 13)}, tail: []string{event(0, 5), event(2, 13), late}, wrong: "lost without a gap"},
		"an event twice":              {send: []string{reply(0, 5), reply(1, 6), reply(2, 17)}, tail: []string{event(0, 5), event(1, 6), gap, event(2, 17), event(2, 17)}, wrong: "ran twice"},
		"no gap":                      {send: []string{reply(0, 5), reply(1, 6), reply(2, 17)}, tail: []string{event(0, 5), event(1, 6), event(2, 17)}, wrong: "0 gaps"},
		"no object":                   {send: []string{reply(0, 5), reply(2, 17)}, tail: []string{event(0, 5), gap, event(2, 17)}, wrong: "line 2 has no object"},
		"two objects":                 {send: []string{reply(0, 5), reply(1, 12), reply(2, 17), reply(2, 17)}, tail: []string{event(0, 5), gap, event(2, 17)}, wrong: "one object too many"},
		"unsent":                      {send: []string{reply(0, 5), failure(1, 12, 3, `"sent":"no","message":"the connection was lost"`), reply(2, 17)}, tail: []string{event(0, 5), gap, event(2, 17)}, exit: 6, wrong: "was not sent"},
		"in a write that failed":      {send: []string{reply(0, 5), failure(1, 10, 3, `"sent":"no","message":"the connection was lost"`), reply(2, 17)}, tail: []string{event(0, 5), gap, event(2, 17)}, exit: 6},
		"an error for nothing":        {send: []string{reply(0, 5), failure(1, 6, 7, cut), reply(2, 17)}, tail: []string{event(0, 5), gap, event(2, 17)}, exit: 6, wrong: "while the server was there"},
		"a timeout":                   {send: []string{reply(0, 5), failure(1, 11, 5, cut), reply(2, 17)}, tail: []string{event(0, 5), gap, event(2, 17)}, exit: 6, wrong: "send: {"},
		"another exit status":         {send: []string{reply(0, 5), reply(1, 15), reply(2, 17)}, tail: []string{event(0, 5), gap, event(2, 17)}, exit: 6, wrong: "exit status 6"},
		"health well":                 {health: []string{health(9, "ready", ""), health(12, "down", "connect"), health(14, "stopping", "connect"), health(18, "ready", "")}},
		"ready while it was away":     {health: []string{health(12, "ready", "")}, wrong: "ready while it was away"},
		"down while it was there":     {health: []string{health(20, "down", "connect")}, wrong: "not ready while it was there"},
		"down because of the command": {health: []string{health(12, "down", "usage")}, wrong: "code or reason"},
		"a hint about the secret":     {complaint: "hint: check user and secret", wrong: "standard error"},
	} {
		t.Run(name, func(t *testing.T) {
			all := &tools{srv: &server{addr: "pbx"}, tail: printedBy(t, 0, test.tail, nil), look: printedBy(t, 0, test.health, nil)}
			var complaints []string
			if test.complaint != "" {
				complaints = []string{test.complaint}
			}
			all.send = printedBy(t, test.exit, test.send, complaints)
			v := &verdict{
				o:      &options{bound: 3 * time.Second},
				rounds: []round{{kind: killed, given: second(10), gone: second(10), back: second(15)}},
				wire:   seenAll{mark(0): true, mark(1): name != "in a write that failed" && name != "unsent", mark(2): true},
			}
			if test.send != nil {
				all.lines = 3
				v.judgeTail(all, v.judgeSend(all))
			}
			if test.health != nil {
				v.judgeHealth(all)
			}
			if test.complaint != "" {
				v.judgeSend(all)
			}
			if (test.wrong != "") != (len(v.wrong) == 1) || len(v.wrong) > 1 || test.wrong != "" && !strings.Contains(v.wrong[0], test.wrong) {
				t.Errorf("wrong: %q; want %q", v.wrong, test.wrong)
			}
		})
	}
}

// A round's tools have to be back in time, and to say so once, with the time that it took.
func TestJudgeRound(t *testing.T) {
	at := map[string]time.Time{nameSend: second(16), nameTail: second(16), nameWait: second(17), nameHealth: second(19)}
	back := []string{12: " is back after 6s: lost"}
	done := fmt.Sprintf(`{"type":"event","event":"UserEvent","fields":{"UserEvent":"RestartsOver"},%s}`, stamped(18))
	booted := fmt.Sprintf(`{"type":"event","event":"FullyBooted",%s}`, stamped(17))
	for name, test := range map[string]struct {
		change func(r *round, all *tools)
		wrong  string
	}{
		"well":         {func(*round, *tools) {}, ""},
		"late":         {func(r *round, _ *tools) { r.found[nameTail] = second(19) }, "tail found it 4s"},
		"never":        {func(r *round, _ *tools) { delete(r.found, nameSend) }, "did not find it"},
		"not told":     {func(_ *round, all *tools) { all.look.err = nil }, "said 0 times"},
		"wrong length": {func(_ *round, all *tools) { all.send.err[12].text = " is back after 1m: lost" }, "it was away for 5s"},
		"not booted":   {func(_ *round, all *tools) { all.tail.out = nil }, "no FullyBooted"},
		"missed":       {func(r *round, _ *tools) { r.waiter.exit = 5 }, "wait exited 5"},
	} {
		t.Run(name, func(t *testing.T) {
			all := &tools{
				send: printedBy(t, 0, nil, back), look: printedBy(t, 0, nil, back), tail: printedBy(t, 0, []string{booted}, back),
			}
			r := round{
				kind: killed, given: second(10), gone: second(10), back: second(15), waiter: printedBy(t, 0, []string{done}, back),
				found: map[string]time.Time{},
			}
			for name, when := range at {
				r.found[name] = when
			}
			v := &verdict{o: &options{bound: 3 * time.Second}, rounds: []round{r}}
			test.change(&v.rounds[0], all)
			v.judgeRound(0, all)
			if (test.wrong == "") != (len(v.wrong) == 0) || len(v.wrong) > 1 || test.wrong != "" && !strings.Contains(v.wrong[0], test.wrong) {
				t.Errorf("wrong: %q; want %q", v.wrong, test.wrong)
			}
		})
	}
}
