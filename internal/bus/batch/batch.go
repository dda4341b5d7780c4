package batch

import (
	"fmt"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// Version is the format that this package writes, and the newest that it reads.
const Version = 1

// How a body is packed: the second byte of a batch.
const (
	plain    byte = iota // as it is
	s2Packed             // an S2 block, https://github.com/klauspost/compress/tree/master/s2
)

// The kinds of records: their first byte.
const (
	packetRecord  byte = 1 + iota // a packet as it came from the server
	gapRecord                     // events are missing here
	ownerRecord                   // another bridge has taken the node over
	sessionRecord                 // the packets behind it are of another session
)

// Why events are missing, as a byte.
var gapReasons = []ami.GapReason{ami.GapOverflow, ami.GapDisconnect, GapUnpublished}

// GapUnpublished: the bridge read the events, and could not put them on the bus.
const GapUnpublished ami.GapReason = "unpublished"

// GapUnknown: a newer bridge had a reason that this program does not know.
const GapUnknown ami.GapReason = "unknown"

// MostBytes is what a body may have. Asterisk's packets have some kilobytes; the engine takes none over a megabyte unless it
// is told to.
const MostBytes = 16 << 20

// mostPacket is the most that the decoder can be told to take of one event: in bytes, and in lines half of that.
const (
	mostPacket = 8 << 20
	mostLines  = 4 << 20
)

// An Owner is the bridge that a node's packets come from, from here on.
type Owner struct {
	Bridge string
	Epoch  uint64 // of its lease: greater than that of every owner before it
	Time   time.Time
}

// A Record is one item of a batch: exactly one of its fields is not nil.
type Record struct {
	Event *ami.Event // a packet, or a gap; without its node, which the subject names
	Owner *Owner
}

// A VersionError is a batch that a newer program wrote.
type VersionError struct{ Version byte }

func (e *VersionError) Error() string {
	return fmt.Sprintf("bus: a batch is of version %d, and this program reads %d at most: it needs to be as new as the bridge", e.Version, Version)
}

// A FormatError is a batch that is none.
type FormatError struct {
	At   int // byte of the body
	What string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("bus: a batch is broken at byte %d: %s", e.At, e.What)
}
