// Command restart restarts a real Asterisk over and over, in several ways, under four amictl that run all the time, and judges
// what they say: is it true, is it whole, and does it come in time. scripts/restarts calls it with a lab.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// options are those of a run.
type options struct {
	amictl  string
	rounds  int
	away    time.Duration // at most
	bound   time.Duration // from the return to a tool's first success
	rate    int           // lines a second
	seed    uint64
	table   string
	keep    string
	version string
}

func main() {
	o := options{}
	flag.StringVar(&o.amictl, "amictl", "", "the binary to judge (built from ./cmd/amictl)")
	flag.IntVar(&o.rounds, "n", 100, "restart so many times")
	flag.DurationVar(&o.away, "away", 10*time.Second, "longest time away; half of them are under a second")
	flag.DurationVar(&o.bound, "bound", 3*time.Second, "longest time from the server's return to a tool's first success")
	flag.IntVar(&o.rate, "rate", 100, "lines a second for send -")
	flag.Uint64Var(&o.seed, "seed", 1, "of the order and the times")
	flag.StringVar(&o.table, "table", "", "also write the table to this file")
	flag.StringVar(&o.keep, "keep", "", "keep what the tools printed in this folder")
	flag.StringVar(&o.version, "version", "22", "the Asterisk of the lab")
	flag.Parse()
	if err := run(&o); err != nil {
		fmt.Fprintln(os.Stderr, "restarts:", err)
		os.Exit(1)
	}
}

func run(o *options) error {
	srv, err := labServer(o.version)
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(o.keep)
	if o.keep == "" {
		if dir, err = os.MkdirTemp("", "restarts"); err == nil {
			defer func() { _ = os.RemoveAll(dir) }()
		}
	}
	if err != nil {
		return err
	}
	if o.amictl == "" {
		o.amictl = filepath.Join(dir, "amictl")
		if out, err := exec.Command("go", "build", "-o", o.amictl, "./cmd/amictl").CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w\n%s", err, out)
		}
	}
	wire, err := watchWire(srv.addr)
	if err != nil {
		return fmt.Errorf("what leaves for the server cannot be watched: %w", err)
	}
	defer wire.Close()
	t, err := startTools(o, srv, dir)
	if err != nil {
		return err
	}
	defer t.kill()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	rounds, failed := restartAll(o, srv, t, stop) // those that were done are judged all the same
	t.finish()
	v := judge(o, rounds, t, wire)
	text := v.table()
	fmt.Print(text)
	if o.table != "" {
		if err := os.WriteFile(o.table, []byte(text), 0o600); err != nil {
			return err
		}
	}
	for i, w := range v.wrong {
		if i == 50 {
			fmt.Fprintf(os.Stderr, "and %d more\n", len(v.wrong)-i)
			break
		}
		fmt.Fprintln(os.Stderr, "wrong:", w)
	}
	if len(v.wrong) > 0 {
		failed = errors.Join(failed, fmt.Errorf("%d wrong words", len(v.wrong)))
	}
	if failed != nil {
		return failed
	}
	if len(rounds) < o.rounds {
		return errors.New("stopped by a signal")
	}
	fmt.Println("restarts: passed")
	return nil
}
