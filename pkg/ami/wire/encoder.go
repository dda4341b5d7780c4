package wire

import (
	"errors"
	"fmt"

	"github.com/apntalk/amictl/internal/packet"
)

// What Asterisk reads in one action (manager.c: get_input, do_message; struct mansession's inbuf and AST_MAX_MANHEADERS).
const (
	MaxLine     = 1022 // bytes of "Name: value", the line end not counted
	MaxHeaders  = 128  // Action and ActionID included
	MaxActionID = 64   // bytes; several list builders truncate a longer one and glue the next header on
)

// A Field is one header of an action. A name may repeat; order is kept.
type Field struct{ Name, Value string }

// Why an action was refused before a byte of it was encoded. A *FieldError wraps one of them.
var (
	ErrNewline      = errors.New("holds a CR or LF, which would start another header")
	ErrNUL          = errors.New("holds a NUL byte, at which Asterisk would cut it off")
	ErrName         = errors.New("is not a header name: it needs printable ASCII without a colon or outer spaces")
	ErrReserved     = errors.New("is reserved: Action and ActionID are set by the client")
	ErrLineTooLong  = errors.New("is longer than the 1022 bytes that Asterisk reads in one line, name included")
	ErrHeaders      = errors.New("are more than the 128 headers that Asterisk reads in one action")
	ErrLeadingSpace = errors.New("begins with white space, which Asterisk would remove")
	ErrEmpty        = errors.New("is empty")
	ErrActionID     = errors.New("is not an ActionID: it needs 1 to 64 printable ASCII bytes without spaces")
)

// A FieldError says which header of an action was refused and why. Values are never part of it: they may be secret.
type FieldError struct {
	Header string // the header's name, quoted safely by Error
	Err    error  // one of the sentinels
}

func (e *FieldError) Error() string {
	name := e.Header
	if len(name) > 64 {
		name = name[:64] + "…"
	}
	return fmt.Sprintf("wire: header %q %v", name, e.Err)
}

// Unwrap returns the sentinel.
func (e *FieldError) Unwrap() error { return e.Err }

// AppendAction appends an action's packet to dst: Action first, ActionID second unless it is empty, then the fields
// in order. What would inject a line or be misread by Asterisk is refused with a *FieldError and dst comes back as it
// was.
func AppendAction(dst []byte, action string, actionID []byte, fields []Field) ([]byte, error) {
	if err := CheckAction(action, fields); err != nil {
		return dst, err
	}
	if len(actionID) > 0 && !validActionID(actionID) {
		return dst, &FieldError{"ActionID", ErrActionID}
	}
	return packet.AppendAction(dst, action, actionID, fields), nil
}

// CheckAction returns a *FieldError if Asterisk would misread an action of these headers and an ActionID.
func CheckAction(action string, fields []Field) error {
	if err := checkValue("Action", action); err != nil {
		return err
	}
	if action == "" {
		return &FieldError{"Action", ErrEmpty}
	}
	if headers := 2 + len(fields); headers > MaxHeaders {
		return &FieldError{fmt.Sprintf("%d headers", headers), ErrHeaders}
	}
	for i := range fields {
		if err := CheckField(fields[i].Name, fields[i].Value); err != nil {
			return err
		}
	}
	return nil
}

// CheckField returns a *FieldError if Asterisk would misread a header of that name and value.
func CheckField(name, value string) error {
	if name == "" || name[0] == ' ' || name[len(name)-1] == ' ' {
		return &FieldError{name, ErrName}
	}
	for i := range len(name) {
		if c := name[i]; c < ' ' || c > '~' || c == ':' {
			return &FieldError{name, ErrName}
		}
	}
	if len(name) == 6 && EqualFold(name, "Action") || len(name) == 8 && EqualFold(name, "ActionID") {
		return &FieldError{name, ErrReserved}
	}
	return checkValue(name, value)
}

func checkValue(name, value string) error {
	if len(name)+2+len(value) > MaxLine {
		return &FieldError{name, ErrLineTooLong}
	}
	if !isASCII(value, ' ') {
		for i := range len(value) {
			switch value[i] {
			case '\r', '\n':
				return &FieldError{name, ErrNewline}
			case 0:
				return &FieldError{name, ErrNUL}
			}
		}
	}
	if value != "" && isSpace(value[0]) {
		return &FieldError{name, ErrLeadingSpace}
	}
	return nil
}

// isASCII reports whether s is printable ASCII from that byte on alone, looking at eight bytes at a time.
func isASCII(s string, from byte) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; len(s) >= 8; s = s[8:] {
		x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		if (x|(x+ones)|(x-ones*uint64(from)))&tops != 0 { // a borrow between bytes can only follow one that is refused
			return false
		}
	}
	for i := range len(s) {
		if s[i] < from || s[i] > '~' {
			return false
		}
	}
	return true
}

// isSpace tells what ast_skip_blanks skips: every byte from 1 to 32.
func isSpace(c byte) bool { return c > 0 && c < 33 }

func validActionID(s []byte) bool {
	return len(s) > 0 && len(s) <= MaxActionID && isASCII(packet.Borrow(s), '!')
}
