//go:build unix

package run

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// playWatch is a run that waits for its end.
func playWatch(words []string) {
	DieOnCrash()
	is := func(word string) bool { return slices.Contains(words, word) }
	if is("deaf") {
		signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	}
	r := New(nil, os.Stdin, os.Stdout, Stderr(), os.LookupEnv)
	r.OnDeath(func() { fmt.Println("restored") })
	if is("hangup") {
		r.OnHangup(func() { fmt.Println("reloads") })
	}
	if is("soft") || is("no-more-soft") {
		asked := 0
		r.OnInterrupt(func(sig syscall.Signal, end func()) bool {
			asked++
			fmt.Println("asked", sig, asked)
			if asked == 2 {
				end()
			}
			return asked <= 2
		})
	}
	if is("no-more-soft") {
		r.OnInterrupt(nil)
	}
	if is("command") {
		r.Patience.Store(Indefinitely)
	}
	if is("stays") {
		r.Patience.Store(UntilAnother)
	}
	ctx, stop := WatchSignals(context.Background(), os.Stdout, r)
	seen := make(chan os.Signal, 1)
	signal.Notify(seen, syscall.SIGQUIT)
	go func() {
		for range seen {
			fmt.Println("quit was sent")
		}
	}()
	fmt.Println("ready")
	<-ctx.Done()
	if is("stays") {
		fmt.Println("stays")
		time.Sleep(time.Minute)
	}
	e := stop()
	fmt.Println("ended", BySignal(ctx), e)
	DieBySignal(e)
}

// The first signal ends a run, which dies by it when it has cleaned up.
func TestSignalsEndARun(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		c := startChild(t, "watch", nil, nil)
		c.says("ready")
		c.signal(sig)
		c.says("ended true stopped by " + sig.String())
		c.diesBy(sig)
	}
}

func TestHangupReloads(t *testing.T) {
	c := startChild(t, "watch", []string{"hangup"}, nil)
	c.says("ready")
	for range 2 {
		c.signal(syscall.SIGHUP)
		c.says("reloads")
	}
	c.signal(syscall.SIGTERM)
	c.says("ended true stopped by terminated")
	c.diesBy(syscall.SIGTERM)
}

// What takes a signal decides when the run ends; it ends by the signal that it was decided at.
func TestOnInterrupt(t *testing.T) {
	c := startChild(t, "watch", []string{"soft"}, nil)
	c.says("ready")
	c.signal(syscall.SIGINT)
	c.says("asked interrupt 1")
	c.signal(syscall.SIGTERM)
	c.says("asked terminated 2", "ended true stopped by terminated")
	c.diesBy(syscall.SIGTERM)

	c = startChild(t, "watch", []string{"no-more-soft"}, nil)
	c.says("ready")
	c.signal(syscall.SIGINT)
	c.says("ended true stopped by interrupt")
	c.diesBy(syscall.SIGINT)
}

// A second signal kills a run that has not ended at the first, once the terminal is as it was.
func TestSecondSignalKills(t *testing.T) {
	c := startChild(t, "watch", []string{"stays"}, nil)
	c.says("ready")
	c.signal(syscall.SIGTERM)
	c.says("stays")
	over := make(chan struct{})
	go func() { // one that comes at once with the first is not the second
		for {
			select {
			case <-over:
				return
			case <-time.After(10 * time.Millisecond):
				_ = c.Process.Signal(syscall.SIGINT)
			}
		}
	}()
	c.diesBy(syscall.SIGINT)
	close(over)
}

// nohup, and a shell that starts a job in the background, mean it: a signal that was ignored stays so.
func TestSignalsThatAreIgnored(t *testing.T) {
	c := startChild(t, "watch", []string{"deaf", "command"}, nil)
	c.says("ready")
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGQUIT} {
		c.signal(sig)
	}
	c.says("quit was sent") // and nothing ended it
	c.signal(syscall.SIGKILL)
	c.diesBy(syscall.SIGKILL)
	c = startChild(t, "nohup", nil, nil)
	c.says("[interrupt terminated]")
	c.ends()
}

// playNohup tells what would end it under nohup.
func playNohup([]string) {
	signal.Ignore(syscall.SIGHUP) // for good: signal.Reset does not take it back
	fmt.Println(endings())
}

// `amictl tail | head -1` ends when head does, whether anything comes or not.
func TestReaderGone(t *testing.T) {
	c := startChild(t, "watch", nil, nil)
	c.says("ready")
	_ = c.out.Close()
	c.diesBy(syscall.SIGPIPE)
}

