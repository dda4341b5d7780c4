package ami_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// A small action that would fit does not overtake a large one that waits for room.
func TestSmallActionDoesNotOvertake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stalled{resume: make(chan struct{}), over: t.Context().Done()}
		n, cfg := scripted(t, s.script)
		n.SetBuffer(4096)
		cfg.WriteBuffer, cfg.Keepalive = 256<<10, -1
		c := mustDial(t, cfg)
		b := ami.NewBatch(ami.BatchOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel) // a deadline would be the actions' too
		for i := 0; ; i++ {
			a := marked("x", 1000)
			a.Timeout = time.Hour
			switch i {
			case 10:
				synctest.Wait() // the writer is stuck now, and takes no more
			case 100:
				a.Timeout = 10 * time.Second // leaves a hole that a small action fits into
			}
			if err := c.Submit(ctx, a, b, 0); err != nil {
				break
			}
		}
		time.Sleep(11 * time.Second)
		large := marked("y", 3000)
		large.Timeout = time.Hour
		var wg sync.WaitGroup
		defer wg.Wait()
		waiting, giveUp := context.WithCancel(t.Context())
		defer giveUp()
		wg.Go(func() { _, _ = c.Do(waiting, large) })
		synctest.Wait()
		try, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if _, err := c.TryDo(try, ami.Action{Name: "Ping"}); !errors.Is(err, ami.ErrBusy) {
			t.Errorf("a newcomer: %v, want busy", err)
		}
		giveUp()
		synctest.Wait()
		if _, err := c.TryDo(try, ami.Action{Name: "Ping"}); errors.Is(err, ami.ErrBusy) {
			t.Error("with nobody in line the small action does not fit either: the test proves nothing")
		}
	})
}
