package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v3"
)

// What completion knows by name exists: flags with choices, and every flag of every command is offered.
func TestCompletionKnowsTheCommands(t *testing.T) {
	a := newApp(nil, nil, nil, nil, noEnv)
	root := a.commands()
	names := make(map[string]bool)
	for c := range everyCommand(root) {
		for _, f := range c.Flags {
			for _, n := range f.Names() {
				names[n] = true
			}
		}
		words := strings.Fields(c.UsageText)[1:]
		offered := a.candidates(root, "fish", append(words, "--"))
		for _, f := range slices.Concat(c.Flags, root.Flags) {
			if n := longName(f); !strings.Contains("\n"+offered, "\n--"+n+"\t") {
				t.Errorf("%s --TAB does not offer --%s", c.UsageText, n)
			}
		}
	}
	for name := range flagChoices {
		if !names[name] {
			t.Errorf("there is no flag --%s", name)
		}
	}
	for _, name := range flagFiles {
		if !names[name] {
			t.Errorf("there is no flag --%s", name)
		}
	}
}

func noEnv(string) (string, bool) { return "", false }

func longName(f cli.Flag) string {
	return slices.MaxFunc(f.Names(), func(a, b string) int { return len(a) - len(b) })
}

func TestSplitLine(t *testing.T) {
	for _, tt := range []struct {
		line string
		want []string
	}{
		{"amictl", []string{"amictl", ""}},
		{"amictl ", []string{"amictl", ""}},
		{"amictl se", []string{"amictl", "se"}},
		{"amictl  send  A ", []string{"amictl", "send", "A", ""}},
		{`amictl send "a b" 'c d' e\ f`, []string{"amictl", "send", "a b", "c d", "e f"}},
		{`amictl send "a b`, []string{"amictl", "send", "a b"}},
		{`amictl send "" x`, []string{"amictl", "send", "", "x"}},
		{`amictl 'a\'`, []string{"amictl", `a\`}},
	} {
		if diff := cmp.Diff(tt.want, splitLine(tt.line)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.line, diff)
		}
	}
}
