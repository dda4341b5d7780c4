package amitest

import "github.com/apntalk/amictl/internal/manager"

// Class is a set of manager privilege classes, as in read= and write= of
// manager.conf. The bits are Asterisk's own EVENT_FLAG_* values (manager.h),
// because a purely numeric event mask is taken as those bits.
type Class uint32

const (
	classSystem    = Class(manager.System)
	classCall      = Class(manager.Call)
	classCommand   = Class(manager.Command)
	classAgent     = Class(manager.Agent)
	classUser      = Class(manager.User)
	classDTMF      = Class(manager.DTMF)
	classReporting = Class(manager.Reporting)
	classCDR       = Class(manager.CDR)
	classDialplan  = Class(manager.Dialplan)
	classAGI       = Class(manager.AGI)
	classAOC       = Class(manager.AOC)
	classTest      = Class(manager.Test)
	classSecurity  = Class(manager.Security)

	// ClassNone is the authority of an action that everyone may run.
	ClassNone = Class(manager.None)
	// ClassAll holds every class, present and future.
	ClassAll = Class(manager.All)
)

// ParseClass reads a comma-separated list of class labels the way Asterisk's
// get_perm does: labels are compared exactly, an unknown one counts as nothing,
// and spaces are not trimmed.
func ParseClass(list string) Class { return Class(manager.ParseClass(list)) }

// String lists the classes as a Privilege header does, always ending in ",all"
// (authority_to_str in manager.c); no class at all is "<none>".
func (c Class) String() string { return manager.Class(c).String() }

// parseMask reads an event mask. ok is false for an empty one, which Asterisk refuses.
func parseMask(s string) (mask Class, ok bool) {
	m, ok := manager.ParseMask(s)
	return Class(m), ok
}
