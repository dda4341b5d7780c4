package serve

import (
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Systemd tells the service manager how the daemon is, where there is one (Type=notify or notify-reload, WatchdogSec=). The
// zero Systemd tells nobody.
type Systemd struct{ On bool }

func (s Systemd) tell(state string) {
	if s.On {
		_, _ = daemon.SdNotify(false, state) // nobody may listen: NOTIFY_SOCKET is not set then
	}
}

func (s Systemd) ready(nodes int) {
	s.tell(daemon.SdNotifyReady + "\n" + fmt.Sprintf("STATUS=%d nodes", nodes))
}

func (s Systemd) stopping() { s.tell(daemon.SdNotifyStopping) }
func (s Systemd) alive()    { s.tell(daemon.SdNotifyWatchdog) }

func (s Systemd) reloading() {
	s.tell(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
}

// beats returns when the watchdog is to be fed, twice as often as it asks for; nil: it does not ask.
func (s Systemd) beats() <-chan time.Time {
	if !s.On {
		return nil
	}
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every <= 0 {
		return nil
	}
	return time.Tick(every / 2)
}
