package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/config"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/internal/scenario"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

const help = `Examples:
  amictl sim --nodes 3 -- amictl health
  amictl sim --calls-per-second 5 -- amictl tail Hangup --count 10
  amictl sim --nodes 100 --control /tmp/sim.sock
  echo 'on pbx1 flood rate=5000 count=20000' | amictl sim --until-eof
  amictl sim check testdata/scenarios/*.toml

Starts simulated Asterisks, pbx1, pbx2…, on free ports of 127.0.0.1, and prints one line of JSON once all listen: names,
addresses, and a config for amictl. User "admin" logs in with secret "secret" unless --user and --secret-from say
otherwise. It stops at Ctrl-C, at the line "stop", and at the end of standard input if that is a terminal or --until-eof
is given.

With a command after ` + "`--`" + ` it runs that command, with AMICTL_CONFIG pointing at the simulated cluster and AMICTL_SIM at a file
with the line of JSON, then stops and exits as the command did. Signals go to the command.

Lines on standard input, or from connections to --control, make the servers misbehave:
  [on PATTERN] FAULT [Key=Value…]    latency fixed=20ms, stall for=2s, rst,
                                     flood rate=5000 count=20000, halfopen,
                                     restart for=1s, truncate now, garbage,
                                     reorder window=10, authlimit times=3 …
  [on PATTERN] kick|down|up|clear|deny|allow|booted
  [on PATTERN] emit EVENT [Key=Value…]
  [on PATTERN] ledger                what the servers counted
  stop
Each is answered by one line of JSON.

` + "`sim check FILE…`" + ` runs scenario files through the engine, on real sockets, and exits 1 if one fails.`

// options are those of sim.
type options struct {
	args           []string
	nodes          flags.Count
	version        string
	scenario       string
	replay         string
	speed          rate
	user, secret   string
	tls            bool
	calls, events  rate
	seed           uint64
	control        string
	untilEOF       bool
	ring, talkTime flags.Duration
}

// newOptions returns the options of a sim that has no flags.
func newOptions() *options { return &options{version: "22", speed: rate{1}} }

// rate is a flag with a number of at least 0, such as events a second.
type rate struct{ r float64 }

func (r *rate) Set(s string) error {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || v < 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return errors.New("not a number of at least 0")
	}
	r.r = v
	return nil
}

func (r *rate) String() string { return strconv.FormatFloat(r.r, 'g', -1, 64) }
func (r *rate) Get() any       { return r.r }

// Command makes the subcommand.
func Command(r *run.Run) *cli.Command {
	o := newOptions()
	return r.Tell(&cli.Command{
		Name:        "sim",
		Usage:       "simulate a cluster of Asterisks, or run a command against one",
		ArgsUsage:   "[check FILE…] [-- COMMAND [ARG…]]",
		Description: help,
		Flags: []cli.Flag{
			&cli.GenericFlag{Name: "nodes", Usage: "`NUMBER` of servers; 1 if absent", Value: &o.nodes},
			flags.Choice("version", "", "Asterisk `SERIES`: 22, 16 or 13", &o.version, "22", "16", "13"),
			flags.Text("scenario", "", "the servers, answers and faults of a scenario `FILE`; its time begins at the first login", &o.scenario),
			flags.Text("replay", "", "send the events of a recording or raw capture `FILE` from each server's first login on", &o.replay),
			&cli.GenericFlag{Name: "replay-speed", Usage: "`TIMES` as fast as recorded; 0 is as fast as the client reads", Value: &o.speed},
			flags.Text("user", "", "`NAME` of the user that may log in, with every class", &o.user),
			flags.Text("secret-from", "", "the user's secret by `REFERENCE`: file:PATH, env:NAME, cmd:COMMAND or cred:NAME", &o.secret),
			&cli.BoolFlag{Name: "tls", Usage: "speak TLS, with a certificate made for the occasion", Destination: &o.tls},
			&cli.GenericFlag{Name: "calls-per-second", Usage: "`NUMBER` of calls that each server starts", Value: &o.calls},
			&cli.GenericFlag{Name: "events-per-second", Usage: "`NUMBER` of events that each server sends", Value: &o.events},
			&cli.GenericFlag{Name: "ring", Usage: "mean `TIME` that calls ring; 3s if absent", Value: &o.ring},
			&cli.GenericFlag{Name: "talk", Usage: "mean `TIME` that calls last; 30s if absent", Value: &o.talkTime},
			&cli.Uint64Flag{Name: "seed", Usage: "seed `NUMBER` for everything that is random", Destination: &o.seed},
			flags.Text("control", "", "take control lines from connections to the Unix `SOCKET`, too", &o.control),
			&cli.BoolFlag{Name: "until-eof", Usage: "stop when standard input ends", Destination: &o.untilEOF},
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			o.args = c.Args().Slice()
			return sim(ctx, r, o)
		},
	}, run.About{
		Args: run.Words{Kind: run.FormAndFiles, Choices: func() []string { return []string{"check"} }},
		Rest: run.Words{Kind: run.CommandLine},
	})
}