// A signal that is fatal to Go's programs tells what the program was at, restores the terminal and kills.
func TestFatalSignals(t *testing.T) {
	for _, tt := range []struct {
		sig   syscall.Signal
		words []string
	}{{syscall.SIGQUIT, nil}, {syscall.SIGABRT, nil}, {syscall.SIGABRT, []string{"command"}}, {syscall.SIGTRAP, nil}} {
		c := startChild(t, "watch", tt.words, nil)
		c.says("ready")
		c.signal(tt.sig)
		var said []string
		for {
			line, err := c.lines.ReadString('\n')
			if err != nil {
				break
			}
			said = append(said, line)
		}
		c.diesBy(tt.sig)
		if !slices.Contains(said, "restored\n") {
			t.Errorf("%v: the terminal is not as it was: %q", tt.sig, said)
		}
		text := c.errs.String()
		if !strings.HasPrefix(text, "amictl: "+tt.sig.String()+"\n\ngoroutine ") || !strings.Contains(text, "playWatch") {
			t.Errorf("%v: it says %q", tt.sig, text)
		}
	}
	// A QUIT may be for the command that the run has started.
	c := startChild(t, "watch", []string{"command"}, nil)
	c.says("ready")
	c.signal(syscall.SIGQUIT)
	c.says("quit was sent")
	c.signal(syscall.SIGTERM)
	c.says("ended true stopped by terminated")
	c.diesBy(syscall.SIGTERM)
	if c.errs.Len() > 0 {
		t.Errorf("it says %q", c.errs.String())
	}
}

// All goroutines are told, however many.
func TestStacksAreWhole(t *testing.T) {
	const many = 1000
	var ready sync.WaitGroup
	end := make(chan struct{})
	for range many {
		ready.Add(1)
		go func() {
			ready.Done()
			<-end
		}()
	}
	ready.Wait()
	text := stacks()
	close(end)
	if n := bytes.Count(text, []byte("\ngoroutine ")); n < many {
		t.Errorf("%d goroutines of %d in %d bytes", n, many, len(text))
	}
	if bytes.IndexByte(text, 0) >= 0 || !bytes.HasSuffix(text, []byte("\n")) {
		t.Errorf("it ends with %q", text[len(text)-20:])
	}
}

// playDie dies by the signal of a number.
func playDie(words []string) {
	n, _ := strconv.Atoi(words[0])
	if len(words) > 1 {
		signal.Notify(make(chan os.Signal, 1), syscall.Signal(n)) // which does not keep it alive
	}
	DieBySignal(&SignalError{Signal: syscall.Signal(n)})
}

// Whoever waits for a process sees which signal ended it, or the status that shells have for that.
func TestDieBySignal(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGKILL, syscall.SIGUSR1} {
		startChild(t, "die", []string{strconv.Itoa(int(sig))}, nil).diesBy(sig)
		startChild(t, "die", []string{strconv.Itoa(int(sig)), "watched"}, nil).diesBy(sig)
	}
	c := startChild(t, "die", []string{strconv.Itoa(int(syscall.SIGPIPE))}, nil)
	_ = c.out.Close()
	if s := c.ends(); !s.Signaled() && s.ExitStatus() != 128+int(syscall.SIGPIPE) || s.Signaled() && s.Signal() != syscall.SIGPIPE {
		t.Errorf("it ended with %v, status %d", s.Signal(), s.ExitStatus())
	}
	c = startChild(t, "die", []string{strconv.Itoa(int(syscall.SIGURG))}, nil) // which kills nobody
	if s := c.ends(); s.Signaled() || s.ExitStatus() != 128+int(syscall.SIGURG) {
		t.Errorf("it ended with %v, status %d", s.Signal(), s.ExitStatus())
	}
}

// playCore tells the limit of core files when the run has begun.
func playCore(words []string) {
	if slices.Contains(words, "none") {
		_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
	}
	DieOnCrash()
	var limit syscall.Rlimit
	_ = syscall.Getrlimit(syscall.RLIMIT_CORE, &limit)
	fmt.Println(limit.Cur)
}

// No core file is written: Linux takes a limit of 1 byte for that where the limit may be one.
func TestNoCoreFile(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &limit); err != nil {
		t.Fatal(err)
	}
	want := "0"
	if runtime.GOOS == "linux" && limit.Max > 0 {
		want = "1"
	}
	startChild(t, "core", nil, nil).says(want)
	startChild(t, "core", []string{"none"}, nil).says("0")
}

// playPanic crashes.
func playPanic([]string) {
	DieOnCrash()
	panic("a crash")
}

// A crash must not end with 2, which means that nothing was sent.
func TestCrashIsASignal(t *testing.T) {
	c := startChild(t, "panic", nil, nil)
	c.diesBy(syscall.SIGABRT)
	if !strings.Contains(c.errs.String(), "a crash") {
		t.Errorf("it says %q", c.errs.String())
	}
}

// pipe is a pipe that ends with the test.
func pipe(t *testing.T) (in, out *os.File) {
	t.Helper()
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = in.Close(), out.Close() })
	return in, out
}

