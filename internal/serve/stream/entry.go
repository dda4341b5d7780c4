package stream

import (
	"sync"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// An Entry is an event or a gap in the window. It is shared by all clients: nobody may change it.
type Entry struct {
	ID    uint64 // its place among all entries; the first is 1
	Event ami.Event

	once sync.Once
	json []byte
}

// JSON returns the event as `amictl tail -o jsonl` prints it, without a line end. It is made once, for all.
func (e *Entry) JSON() []byte {
	e.once.Do(func() { e.json = output.AppendEvent(nil, &e.Event) })
	return e.json
}

// size is what an entry costs, with its JSON.
func (e *Entry) size() int { return entryBytes + 2*len(e.Event.Text()) }

const entryBytes = 512
