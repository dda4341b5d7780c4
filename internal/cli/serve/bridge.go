package serve

import (
	"bytes"
	"cmp"
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/bus"
	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/internal/natsserver"
	"github.com/apntalk/amictl/internal/serve/busdoor"
	"github.com/apntalk/amictl/internal/serve/upstream"
	"github.com/apntalk/amictl/internal/spool"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/redact"
	"github.com/apntalk/amictl/pkg/output"
)

// embedded as --nats means a server within this process.
const (
	embedded      = "embedded"
	embeddedBytes = 256 << 20
)

// bridgeOptions are the flags of a bridge.
type bridgeOptions struct {
	bus      target.Bus
	name     string
	retain   flags.Duration
	maxBytes flags.Size
	replicas flags.Count
	each     flags.List
	spool    flags.Size
	hot      bool
}

func (o *bridgeOptions) flags() []cli.Flag {
	return append(o.bus.Flags(),
		flags.Text("bridge", "", "this bridge's `NAME` on the bus; the host's name if absent", &o.name),
		&cli.GenericFlag{Name: "retain", Usage: "a new stream keeps events for `TIME`; 24h if absent", Value: &o.retain},
		&cli.GenericFlag{Name: "max-bytes", Usage: "and at most `SIZE` of them; 10G if absent, 256M with --nats embedded", Value: &o.maxBytes},
		&cli.GenericFlag{Name: "each", Usage: "also put each event whose name is one of `NAMES`, such as 'Hangup,Queue*', on the bus by itself, as JSON; may repeat", Value: &o.each},
		&cli.GenericFlag{Name: "replicas", Usage: "and on `NUMBER` of servers; 1 if absent", Value: &o.replicas},
		&cli.GenericFlag{Name: "spool", Usage: "keep up to `SIZE` of events on disk, such as 1G, when the bus takes none for longer than memory lasts", Value: &o.spool},
		&cli.BoolFlag{Name: "hot", Usage: "also read the servers of other bridges, and lose nothing when one of these dies", Destination: &o.hot},
	)
}

// storage says how a stream is made.
func (o *bridgeOptions) storage() (bus.Storage, error) {
	s := bus.Storage{Retain: bus.DefaultRetain, MaxBytes: bus.DefaultMaxBytes, Replicas: bus.DefaultReplicas}
	if o.retain.Given {
		s.Retain = o.retain.Value
	}
	if o.maxBytes.Given {
		s.MaxBytes = o.maxBytes.Value
	}
	if o.replicas.Given {
		s.Replicas = o.replicas.Value
	}
	if s.Replicas < 1 || s.Replicas > 5 {
		return s, fail.Usage("1, 3 or 5", "--replicas %d is not a number of servers from 1 to 5", s.Replicas)
	}
	return s, nil
}

// A bridge is what a plan says of the bus. nil: there is none.
type bridge struct {
	access  bus.Access
	options bus.Options
	dir     string // of an embedded server; "": there is none
}

// eachOf reads the names of --each, or of the configuration: none where there is no bus to put the events on.
func eachOf(r *run.Run, o *bridgeOptions, configured []string, onBus bool) (globs []string, err error) {
	if len(o.each) == 0 {
		o.each = configured
	} else if !onBus {
		return nil, fail.Usage("such as --nats nats://127.0.0.1:4222 --cluster prod", "--each puts events on a bus, and none is given")
	}
	for _, list := range o.each {
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.TrimSpace(name); name == "" {
				return nil, fail.Usage("such as --each 'Hangup,Queue*'", "--each %q has an empty name", list)
			}
			globs = append(globs, name)
		}
	}
	if len(globs) == 0 {
		return nil, nil
	}
	c := ami.NewCluster(ami.ClusterConfig{}) // which knows what is a glob
	defer func() { _ = c.Close() }()
	if _, err := c.Subscribe(ami.SubscribeOptions{Events: globs}); err != nil {
		return nil, fail.Usage("names may hold * and ?", "--each: %s", fail.Cause(err))
	}
	return globs, act.CheckEvents(r, globs)
}

// spoolOf tries the spool of --spool, so that a bridge which cannot have one does not start.
func spoolOf(r *run.Run, size flags.Size, onBus bool) (o spool.Options, err error) {
	if !size.Given {
		return o, nil
	}
	if !onBus {
		return o, fail.Usage("such as --nats nats://127.0.0.1:4222 --cluster prod", "--spool keeps events for a bus, and none is given")
	}
	s, o, err := target.Spool(r, size)
	if err == nil {
		s.Close() // each node that the bridge owns gets its own
	}
	return o, err
}

