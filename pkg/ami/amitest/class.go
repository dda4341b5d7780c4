package amitest

import "strings"

// Class is a set of manager privilege classes, as in read= and write= of
// manager.conf. The bits are Asterisk's own EVENT_FLAG_* values (manager.h),
// because a purely numeric event mask is taken as those bits.
type Class uint32

// The classes in the order of Asterisk's perms table (manager.c), which is the
// order in which a Privilege header lists them.
const (
	classSystem    Class = 1 << 0
	classCall      Class = 1 << 1
	classLog       Class = 1 << 2
	classVerbose   Class = 1 << 3
	classCommand   Class = 1 << 4
	classAgent     Class = 1 << 5
	classUser      Class = 1 << 6
	classConfig    Class = 1 << 7
	classDTMF      Class = 1 << 8
	classReporting Class = 1 << 9
	classCDR       Class = 1 << 10
	classDialplan  Class = 1 << 11
	classOriginate Class = 1 << 12
	classAGI       Class = 1 << 13
	classCC        Class = 1 << 15
	classAOC       Class = 1 << 16
	classTest      Class = 1 << 17
	classSecurity  Class = 1 << 18
	classMessage   Class = 1 << 19

	// ClassNone is the authority of an action that everyone may run.
	ClassNone Class = 0
	// ClassAll holds every class, present and future.
	ClassAll Class = 1<<31 - 1
)

// classLabels is Asterisk's perms table without "all" and "none".
var classLabels = []struct {
	bit   Class
	label string
}{
	{classSystem, "system"},
	{classCall, "call"},
	{classLog, "log"},
	{classVerbose, "verbose"},
	{classCommand, "command"},
	{classAgent, "agent"},
	{classUser, "user"},
	{classConfig, "config"},
	{classDTMF, "dtmf"},
	{classReporting, "reporting"},
	{classCDR, "cdr"},
	{classDialplan, "dialplan"},
	{classOriginate, "originate"},
	{classAGI, "agi"},
	{classCC, "cc"},
	{classAOC, "aoc"},
	{classTest, "test"},
	{classSecurity, "security"},
	{classMessage, "message"},
}

// ParseClass reads a comma-separated list of class labels the way Asterisk's
// get_perm does: labels are compared exactly, an unknown one counts as nothing,
// and spaces are not trimmed.
func ParseClass(list string) Class {
	var c Class
	for label := range strings.SplitSeq(list, ",") {
		if label == "all" {
			return ClassAll
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

// parseMask reads an event mask (strings_to_mask in manager.c). ok is false for
// an empty mask, which Asterisk refuses.
func parseMask(s string) (mask Class, ok bool) {
	if s == "" {
		return 0, false
	}
	if digits(s) {
		var n uint64
		for _, d := range []byte(s) {
			n = min(n*10+uint64(d-'0'), uint64(ClassAll))
		}
		return Class(n), true
	}
	switch {
	case isFalse(s):
		return 0, true
	case isTrue(s):
		return ClassAll, true
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

// isTrue is Asterisk's ast_true (utils.c).
func isTrue(s string) bool {
	switch strings.ToLower(s) {
	case "yes", "true", "y", "t", "1", "on":
		return true
	}
	return false
}

// isFalse is Asterisk's ast_false (utils.c).
func isFalse(s string) bool {
	switch strings.ToLower(s) {
	case "no", "false", "n", "f", "0", "off":
		return true
	}
	return false
}
