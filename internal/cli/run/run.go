package run

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/redact"
	"github.com/apntalk/amictl/pkg/output"
)

// Run is one run of the program: its streams, its environment and what the global flags said.
type Run struct {
	Args   []string
	Rest   []string // behind the first `--`
	HasTo  bool     // there was a `--`
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Env    func(string) (string, bool)

	Bus      BusReader // nil in amictl
	BusActor BusActor  // as well

	Flags    Globals
	Settings *Settings
	abouts   map[*cli.Command]About // see Tell
	StdinFor string                 // who reads standard input, "" nobody
	// TLS is where the nodes' verification comes from, by their fingerprints, for who has to tell another process.
	TLS map[string]TLSFrom

	Secret ami.SecretProvider // of the flags or the environment, nil none

	Stopped  <-chan struct{}   // closed when the run is to end: a signal, --deadline
	printers []*output.Printer // see Remember
	Patience patience          // of whoever sent a signal

	Dropped uint64 // events that tail or wait was too slow for

	muted    atomic.Bool                 // see Mute
	sent     atomic.Bool                 // an action was given to a session
	countMu  sync.Mutex                  // guards accepted
	accepted []func() uint64             // the actions that sessions of several nodes have taken
	hangup   atomic.Pointer[func()]      // what SIGHUP does instead of ending the run
	soft     atomic.Pointer[onInterrupt] // see OnInterrupt
	restore  atomic.Pointer[func()]      // see OnDeath

	hideOnce, logOnce sync.Once
	hide              *redact.Redactor // see Redactor
	log               *slog.Logger     // see Logger
}

// New returns a run of a command line, args without the program's name. env looks a variable up, as os.LookupEnv does.
func New(args []string, stdin io.Reader, stdout, stderr io.Writer, env func(string) (string, bool)) *Run {
	r := &Run{Stdin: stdin, Stdout: stdout, Stderr: stderr, Env: env}
	r.Args, r.Rest, r.HasTo = splitAtDashes(args)
	return r
}

// NoteSent notes that a session has taken so many actions. From the first on, nothing may be refused with the status that
// means that nothing was sent.
func (r *Run) NoteSent(accepted uint64) {
	if accepted > 0 {
		r.sent.Store(true)
	}
}

// CountSent is NoteSent of sessions that are still there when the run ends.
func (r *Run) CountSent(accepted func() uint64) {
	r.countMu.Lock()
	defer r.countMu.Unlock()
	r.accepted = append(r.accepted, accepted)
}

// Sent reports whether an action was given to a session.
func (r *Run) Sent() bool {
	r.countMu.Lock()
	defer r.countMu.Unlock()
	for _, accepted := range r.accepted {
		r.NoteSent(accepted())
	}
	return r.sent.Load()
}

// OnHangup has SIGHUP call do, on a goroutine of its own, instead of ending the run.
func (r *Run) OnHangup(do func()) { r.hangup.Store(&do) }

type onInterrupt = func(sig syscall.Signal, end func()) bool

// OnInterrupt has a signal that would end the run call do instead, on a goroutine of its own. do reports whether it takes the
// signal; it calls end once what it was about is done, which ends the run by that signal. nil: signals end the run again.
func (r *Run) OnInterrupt(do func(sig syscall.Signal, end func()) bool) {
	if do == nil {
		r.soft.Store(nil)
		return
	}
	r.soft.Store(&do)
}

// OnDeath has do called before a signal ends the process in the middle of the run: what must not stay as it is, such as the
// terminal. It may be called from any goroutine, and after the run has done the same itself.
func (r *Run) OnDeath(do func()) { r.restore.Store(&do) }

func (r *Run) beforeDeath() {
	if do := r.restore.Load(); do != nil {
		(*do)()
	}
}

// Mute keeps notes and complaints off a terminal that is drawn on, until unmute is called.
func (r *Run) Mute() (unmute func()) {
	r.muted.Store(r.StderrIsTerminal())
	return func() { r.muted.Store(false) }
}

// Complain writes an error as one line, and a hint as another.
func (r *Run) Complain(f fail.Failure) {
	if r.muted.Load() {
		return
	}
	fmt.Fprintf(r.Stderr, "amictl: %s\n", output.Safe(f.Message))
	if f.Hint != "" {
		fmt.Fprintf(r.Stderr, "hint: %s\n", output.Safe(f.Hint))
	}
}

// ComplainAll writes what went wrong on several nodes; a hint that they share stands once, behind the last of them.
func (r *Run) ComplainAll(failures []fail.Failure) {
	for i, f := range failures {
		if i+1 < len(failures) && failures[i+1].Hint == f.Hint {
			f.Hint = ""
		}
		r.Complain(f)
	}
}

// Note writes a line that is neither data nor an error, unless --quiet.
func (r *Run) Note(format string, args ...any) {
	if !r.Flags.Quiet && !r.muted.Load() {
		fmt.Fprintf(r.Stderr, "amictl: %s\n", output.Safe(fmt.Sprintf(format, args...)))
	}
}

// splitAtDashes cuts the arguments at the first `--`, which urfave/cli would drop.
func splitAtDashes(args []string) (before, behind []string, found bool) {
	if i := slices.Index(args, "--"); i >= 0 {
		return args[:i], args[i+1:], true
	}
	return args, nil, false
}

// TLSFrom is where the verification of a node's certificate comes from.
type TLSFrom struct {
	CA        []byte // PEM; none: the system's authorities
	Name, Pin string
}