// A simulation is a running simulated cluster.
type simulation struct {
	servers []*amitest.Server
	close   func()
	world   *scenario.World // nil without --scenario
	user    string
	secret  string
	tls     *certificate // nil in the clear
	dir     string       // private; removed at the end
	gone    sync.WaitGroup
	stop    context.CancelFunc
	control *control

	recording []byte // nil without --replay
}

// sim simulates a cluster, or checks scenarios.
func sim(ctx context.Context, r *run.Run, o *options) error {
	switch {
	case len(o.args) == 0:
		return simulate(ctx, r, o)
	case o.args[0] == "check":
		return runFiles(ctx, r, o.args[1:])
	}
	return fail.Usage("a command goes after `--`, and `amictl sim check FILE…` runs scenarios", "sim has no argument %q", o.args[0])
}

// simulate runs the simulated cluster until it is told to stop, or until its command is done.
func simulate(ctx context.Context, r *run.Run, o *options) error {
	if err := r.RefuseTimeout("--deadline"); err != nil {
		return err
	}
	if err := r.RefuseOutput("what sim itself prints is JSON; a command's flags go behind its name: `amictl sim -- amictl health -o table`"); err != nil {
		return err
	}
	s, err := start(ctx, r, o)
	if err != nil {
		return err
	}
	defer s.end()
	doc, err := s.describe(o)
	if err != nil {
		return err
	}
	control := newControl(s)
	s.control = control
	if o.control != "" {
		if err := control.listen(o.control); err != nil {
			return err
		}
	}
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = cancel
	s.traffic(work, o, r.Note)
	if r.HasTo {
		if len(r.Rest) == 0 {
			return fail.Usage("such as `amictl sim -- amictl health`", "there is no command after `--`")
		}
		return runAgainst(ctx, r, s, o.control)
	}
	if _, err := r.Stdout.Write(append(doc, '\n')); err != nil {
		return err
	}
	in, err := r.ClaimStdin("sim")
	if err != nil {
		return err
	}
	ignoreBackgroundReads()
	go control.readStdin(in, r.Stdout, o.untilEOF || run.IsTerminal(in))
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-control.stopped:
		return nil
	}
}

