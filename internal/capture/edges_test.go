package capture

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// Digits are part of a name behind a letter, but for the T of a time, and in brackets behind one.
func TestDigitsOfNames(t *testing.T) {
	for _, test := range []struct {
		prefix string
		at, n  int
		want   bool
	}{
		{"pbx1 ", 3, 1, true},
		{"2026-11-28T10:00 ", 11, 2, false},
		{"rackT1 ", 5, 1, true},
		{"T10:00 ", 1, 2, false},
		{"asterisk[123]: ", 9, 3, true},
		{"asterisk[123 ", 9, 3, false},
		{"[123] ", 1, 3, false},
		{"12 ", 0, 2, false},
	} {
		if got := prefix(test.prefix).names(test.at, test.n); got != test.want {
			t.Errorf("%q at %d: %v", test.prefix, test.at, got)
		}
	}
}

// Behind a list's sign the next lines of an item are indented, and are headers; other text is none.
func TestWhatStandsBeforeAHeader(t *testing.T) {
	for _, test := range []struct {
		first, next string
		prefix      string
		ok          bool
	}{
		{"- ", "  Channel: x", "  ", true},
		{"- ", "  some more text", "  ", false},
		{"- ", "text", "", false},
		{"pbx1: ", "  Channel: x", "  ", false},
		{"> ", "> Channel: x", "> ", true},
		{"> ", ">", "> ", true},
		{"> ", "> text", "> ", false},
	} {
		p, ok := before([]byte(test.first), []byte(test.next))
		if string(p) != test.prefix || ok != test.ok {
			t.Errorf("%q, then %q: %q, %v", test.first, test.next, p, ok)
		}
	}
}

// In a text that is laid out in some way a line of spaces is a blank line, whatever comes.
func TestBlankEnough(t *testing.T) {
	for name, lay := range map[string]func(*draft){
		"a prefix": func(d *draft) { d.prefix = prefix("> ") },
		"a tail":   func(d *draft) { d.tail = "|" },
		"colours":  func(d *draft) { d.colour = true },
	} {
		var r Reader
		lay(&r.draft)
		if got := r.blankEnough(0); got != closes {
			t.Errorf("with %s: %v", name, got)
		}
	}
}

// A packet hides another one where an answer begins in it, and not for an ActionID alone.
func TestHidesMore(t *testing.T) {
	for text, want := range map[string]bool{
		"Event: A\r\nFoo: 1\r\nActionID: 7\r\n\r\n":                           false,
		"Event: A\r\nFoo: 1\r\nMessage: x\r\n\r\n":                            false,
		"Event: A\r\nFoo: 1\r\nResponse: Success\r\nActionID: 7\r\n\r\n":      true,
		"Event: A\r\nFoo: 1\r\nResponse: Failure\r\nChannel: x\r\n\r\n":       false,
		"Event: A\r\nResponse: Failure\r\nFoo: 1\r\nActionID: 7\r\n\r\n":      false,
		"Event: A\r\nFoo: 1\r\nEvent: B\r\nPrivilege: call,all\r\n\r\n":       true,
		"Response: Success\r\nActionID: 7\r\nMessage: Authentication\r\n\r\n": false,
	} {
		d := wire.NewDecoder(wire.Limits{})
		d.Feed([]byte(text))
		m, err := d.Next()
		if err != nil {
			t.Fatal(err)
		}
		if got := hidesMore(&m); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// A capture without other text is read as fast as it can be to its end, however its packets come in pieces.
func TestPlainStaysPlain(t *testing.T) {
	r := NewReader()
	r.Open(iotest.OneByteReader(strings.NewReader(strings.Repeat("Event: A\r\nFoo: 1\r\n\r\n", 20))), "")
	packets := 0
	for {
		_, err := r.Next()
		switch {
		case r.plain == nil:
			t.Fatalf("not plain any more behind %d packets", packets)
		case err == nil:
			packets++
		case !errors.Is(err, wire.ErrMore):
			t.Fatal(err)
		case errors.Is(r.Fill(), io.EOF):
			if packets != 20 {
				t.Errorf("%d packets", packets)
			}
			return
		}
	}
}
