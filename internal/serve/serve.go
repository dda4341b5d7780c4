package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/serve/upstream"
	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/redact"
)

// A Door is a way in for clients.
type Door interface {
	// Serve takes the listener's clients until ctx is done. Then it takes no new ones, finishes the answers that it owes, and
	// returns; when grace is done it returns at once. An error is one of the listener.
	Serve(ctx, grace context.Context, l net.Listener) error
}

// A Listener is an open door.
type Listener struct {
	Name string // "http" or "ami"
	At   net.Listener
	Open func(ctx context.Context, up *upstream.Upstream) Door // ctx is that of Serve
}

// Listeners are all doors of a daemon.
type Listeners []Listener

// Close closes them.
func (l Listeners) Close() (err error) {
	for i := range l {
		err = errors.Join(err, l[i].At.Close())
	}
	return err
}

// What is loaded anew at a hangup.
type Loaded struct {
	Nodes []ami.Config
	Users []*users.User
}

// Options say what a daemon is.
type Options struct {
	Loaded
	Listeners Listeners
	Log       *slog.Logger
	Redactor  *redact.Redactor
	Grace     time.Duration // how long clients' actions may take to end at the end

	// Bridge works beside the doors until its ctx is done. Where there are none, up is lean and has no nodes, and they are the
	// bridge's to add. nil: there is no bridge.
	Bridge func(ctx context.Context, up *upstream.Upstream) error

	Reload  <-chan struct{}                           // each time, Load is called
	Load    func(ctx context.Context) (Loaded, error) // an error leaves everything as it was
	Systemd Systemd
}

// Serve runs the daemon until ctx is done. The listeners are closed when it returns.
func Serve(ctx context.Context, o Options) error {
	directory := users.NewDirectory(o.Users)
	warnOfPowerless(o.Log, o.Users)
	work, end := context.WithCancel(context.WithoutCancel(ctx)) // sessions outlive the signal, until what is owed is answered
	defer end()
	nodes := o.Nodes
	if len(o.Listeners) == 0 {
		nodes = nil // a bridge alone has sessions to the nodes that it owns
	}
	up, err := upstream.Open(work, nodes, upstream.Options{Users: directory, Log: o.Log, Redactor: o.Redactor, Lean: len(o.Listeners) == 0})
	if err != nil {
		return errors.Join(err, o.Listeners.Close())
	}
	defer up.Close()

	grace, expire := context.WithCancel(work)
	defer expire()
	doors := &doors{failed: make(chan error, len(o.Listeners)+1)}
	for _, l := range o.Listeners {
		o.Log.Info("listening", slog.String("door", l.Name), slog.String("addr", l.At.Addr().String()))
		doors.open(ctx, grace, up, l)
	}
	if o.Bridge != nil {
		doors.bridge(ctx, up, &o)
	}
	o.Systemd.ready(len(o.Nodes))
	err = watch(ctx, up, directory, doors, &o)
	o.Systemd.stopping()
	o.Log.Info("stopping", slog.Duration("grace", o.Grace), slog.Uint64("in_flight", up.ActionStats().Ledger.InFlight))
	doors.stop()
	limit := time.AfterFunc(o.Grace, expire)
	defer limit.Stop()
	doors.all.Wait()
	_ = up.Drain(grace) // what it cut off is in the log, action by action
	return err
}

// watch reloads and feeds the watchdog until ctx is done or a door fails. A load may take long, such as for the command that a
// secret comes from, and the watchdog must not take that for a daemon that hangs.
func watch(ctx context.Context, up *upstream.Upstream, directory *users.Directory, doors *doors, o *Options) error {
	beat := o.Systemd.beats()
	reloads, loaded := o.Reload, (chan struct{})(nil)
	loading, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		if loaded != nil {
			<-loaded
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-doors.failed:
			return err
		case <-beat:
			up.Readiness() // it takes the locks that everything else needs
			up.Window.Stats()
			o.Systemd.alive()
		case <-reloads:
			o.Systemd.reloading()
			reloads, loaded = nil, make(chan struct{})
			go func() {
				defer close(loaded)
				reload(loading, up, directory, o)
			}()
		case <-loaded:
			reloads, loaded = o.Reload, nil
			o.Systemd.ready(up.Readiness().Nodes)
		}
	}
}

func reload(ctx context.Context, up *upstream.Upstream, directory *users.Directory, o *Options) {
	loaded, err := o.Load(ctx)
	if err != nil {
		o.Log.Error("not reloaded: everything stays as it was", slog.Any("error", err))
		return
	}
	directory.Replace(loaded.Users) // first: who has lost a right must not find a new node open
	warnOfPowerless(o.Log, loaded.Users)
	if len(o.Listeners) > 0 {
		err = up.SetNodes(loaded.Nodes)
	}
	if err != nil {
		o.Log.Error("not all nodes could be added", slog.Any("error", err))
	}
	o.Log.Info("reloaded", slog.Int("nodes", len(loaded.Nodes)), slog.Int("users", len(loaded.Users)))
}

// warnOfPowerless names the users that every door lets in and shows nothing.
func warnOfPowerless(log *slog.Logger, list []*users.User) {
	for _, u := range list {
		if u.Powerless() {
			log.Warn("a user has no rights", slog.String("user", u.Name()),
				slog.String("hint", "events and actions in [[users]] say what it may see and do"))
		}
	}
}

// doors are those that are open.
type doors struct {
	all     sync.WaitGroup
	cancels []context.CancelFunc
	failed  chan error
}

func (d *doors) open(ctx, grace context.Context, up *upstream.Upstream, l Listener) {
	ctx, cancel := context.WithCancel(ctx)
	door := l.Open(ctx, up)
	d.cancels = append(d.cancels, cancel)
	d.all.Go(func() {
		if err := door.Serve(ctx, grace, l.At); err != nil && ctx.Err() == nil {
			d.failed <- fmt.Errorf("%s at %s: %w", l.Name, l.At.Addr(), err)
		}
	})
}

// bridge starts what works beside the doors.
func (d *doors) bridge(ctx context.Context, up *upstream.Upstream, o *Options) {
	ctx, cancel := context.WithCancel(ctx)
	d.cancels = append(d.cancels, cancel)
	d.all.Go(func() {
		if err := o.Bridge(ctx, up); err != nil && ctx.Err() == nil {
			d.failed <- err
		}
	})
}

// stop has all doors take no new clients.
func (d *doors) stop() {
	for _, cancel := range d.cancels {
		cancel()
	}
}