// start checks the flags and starts the servers.
func start(ctx context.Context, r *run.Run, o *options) (*simulation, error) {
	version, err := amitest.ParseVersion(o.version)
	if err != nil {
		return nil, fail.Usage("such as --version 22", "--version %s is not one of 22, 16, 13", o.version)
	}
	s := &simulation{user: amitest.DefaultUser, secret: amitest.DefaultSecret}
	if o.user != "" {
		s.user = o.user
	}
	if err := resolveSecret(ctx, r, o, s); err != nil {
		return nil, err
	}
	var opts []amitest.Option
	if o.tls {
		if s.tls, err = newCertificate(); err != nil {
			return nil, err
		}
		opts = append(opts, amitest.WithTLS(s.tls.config))
	}
	if o.seed != 0 {
		opts = append(opts, amitest.WithSeed(o.seed))
	}
	if o.scenario != "" {
		err = s.startScenario(o, opts)
	} else {
		nodes := max(o.nodes.Value, 1)
		if err = enoughDescriptors(nodes); err == nil {
			opts = append(opts, amitest.WithVersion(version), amitest.WithSetup(showState),
				amitest.WithUsers(amitest.User{Name: s.user, Secret: s.secret, Read: amitest.ClassAll, Write: amitest.ClassAll}))
			err = s.startCluster(nodes, opts)
		}
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// resolveSecret resolves --secret-from.
func resolveSecret(ctx context.Context, r *run.Run, o *options, s *simulation) error {
	if o.secret == "" {
		return nil
	}
	if !config.IsReference(o.secret) {
		return fail.Usage("such as file:PATH or env:NAME: everybody can read a command's arguments", "--secret-from is not a reference")
	}
	from, err := target.SecretFrom(r, o.secret)
	if err != nil {
		return err
	}
	secret, err := from(ctx)
	if err != nil {
		return err
	}
	s.secret = secret.Reveal()
	return nil
}

func (s *simulation) startScenario(o *options, opts []amitest.Option) error {
	if o.nodes.Given || o.user != "" || o.secret != "" {
		return fail.Usage("the scenario file says which servers there are", "--scenario does not go with --nodes, --user and --secret-from")
	}
	file, err := scenario.Load(o.scenario)
	if err != nil {
		return fail.Input("`amictl sim check FILE` shows more", "%v", err)
	}
	if s.world, err = file.Start(nil, opts...); err != nil {
		return fail.Input("`amictl sim check FILE` shows more", "%v", err)
	}
	s.servers, s.close = s.world.Servers(), s.world.Close
	return nil
}

// startCluster starts servers that are alike. amitest panics if it cannot listen.
func (s *simulation) startCluster(nodes int, opts []amitest.Option) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &fail.Error{Code: fail.CodeConnect, Message: fmt.Sprintf("the simulator cannot listen: %v", p), Hint: "`ulimit -n` is the number of sockets that a process may have"}
		}
	}()
	c := amitest.NewCluster(nodes, opts...)
	s.servers, s.close = c.Servers(), c.Close
	return nil
}

// showState is what every server has to show: a few endpoints, a queue, an extension for each outcome of a call.
func showState(srv *amitest.Server) {
	st := srv.State()
	for exten, outcome := range map[string]string{"100": "answer", "200": "answer", "300": "busy", "301": "congestion", "302": "noanswer"} {
		st.AddExtension(amitest.Extension{Context: "default", Exten: exten, Outcome: outcome})
	}
	st.AddQueue(amitest.Queue{Name: "support", Strategy: "ringall", Members: []amitest.QueueMember{{Name: "Agent One", Interface: "Local/100@default"}}})
}

// traffic starts calls, events, the replay and the scenario's faults.
func (s *simulation) traffic(ctx context.Context, o *options, tell func(format string, args ...any)) {
	for _, srv := range s.servers {
		if o.calls.r > 0 || o.events.r > 0 {
			s.gone.Go(func() {
				srv.Traffic(ctx, amitest.TrafficConfig{CallsPerSecond: o.calls.r, EventsPerSecond: o.events.r, Ring: o.ring.Value, Talk: o.talkTime.Value, Seed: o.seed})
			})
		}
		if s.recording != nil {
			s.gone.Go(func() {
				if !untilLogin(ctx, srv) {
					return
				}
				if _, err := srv.Replay(ctx, bytes.NewReader(s.recording), o.speed.r); err != nil && ctx.Err() == nil {
					tell("%s: --replay: %s", srv.Name(), strings.TrimPrefix(err.Error(), "amitest: replay: "))
				}
			})
		}
	}
	if s.world != nil {
		s.gone.Go(func() {
			if untilLogin(ctx, s.servers...) {
				s.world.RunFaults(ctx)
			}
		})
	}
}

// untilLogin waits until somebody has logged in at one of the servers.
func untilLogin(ctx context.Context, servers ...*amitest.Server) bool {
	const poll = 10 * time.Millisecond
	for {
		for _, srv := range servers {
			if srv.Ledger().Logins > 0 {
				return true
			}
		}
		select {
		case <-time.After(poll):
		case <-ctx.Done():
			return false
		}
	}
}

// end stops everything and removes the private folder.
func (s *simulation) end() {
	if s.stop != nil {
		s.stop()
	}
	if s.control != nil {
		s.control.closeSocket()
	}
	s.close()
	s.gone.Wait()
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}
