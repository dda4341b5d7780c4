package flags_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/flags"
)

// name is a flag's first name, "" of none.
func name(f cli.Flag) string {
	if f == nil {
		return ""
	}
	return f.Names()[0]
}

// A flag is found by either of its names, with or without a value behind it; a subcommand's own comes before a global one.
func TestLookupFlag(t *testing.T) {
	var text string
	root := &cli.Command{Name: "amictl", Flags: []cli.Flag{flags.Text("node", "n", "", &text), flags.Text("o", "", "", &text), &cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}}}}
	command := &cli.Command{Name: "tail", Flags: []cli.Flag{flags.Text("where", "w", "", &text), flags.Text("from", "", "", &text)}}
	for arg, want := range map[string]struct {
		flag   string
		global bool
	}{
		"--where":    {"where", false},
		"--where=x":  {"where", false},
		"-w":         {"where", false},
		"-w=x":       {"where", false},
		"--from":     {"from", false},
		"--node":     {"node", true},
		"--node=a=b": {"node", true},
		"-n":         {"node", true},
		"-o":         {"o", true},
		"--quiet":    {"quiet", true},
		"-q":         {"quiet", true},
		"-where":     {},
		"-nx":        {},
		"--n":        {}, // a short name has one dash
		"--o":        {},
		"--w":        {},
		"-x":         {},
		"--none":     {},
		"--":         {},
		"-":          {},
		"":           {},
		"where":      {},
		"in":         {}, // a word, and no -n
	} {
		f, global := flags.LookupFlag(root, command, arg)
		if name(f) != want.flag || global != want.global {
			t.Errorf("%q: %q, global %t", arg, name(f), global)
		}
	}
	// The root's own flags are global.
	for arg, want := range map[string]string{"--node": "node", "-q": "quiet", "--where": ""} {
		if f, global := flags.LookupFlag(root, root, arg); name(f) != want || global != (want != "") {
			t.Errorf("of the root %q: %q, global %t", arg, name(f), global)
		}
	}
}

func TestKindsOfFlags(t *testing.T) {
	var text string
	plain, choice := flags.Text("text", "t", "a `TEXT`", &text), flags.Choice("form", "", "a `FORM`", &text, "a", "b")
	if flags.IsBool(plain) || flags.IsBool(choice) || !flags.IsBool(&cli.BoolFlag{Name: "x"}) {
		t.Error("which of them take a value?")
	}
	if !slices.Equal(flags.Choices(choice), []string{"a", "b"}) || flags.Choices(plain) != nil {
		t.Errorf("%q, %q", flags.Choices(choice), flags.Choices(plain))
	}
	if diff := cmp.Diff([][]string{{"text", "t"}, {"form"}}, [][]string{plain.Names(), choice.Names()}); diff != "" {
		t.Error(diff)
	}
	if got := flags.HelpFor(&cli.Command{UsageText: "amictl tail [EVENT...]"}); got != "amictl tail [EVENT...] --help" {
		t.Errorf("help is %q", got)
	}
}

func TestUnquoteUsage(t *testing.T) {
	for usage, want := range map[string][2]string{
		"the context `NAME` to use":  {"NAME", "the context NAME to use"},
		"`TIME` for one action":      {"TIME", "TIME for one action"},
		"read this `FILE`":           {"FILE", "read this FILE"},
		"print nothing but data":     {"", "print nothing but data"},
		"one ` alone":                {"", "one ` alone"},
		"`A` and `B` are its ends x": {"A` and `B", "A` and `B are its ends x"},
		"``":                         {"", ""},
		"":                           {"", ""},
	} {
		if value, text := flags.UnquoteUsage(usage); value != want[0] || text != want[1] {
			t.Errorf("%q: %q, %q", usage, value, text)
		}
	}
}

// all are the flags of a command that has one of each kind.
type all struct {
	text, form string
	list       flags.List
	time       flags.Duration
	count      flags.Count
	size       flags.Size
}

