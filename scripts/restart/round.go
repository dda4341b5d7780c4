package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"time"
)

// The ways in which a server goes away and comes back.
const (
	killed     = "kill -9"
	stopped    = "core stop now"           // and started later
	restarted  = "core restart now"        // it returns by itself
	gracefully = "core restart gracefully" // with a call up: it is stopping, and refuses actions and logins
	settled    = 300 * time.Millisecond    // after a round, so that each begins with all tools at work
	returning  = 60 * time.Second          // longest time of a boot
)

var kinds = []string{killed, restarted, gracefully, stopped}

// A round is one restart.
type round struct {
	kind   string
	away   time.Duration // asked for
	given  time.Time     // the command
	gone   time.Time     // a session that stood has ended
	back   time.Time     // the first login that was accepted
	waited time.Time     // the event that `amictl wait` waits for was sent
	waiter *tool
	found  map[string]time.Time // by tool
}

// plan chooses kinds and times: half of the times are under a second, since most restarts are.
func plan(o *options) []round {
	r := rand.New(rand.NewPCG(o.seed, 0))
	all := make([]round, o.rounds)
	for i := range all {
		all[i].kind = kinds[i%len(kinds)]
		all[i].away = time.Duration(r.Int64N(int64(o.away) + 1))
		if r.IntN(2) == 0 {
			all[i].away = min(all[i].away, time.Duration(r.Int64N(int64(time.Second))))
		}
		if all[i].kind == restarted {
			all[i].away = 0
		}
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// restartAll does the rounds one after the other, and returns those that were done.
func restartAll(o *options, srv *server, t *tools, stop <-chan os.Signal) ([]round, error) {
	all := plan(o)
	for i := range all {
		select {
		case <-stop:
			return all[:i], nil
		default:
		}
		if err := all[i].run(o, srv, t, i); err != nil {
			return all[:i], fmt.Errorf("round %d, %s: %w", i, all[i].kind, err)
		}
		fmt.Fprintf(os.Stderr, "%d/%d %s, away %v\n", i+1, len(all), all[i].kind, all[i].back.Sub(all[i].gone).Round(time.Millisecond))
	}
	return all, nil
}

// run does one round: a waiter that begins before it, the restart, and the event that the waiter must not miss.
func (r *round) run(o *options, srv *server, t *tools, number int) error {
	witness, err := srv.login()
	if err != nil {
		return err
	}
	defer func() { _ = witness.Close() }()
	word := strconv.Itoa(number)
	if r.waiter, err = t.startWait(word); err != nil {
		return err
	}
	if err := r.begin(witness); err != nil {
		return err
	}
	ended := witness.watchEnd()
	r.given = time.Now()
	over, err := r.restart(srv, ended)
	if err != nil {
		return err
	}
	back, n, err := srv.awaitReturn(returning)
	if err != nil {
		return err
	}
	defer func() { _ = n.Close() }()
	r.back = back
	if err := <-over; err != nil {
		return err
	}
	r.found = t.awaitFound(r, back.Add(o.bound+time.Second))
	r.waited = time.Now()
	if err := n.send("UserEvent", "UserEvent", "RestartsOver", "Round", word); err != nil {
		return fmt.Errorf("after its return: %w", err)
	}
	r.waiter.awaitEnd(5 * time.Second)
	// A console command that comes before the end of the boot may be lost.
	if !t.tail.await(time.Now().Add(returning), func(s *said) bool { return s.Event == "FullyBooted" && s.Time.After(r.gone) }) {
		return errors.New("it did not finish booting, or tail was not told")
	}
	time.Sleep(settled)
	return nil
}

// begin puts a call up that holds a graceful restart for as long as the server is to be away, and waits until all tools have
// a session and something to lose.
func (r *round) begin(n *session) error {
	if r.kind == gracefully {
		seconds := strconv.FormatFloat(r.away.Seconds(), 'f', 1, 64)
		if err := n.send("Originate", "Channel", "Local/100@default", "Application", "Wait", "Data", seconds, "Async", "true"); err != nil {
			return err
		}
	}
	time.Sleep(settled)
	return nil
}

// restart ends the server and has it started again, and waits until it is gone. over tells how the start went.
func (r *round) restart(srv *server, ended <-chan time.Time) (over <-chan error, err error) {
	done := make(chan error, 1)
	switch r.kind {
	case killed, stopped:
		if r.kind == killed {
			err = srv.lab("kill", srv.version)
		} else {
			srv.console("core stop now")
		}
		if err != nil {
			return nil, err
		}
		if err := r.awaitGone(ended); err != nil {
			return nil, err
		}
		go func() {
			time.Sleep(time.Until(r.gone.Add(r.away)))
			done <- srv.lab("start", srv.version)
		}()
		return done, nil
	}
	go func() {
		srv.console(r.kind)
		done <- nil
	}()
	return done, r.awaitGone(ended)
}

func (r *round) awaitGone(ended <-chan time.Time) error {
	select {
	case r.gone = <-ended:
		return nil
	case <-time.After(returning):
		return fmt.Errorf("the server did not end within %v", returning)
	}
}
