package amitest

import (
	"context"
	"strings"
	"time"
)

const (
	// restartTime is how long a restart by command takes.
	restartTime = 200 * time.Millisecond
	// convenient is the time between two looks at whether there are calls.
	convenient = 10 * time.Millisecond
)

// A shutdown is a console command that ends the server's process.
type shutdown struct {
	restart bool
	how     string // now, gracefully, or when convenient
}

// parseShutdown reads `core stop|restart now|gracefully|when convenient`.
func parseShutdown(cmd string) (d shutdown, ok bool) {
	line := strings.ToLower(strings.Join(strings.Fields(cmd), " "))
	for verb, restart := range map[string]bool{"core stop ": false, "core restart ": true} {
		if how, found := strings.CutPrefix(line, verb); found && (how == "now" || how == "gracefully" || how == "when convenient") {
			return shutdown{restart, how}, true
		}
	}
	return d, false
}

// shutDown ends the server as a command does (quit_handler in asterisk.c), which is never answered: its session ends with
// the others. Gracefully, every other action is refused until there are no calls.
func (s *Server) shutDown(ctx context.Context, d shutdown) {
	s.stopping.Store(d.how != "when convenient")
	for d.how != "now" && len(s.state.Channels()) > 0 {
		if pause(ctx, convenient) != nil {
			return
		}
	}
	s.stopping.Store(true)
	for _, c := range s.state.Channels() {
		s.hangupChannel(c.Name, 0)
	}
	s.EmitEvent("Shutdown", "Shutdown", "Cleanly", "Restart", boolName(d.restart))
	back := time.Now().Add(restartTime)
	if next := s.bootTime().Truncate(time.Second).Add(time.Second); back.Before(next) {
		back = next // CoreStatus tells a start by its second alone
	}
	s.SetDown(true)
	if !d.restart || pause(ctx, time.Until(back)) != nil {
		return
	}
	s.started.Store(time.Now().UnixNano())
	s.stopping.Store(false)
	s.SetDown(false)
}
