package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// tools are the amictl that run all the time, and what makes more of them.
type tools struct {
	o    *options
	srv  *server
	dir  string
	send *tool
	tail *tool
	look *tool // health --watch

	stop  chan struct{}
	fed   sync.WaitGroup
	lines int // given to send; read behind fed
}

// The names of the tools, as in the table.
const (
	nameSend   = "send -"
	nameTail   = "tail"
	nameWait   = "wait"
	nameHealth = "health --watch"
)

var names = []string{nameSend, nameTail, nameWait, nameHealth}

// every is the interval of health.
const every = time.Second

// marked is what a line's number is written as, so that it is found in what leaves for the server.
const (
	marked     = "restarts-"
	markDigits = 7
)

func mark(n int) string { return fmt.Sprintf("%s%0*d", marked, markDigits, n) }

func startTools(o *options, srv *server, dir string) (*tools, error) {
	t := &tools{o: o, srv: srv, dir: dir, stop: make(chan struct{})}
	err := os.WriteFile(secretFile(dir), []byte(srv.secret), 0o600)
	if err != nil {
		return nil, err
	}
	if t.send, err = start(o, srv, dir, "send", "send", "-", "--timeout", "30s", "--keep-going"); err != nil {
		return nil, err
	}
	if t.tail, err = start(o, srv, dir, "tail", "tail"); err != nil {
		return nil, err
	}
	if t.look, err = start(o, srv, dir, "health", "health", "--watch", "--every", every.String()); err != nil {
		return nil, err
	}
	t.fed.Go(t.feed)
	limit := time.Now().Add(20 * time.Second)
	for _, one := range []*tool{t.send, t.tail, t.look} {
		if !one.await(limit, func(s *said) bool { return true }) {
			return nil, fmt.Errorf("%s printed nothing:%s", one.name, one.complaints())
		}
	}
	return t, nil
}

// feed gives send its lines at their rate, until stop is closed. The input ends then.
func (t *tools) feed() {
	tick := time.NewTicker(time.Second / time.Duration(t.o.rate))
	defer tick.Stop()
	defer func() { _ = t.send.in.Close() }()
	for {
		select {
		case <-t.stop:
			return
		case <-tick.C:
		}
		m := mark(t.lines)
		if _, err := fmt.Fprintf(t.send.in, `{"action":"UserEvent","fields":{"UserEvent":"Restarts","N":%q},"id":%q}`+"\n", m, m); err != nil {
			return
		}
		t.lines++
	}
}

// startWait starts a waiter, and waits until it has a session: then tail sees the event that it sends.
func (t *tools) startWait(round string) (*tool, error) {
	from, _ := t.tail.printed()
	w, err := start(t.o, t.srv, t.dir, "wait", "wait", "UserEvent", "--where", "UserEvent=RestartsOver && Round="+round,
		"--timeout", "90s", "--", "UserEvent", "UserEvent=RestartsWait", "Round="+round)
	if err != nil {
		return nil, err
	}
	seen := t.tail.awaitFrom(len(from), time.Now().Add(20*time.Second), func(s *said) bool {
		return s.Event == "UserEvent" && s.field("UserEvent") == "RestartsWait" && s.field("Round") == round
	})
	if !seen {
		w.end()
		return nil, fmt.Errorf("wait had no session:%s", w.complaints())
	}
	return w, nil
}

// awaitFound waits until each tool has had its first success behind the return, and tells when.
func (t *tools) awaitFound(r *round, limit time.Time) map[string]time.Time {
	found := make(map[string]time.Time)
	look := func(name string, of []said, at func(*said) time.Time) {
		if _, ok := found[name]; ok {
			return
		}
		for i := len(of) - 1; i >= 0 && of[i].at.After(r.gone); i-- {
			if when := at(&of[i]); when.After(r.gone) {
				found[name] = when // the earliest stays
			}
		}
	}
	for {
		out, _ := t.send.printed()
		look(nameSend, out, func(s *said) time.Time {
			if s.Type == "reply" {
				return s.Time
			}
			return time.Time{}
		})
		out, _ = t.tail.printed()
		look(nameTail, out, func(s *said) time.Time { return s.Until })
		_, complaints := r.waiter.printed()
		look(nameWait, complaints, func(s *said) time.Time {
			if strings.Contains(s.text, isBack) {
				return s.at
			}
			return time.Time{}
		})
		out, _ = t.look.printed()
		look(nameHealth, out, func(s *said) time.Time {
			if s.State == "ready" {
				return s.Time
			}
			return time.Time{}
		})
		if len(found) == len(names) || time.Now().After(limit) {
			return found
		}
		time.Sleep(pollPause)
	}
}

// finish ends the input, and waits until all lines have ended; then it ends the others.
func (t *tools) finish() {
	close(t.stop)
	t.fed.Wait()
	t.send.awaitEnd(40 * time.Second)
	time.Sleep(settled)
	t.tail.end()
	t.look.end()
}

// kill leaves nothing behind.
func (t *tools) kill() {
	for _, one := range []*tool{t.send, t.tail, t.look} {
		_ = one.cmd.Process.Kill()
	}
}

// await waits for a line of standard output that is wanted.
func (t *tool) await(limit time.Time, wanted func(*said) bool) bool {
	return t.awaitFrom(0, limit, wanted)
}

func (t *tool) awaitFrom(from int, limit time.Time, wanted func(*said) bool) bool {
	for time.Now().Before(limit) {
		out, _ := t.printed()
		for ; from < len(out); from++ {
			if wanted(&out[from]) {
				return true
			}
		}
		select {
		case <-t.done:
			return false
		case <-time.After(pollPause):
		}
	}
	return false
}