// What is no pipe has a reader always, and so has the other end of one.
func TestWatchReader(t *testing.T) {
	file, err := os.Create(writeFile(t, "f", ""))
	if err != nil {
		t.Fatal(err)
	}
	closed, _ := os.Open(file.Name())
	_ = closed.Close()
	in, out := pipe(t)
	_ = out.Close()
	for name, f := range map[string]*os.File{"a file": file, "a closed file": closed, "the end of a pipe that is read": in} {
		watchReader(f, func() { t.Errorf("the reader of %s is gone", name) })
	}
	in, out = pipe(t)
	gone := 0
	_ = in.Close()
	if watchReader(out, func() { gone++ }); gone != 1 {
		t.Errorf("the reader was gone %d times", gone)
	}
}

// A command that we run may complain where we do, as long as anybody reads that.
func TestChildStderr(t *testing.T) {
	m := newRun(t, nil)
	if f := m.ChildStderr(); f != os.Stderr {
		t.Errorf("it is %s", f.Name())
	}
	in, out := pipe(t)
	m.Stderr = out
	if f := m.ChildStderr(); f != out {
		t.Errorf("it is %s", f.Name())
	}
	_ = in.Close()
	if f := m.ChildStderr(); f.Name() != os.DevNull {
		t.Errorf("it is %s", f.Name())
	} else if _, err := f.WriteString("x"); err != nil {
		t.Error(err)
	}
}

// Standard error is not the descriptor at which Go ends a process for a broken pipe.
func TestStderrHasAnotherNumber(t *testing.T) {
	f := Stderr()
	defer func() { _ = f.Close() }()
	if f.Fd() < 3 || f.Name() != os.Stderr.Name() {
		t.Errorf("it is %s, %d", f.Name(), f.Fd())
	}
}

// fill writes into a pipe until it takes no more.
func fill(t *testing.T, out *os.File) {
	t.Helper()
	for buf := make([]byte, 4096); writable(out); {
		if _, err := out.Write(buf); err != nil {
			t.Fatal(err)
		}
	}
}

// outlasted is how long a run has to end, while change may change its patience or drain its output at a time.
func outlasted(t *testing.T, out *os.File, patience int32, at time.Duration, change func(p *atomic.Int32)) (took time.Duration) {
	synctest.Test(t, func(*testing.T) {
		var p atomic.Int32
		p.Store(patience)
		if change != nil {
			go func() {
				time.Sleep(at)
				change(&p)
			}()
		}
		began := time.Now()
		outlast(out, &p)
		took = time.Since(began)
	})
	return took
}

// A run that was told to end has two seconds, or as long as whoever waits for it wants.
func TestOutlast(t *testing.T) {
	_, ready := pipe(t)
	in, full := pipe(t)
	fill(t, full)
	now := func(p *atomic.Int32) { p.Store(briefly) }
	drain := func(*atomic.Int32) {
		if _, err := in.Read(make([]byte, 64<<10)); err != nil {
			t.Error(err)
		}
		fill(t, full)
	}
	const at = 4950 * time.Millisecond // between two looks
	for name, tt := range map[string]struct {
		out      *os.File
		patience int32
		at       time.Duration
		change   func(*atomic.Int32)
		want     time.Duration
	}{
		"briefly":                     {ready, briefly, 0, nil, 2 * time.Second},
		"briefly, nobody reads":       {full, briefly, 0, nil, 2 * time.Second},
		"while it is read":            {ready, WhileRead, at, now, 5 * time.Second},
		"while it is read by nobody":  {full, WhileRead, 0, nil, 2 * time.Second},
		"until another signal":        {full, UntilAnother, at, now, 5 * time.Second},
		"as long as the command":      {full, Indefinitely, at, now, 5 * time.Second},
		"less patience from there on": {full, UntilAnother, at, func(p *atomic.Int32) { p.Store(WhileRead) }, 5 * time.Second},
		"patience that comes later":   {full, briefly, 950 * time.Millisecond, func(p *atomic.Int32) { p.Store(UntilAnother); time.Sleep(5 * time.Second); now(p) }, 6 * time.Second},
		"a little is read":            {full, WhileRead, 950 * time.Millisecond, drain, 2 * time.Second},
	} {
		if took := outlasted(t, tt.out, tt.patience, tt.at, tt.change); took != tt.want {
			t.Errorf("%s: %v, want %v", name, took, tt.want)
		}
	}
}

// What was not read counts from the last byte that was.
func TestOutlastFromTheLastByteRead(t *testing.T) {
	in, out := pipe(t)
	fill(t, out)
	took := outlasted(t, out, WhileRead, 950*time.Millisecond, func(*atomic.Int32) {
		if _, err := in.Read(make([]byte, 64<<10)); err != nil {
			t.Error(err)
		}
		time.Sleep(100 * time.Millisecond) // it is looked at once in between
		fill(t, out)
	})
	if want := 3 * time.Second; took != want {
		t.Errorf("it took %v, want %v", took, want)
	}
}
