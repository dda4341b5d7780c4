// Package inside opens a wire.Message for the packages of this module that copy or print messages without a copy between.
package inside

import (
	"unsafe"

	"github.com/apntalk/amictl/internal/packet"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// Of returns the packet that a message consists of. It is the message itself, and not a copy.
//
// A wire.Message is a struct of one field, which is a packet.Packet; a test holds that.
func Of(m *wire.Message) *packet.Packet { return (*packet.Packet)(unsafe.Pointer(m)) }
