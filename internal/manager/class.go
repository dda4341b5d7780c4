package manager

import "strings"

// A Class is a set of manager privilege classes, as in read= and write= of
// manager.conf. The bits are Asterisk's own EVENT_FLAG_* values (manager.h),
// because a purely numeric event mask is taken as those bits.
type Class uint32

// The classes in the order of Asterisk's perms table (manager.c), which is the
// order in which a Privilege header lists them.
const (
	System    Class = 1 << 0
	Call      Class = 1 << 1
	Log       Class = 1 << 2
	Verbose   Class = 1 << 3
	Command   Class = 1 << 4
	Agent     Class = 1 << 5
	User      Class = 1 << 6
	Config    Class = 1 << 7
	DTMF      Class = 1 << 8
	Reporting Class = 1 << 9
	CDR       Class = 1 << 10
	Dialplan  Class = 1 << 11
	Originate Class = 1 << 12
	AGI       Class = 1 << 13
	CC        Class = 1 << 15
	AOC       Class = 1 << 16
	Test      Class = 1 << 17
	Security  Class = 1 << 18
	Message   Class = 1 << 19

	// None is the authority of an action that everyone may run.
	None Class = 0
	// All holds every class, present and future.
	All Class = 1<<31 - 1
)

// classLabels is Asterisk's perms table without "all" and "none".
var classLabels = []struct {
	bit   Class
	label string
}{
	{System, "system"},
	{Call, "call"},
	{Log, "log"},
	{Verbose, "verbose"},
	{Command, "command"},
	{Agent, "agent"},
	{User, "user"},
	{Config, "config"},
	{DTMF, "dtmf"},
	{Reporting, "reporting"},
	{CDR, "cdr"},
	{Dialplan, "dialplan"},
	{Originate, "originate"},
	{AGI, "agi"},
	{CC, "cc"},
	{AOC, "aoc"},
	{Test, "test"},
	{Security, "security"},
	{Message, "message"},
}

// ParseClass reads a comma-separated list of class labels the way Asterisk's
// get_perm does: labels are compared exactly, an unknown one counts as nothing,
// and spaces are not trimmed.
func ParseClass(list string) Class {
	var c Class
	for label := range strings.SplitSeq(list, ",") {
		if label == "all" {
			return All
		}
		for _, l := range classLabels {
			if l.label == label {
				c |= l.bit
			}
		}
	}
	return c
}

// String lists the classes as a Privilege header does, always ending in ",all"
// (authority_to_str in manager.c); no class at all is "<none>".
func (c Class) String() string {
	if c == 0 {
		return "<none>"
	}
	var b strings.Builder
	for _, l := range classLabels {
		if c&l.bit != 0 {
			b.WriteString(l.label)
			b.WriteByte(',')
		}
	}
	b.WriteString("all")
	return b.String()
}

// Sees reports whether a session with the mask gets an event: all of its classes, as its Privilege header has them, are in the mask.
func (c Class) Sees(privilege string) bool {
	return c == All || ParseClass(strings.TrimSuffix(privilege, ",all"))&^c == 0
}

// ParseMask reads an event mask (strings_to_mask in manager.c). ok is false for
// an empty mask, which Asterisk refuses.
func ParseMask(s string) (mask Class, ok bool) {
	if s == "" {
		return 0, false
	}
	if digits(s) {
		var n uint64
		for _, d := range []byte(s) {
			n = min(n*10+uint64(d-'0'), uint64(All))
		}
		return Class(n), true
	}
	switch {
	case False(s):
		return 0, true
	case True(s):
		return All, true
	}
	return ParseClass(s), true
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// True is Asterisk's ast_true (utils.c).
func True(s string) bool {
	switch strings.ToLower(s) {
	case "yes", "true", "y", "t", "1", "on":
		return true
	}
	return false
}

// False is Asterisk's ast_false (utils.c).
func False(s string) bool {
	switch strings.ToLower(s) {
	case "no", "false", "n", "f", "0", "off":
		return true
	}
	return false
}