// newBridge decides whether there is a bridge, and to where.
func newBridge(r *run.Run, o *bridgeOptions, each []string) (*bridge, error) {
	b := &bridge{}
	a, ok, err := o.bus.AddressOr(r, embedded)
	if err != nil {
		return nil, err
	}
	if b.options.Spool, err = spoolOf(r, o.spool, ok); err != nil {
		return nil, err
	}
	if b.options.Hot = o.hot; o.hot && !ok {
		return nil, fail.Usage("such as --nats nats://127.0.0.1:4222 --cluster prod", "--hot is for a bridge to a bus, and none is given")
	}
	if b.options.Each, err = eachOf(r, o, each, ok); err != nil || !ok {
		return nil, err
	}
	if b.options.Storage, err = o.storage(); err != nil {
		return nil, err
	}
	if b.options.Name = o.name; o.name == "" {
		if b.options.Name, err = os.Hostname(); err != nil {
			return nil, fail.Usage("--bridge NAME", "this host has no name: %v", err)
		}
	}
	b.options.Cluster = a.Cluster
	b.access = bus.Access{URL: a.URL, Creds: a.Creds, NKey: a.NKey, CA: a.CA, Name: "amictl serve " + b.options.Name, User: a.User}
	if a.URL == embedded {
		b.dir = stateFolder(r)
		if !o.maxBytes.Given { // it is for a first look, on any disk
			b.options.Storage.MaxBytes = embeddedBytes
		}
	}
	return b, nil
}

// stateFolder is where an embedded server keeps its streams: where systemd says, or in the home folder.
func stateFolder(r *run.Run) string {
	systemd, _ := r.Env("STATE_DIRECTORY")
	home, _ := r.Env("XDG_STATE_HOME")
	if !filepath.IsAbs(home) {
		home = filepath.Join(r.Home(), ".local", "state")
	}
	return filepath.Join(cmp.Or(systemd, filepath.Join(home, "amictl")), "nats")
}

// start connects to the bus. work carries events until its ctx is done; end ends the connection, and an embedded server.
func (b *bridge) start(p *plan) (work func(context.Context, *upstream.Upstream) error, end func(), err error) {
	endServer := func() {}
	if b.dir != "" {
		if err := os.MkdirAll(b.dir, 0o700); err != nil {
			return nil, nil, fail.Usage("XDG_STATE_HOME names another place", "--nats embedded: %v", err)
		}
		server, err := natsserver.Start(natsserver.Options{Dir: b.dir})
		if err != nil {
			return nil, nil, fail.Usage("another one may run in "+b.dir, "--nats embedded: %v", err)
		}
		b.access.URL, endServer = server.URL(), server.Close
		p.log.Info("listening", "door", "nats", "url", server.URL(), "dir", b.dir)
	}
	conn, err := bus.Dial(b.access, p.log)
	if err != nil {
		endServer()
		return nil, nil, target.BusError(b.access.URL, err)
	}
	o := b.options
	o.Line = linesWithout(p.run.Redactor())
	o.Conn, o.Log, o.Nodes, o.Same = conn, p.log, p.currentNodes, upstream.SameNode
	return func(ctx context.Context, up *upstream.Upstream) error {
			o.Events, o.Actions = sessionsOf(up), busdoor.New(up)
			err := bus.Run(ctx, o)
			if err != nil && ctx.Err() == nil {
				err = target.BusError(b.access.URL, err)
			}
			return err
		}, func() {
			conn.Close()
			endServer()
		}, nil
}

// linesWithout makes lines of events as tail does with -o jsonl, without secrets, as its --record does.
func linesWithout(secrets *redact.Redactor) func(dst []byte, ev *ami.Event) []byte {
	return func(dst []byte, ev *ami.Event) []byte {
		b := bytes.NewBuffer(dst)
		r := output.NewRecorder(b, secrets)
		_, _ = r.Event(ev), r.Close() // a buffer takes everything
		return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	}
}

// sessionsOf reads nodes. Where there are no doors, there are sessions to those that a bridge owns alone, for as long as it owns them.
func sessionsOf(up *upstream.Upstream) func(ami.Config, ami.SubscribeOptions) (*bus.Session, error) {
	return func(node ami.Config, o ami.SubscribeOptions) (*bus.Session, error) {
		events, end, err := up.Subscribe(node, o)
		if err != nil {
			return nil, err
		}
		s := &bus.Session{Events: events, Ping: func(ctx context.Context) (*ami.Reply, error) { return up.Ping(ctx, node.Name) }, End: end}
		if !up.Lean() {
			return s, nil
		}
		if err := up.Add(node); err != nil {
			end()
			return nil, err
		}
		s.End = func() { end(); up.Remove(node.Name) }
		return s, nil
	}
}