func (a *all) parse(t *testing.T, args ...string) error {
	t.Helper()
	c := &cli.Command{
		Name: "x", Action: func(context.Context, *cli.Command) error { return nil }, OnUsageError: func(_ context.Context, _ *cli.Command, err error, _ bool) error { return err },
		Flags: []cli.Flag{
			flags.Text("text", "t", "", &a.text), flags.Choice("form", "f", "", &a.form, "one", "two"), &cli.GenericFlag{Name: "list", Value: &a.list},
			&cli.GenericFlag{Name: "time", Value: &a.time}, &cli.GenericFlag{Name: "count", Value: &a.count}, &cli.GenericFlag{Name: "size", Value: &a.size},
		},
	}
	return c.Run(t.Context(), append([]string{"x"}, args...))
}

func TestValues(t *testing.T) {
	a := all{text: "default"}
	if err := a.parse(t); err != nil || a.text != "default" || a.form != "" || a.list != nil || a.time.Given || a.count.Given || a.size.Given {
		t.Errorf("%+v, %v", a, err)
	}
	if texts := []string{a.list.String(), a.time.String(), a.count.String(), a.size.String()}; !slices.Equal(texts, []string{"", "", "", ""}) {
		t.Errorf("what was not given is %q", texts)
	}
	a = all{}
	err := a.parse(t, "-t", "x", "--form", "three", "--list", "a,b c", "--list", "d", "--time", "90s", "--count", "1", "--size", "2K")
	want := all{"x", "three", flags.List{"a,b c", "d"}, flags.Duration{Value: 90 * time.Second, Given: true}, flags.Count{Value: 1, Given: true}, flags.Size{Value: 2048, Given: true}}
	if diff := cmp.Diff(want, a, cmp.AllowUnexported(all{})); diff != "" || err != nil {
		t.Errorf("%v: %s", err, diff)
	}
	if texts := []string{a.list.String(), a.time.String(), a.count.String(), a.size.String()}; !slices.Equal(texts, []string{"a,b c d", "1m30s", "1", "2048"}) {
		t.Errorf("as text: %q", texts)
	}
	got := []any{a.list.Get(), a.time.Get(), a.count.Get(), a.size.Get()}
	if diff := cmp.Diff([]any{[]string{"a,b c", "d"}, 90 * time.Second, 1, int64(2048)}, got); diff != "" {
		t.Error(diff)
	}
}

// A value that is refused leaves what was there.
func TestValuesThatAreRefused(t *testing.T) {
	for _, args := range [][]string{
		{"--time", "5"},
		{"--time", "0s"},
		{"--time", "soon"},
		{"--time", ""},
		{"--count", "0"},
		{"--count", "-1"},
		{"--count", "1.5"},
		{"--count", "x"},
		{"--count", ""},
		{"--count", "99999999999999999999"},
		{"--size", "5"},
		{"--size", "x"},
	} {
		a := all{time: flags.Duration{Value: time.Second}, count: flags.Count{Value: 3}, size: flags.Size{Value: 4}}
		if err := a.parse(t, args...); err == nil {
			t.Errorf("%q: no error", args)
		}
		if a.time != (flags.Duration{Value: time.Second}) || a.count != (flags.Count{Value: 3}) || a.size != (flags.Size{Value: 4}) {
			t.Errorf("%q: %+v", args, a)
		}
	}
	for text, want := range map[string]string{
		"5": "needs a unit, such as 5M or 5G", "5B": "needs a unit, such as 5M or 5G", "x": "not a size such as 500M or 2G", "5X": "not a size such as 500M or 2G",
		"0M": "must be more than 0 and less than a million terabytes", "1048577T": "must be more than 0 and less than a million terabytes", "": "not a size such as 500M or 2G",
	} {
		var z flags.Size
		if err := z.Set(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	var most flags.Size
	if err := most.Set("1048576T"); err != nil || most.Value != 1<<60 {
		t.Errorf("%d, %v", most.Value, err)
	}
}
