package wire

import (
	"errors"
	"strings"
	"testing"
)

func TestAppendAction(t *testing.T) {
	got, err := AppendAction([]byte("before"), "Originate", []byte("a.1"), []Field{{"Channel", "Local/1@x"}, {"Variable", "a=1,b"}, {"Variable", "c=\xff"}, {"Empty", ""}})
	want := "beforeAction: Originate\r\nActionID: a.1\r\nChannel: Local/1@x\r\nVariable: a=1,b\r\nVariable: c=\xff\r\nEmpty: \r\n\r\n"
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err = AppendAction(nil, "Ping", nil, nil); err != nil || string(got) != "Action: Ping\r\n\r\n" {
		t.Errorf("without an ActionID: %q, %v", got, err)
	}
}

func TestAppendActionRefuses(t *testing.T) {
	fields := func(n int) []Field {
		f := make([]Field, n)
		for i := range f {
			f[i] = Field{"Variable", "x=1"}
		}
		return f
	}
	long := func(n int) string { return strings.Repeat("x", n) }
	tests := []struct {
		name   string
		action string
		id     string
		fields []Field
		want   error
	}{
		{"LF in a value", "Ping", "1", []Field{{"A", "x\nAction: Logoff"}}, ErrNewline},
		{"CR in a value", "Ping", "1", []Field{{"A", "x\r"}}, ErrNewline},
		{"NUL in a value", "Ping", "1", []Field{{"A", "x\x00y"}}, ErrNUL},
		{"LF in a name", "Ping", "1", []Field{{"A\n", "x"}}, ErrName},
		{"colon in a name", "Ping", "1", []Field{{"A: b", "x"}}, ErrName},
		{"outer space in a name", "Ping", "1", []Field{{"Action ", "x"}}, ErrName},
		{"empty name", "Ping", "1", []Field{{"", "x"}}, ErrName},
		{"Action as a field", "Ping", "1", []Field{{"aCTION", "Logoff"}}, ErrReserved},
		{"ActionID as a field", "Ping", "1", []Field{{"actionid", "2"}}, ErrReserved},
		{"newline in the action", "Ping\n", "1", nil, ErrNewline},
		{"no action", "", "1", nil, ErrEmpty},
		{"space in the ActionID", "Ping", "a b", nil, ErrActionID},
		{"ActionID of 65 bytes", "Ping", long(65), nil, ErrActionID},
		{"ActionID of 64 bytes", "Ping", long(64), nil, nil},
		{"line of 1022 bytes", "Ping", "1", []Field{{"ABC", long(1022 - 5)}}, nil},
		{"line of 1023 bytes", "Ping", "1", []Field{{"ABC", long(1023 - 5)}}, ErrLineTooLong},
		{"action of 1023 bytes", long(1023 - 8), "1", nil, ErrLineTooLong},
		{"128 headers", "Ping", "1", fields(126), nil},
		{"129 headers", "Ping", "1", fields(127), ErrHeaders},
		{"leading space", "Ping", "1", []Field{{"A", " x"}}, ErrLeadingSpace},
		{"leading tab", "Ping", "1", []Field{{"A", "\tx"}}, ErrLeadingSpace},
		{"names as long as those that are reserved", "Ping", "1", []Field{{"Member", "x"}, {"Priority", "1"}, {"Actio", "x"}, {"ActionIDs", "x"}}, nil},
		{"spaces and parentheses inside a name", "Ping", "1", []Field{{"A (b) c", "x"}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := AppendAction([]byte("kept"), tt.action, []byte(tt.id), tt.fields)
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			var fe *FieldError
			want := "kept"
			if tt.want == nil {
				want += "Action: " + tt.action + "\r\nActionID: " + tt.id + "\r\n"
				for _, f := range tt.fields {
					want += f.Name + ": " + f.Value + "\r\n"
				}
				want += "\r\n"
			} else if !errors.As(err, &fe) {
				t.Errorf("error %T", err)
			}
			if string(got) != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

// Every byte in every place of what is looked at eight at a time, and behind it.
func TestIsASCII(t *testing.T) {
	for _, from := range []byte{' ', '!'} {
		for size := range 20 {
			for at := range size {
				for c := range 256 {
					b := []byte(strings.Repeat("a", size))
					b[at] = byte(c)
					if got, want := isASCII(string(b), from), byte(c) >= from && c <= '~'; got != want {
						t.Fatalf("isASCII(%q, %q) = %v", b, from, got)
					}
				}
			}
		}
	}
}
