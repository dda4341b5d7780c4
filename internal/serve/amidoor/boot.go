package amidoor

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/serve/stream"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// boot is what is known of a server's start: the FullyBooted that it sent to the daemon.
type boot struct {
	mu     sync.Mutex // guards what follows
	event  string     // "": it has not been seen
	at     time.Time  // when it came
	reload time.Time  // of all modules, since
}

// follow looks for what tells of a start until ctx is done.
func (b *boot) follow(ctx context.Context, w *stream.Window, node string) {
	events := w.OldestOf(node)
	defer events.Close()
	batch := make([]*stream.Entry, batchEvents)
	for {
		n, _, err := events.Next(ctx, batch, 0)
		if err != nil {
			return
		}
		for _, e := range batch[:n] {
			b.note(&e.Event)
		}
	}
}

func (b *boot) note(ev *ami.Event) {
	name := ev.Name()
	booted := wire.EqualFold(name, "FullyBooted")
	if !booted && !(wire.EqualFold(name, "Reload") && wire.EqualFold(ev.Get("Module"), "All")) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if booted {
		b.event, b.at, b.reload = ev.Text(), ev.Received, time.Time{}
	} else {
		b.reload = ev.Received
	}
}

// append appends the FullyBooted that a server sends to whom it lets in (action_login in manager.c), if it is there and has
// booted.
func (b *boot) append(dst []byte, now time.Time, there bool) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !there || b.event == "" {
		return dst
	}
	for line := range strings.Lines(b.event) {
		name, value, _ := strings.Cut(line, ": ")
		since := b.at
		seconds, err := strconv.Atoi(strings.TrimRight(value, "\r\n"))
		switch {
		case err != nil:
		case wire.EqualFold(name, "LastReload") && !b.reload.IsZero():
			seconds, since = 0, b.reload
			fallthrough
		case wire.EqualFold(name, "LastReload"), wire.EqualFold(name, "Uptime"):
			line = name + ": " + strconv.Itoa(seconds+int(now.Sub(since)/time.Second)) + "\r\n"
		}
		dst = append(dst, line...)
	}
	return dst
}
