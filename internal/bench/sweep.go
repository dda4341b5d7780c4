package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// Times of a sweep.
const (
	sweepEvery  = 200 * time.Millisecond
	sweepPasses = 5
	sweepDial   = 900 * time.Millisecond // beyond it a server is not reached: this host may be what was cut off
)

// HangUpLeft hangs up what the calls of a run have left on its servers, by the ids of their channels: those of workers that are
// gone. A call that was asked for a moment ago may have no channel yet, so it looks again until a server shows none twice. It
// returns how many there were, and an error where a server cannot be asked.
func HangUpLeft(ctx context.Context, targets []Target, run string) (channels int, err error) {
	var all sync.WaitGroup
	var mu sync.Mutex
	for _, t := range targets {
		all.Go(func() {
			n, e := hangUpAt(ctx, t, channelPrefix+run+"-")
			mu.Lock()
			defer mu.Unlock()
			channels, err = channels+n, errors.Join(err, e)
		})
	}
	all.Wait()
	return channels, err
}

func hangUpAt(ctx context.Context, t Target, prefix string) (channels int, err error) {
	cfg := t.Config
	cfg.Name, cfg.Events, cfg.Timeouts.Dial = t.Node, "off", sweepDial
	conn, err := ami.Dial(ctx, cfg)
	if err != nil {
		return 0, fmt.Errorf("bench: %w", err)
	}
	defer func() { _ = conn.Close() }()
	seen := map[string]bool{}
	for clean, pass := 0, 0; clean < 2 && pass < sweepPasses; pass++ {
		reply, err := conn.Do(ctx, ami.NewAction("CoreShowChannels"))
		if err != nil {
			return len(seen), fmt.Errorf("bench: %w", err)
		}
		left := leftIn(reply, prefix)
		if clean++; len(left) > 0 {
			clean = 0
		}
		for _, id := range left {
			seen[id] = true
		}
		if err := hangUpTogether(ctx, conn, left); err != nil {
			return len(seen), fmt.Errorf("bench: %w", err)
		}
		select {
		case <-time.After(sweepEvery):
		case <-ctx.Done():
			return len(seen), fmt.Errorf("bench: %w", ctx.Err())
		}
	}
	return len(seen), nil
}

// leftIn are the unique ids of the channels in a list that begin so.
func leftIn(list *ami.Reply, prefix string) (ids []string) {
	for i := range list.Events {
		if id := list.Events[i].Get("Uniqueid"); strings.HasPrefix(id, prefix) {
			ids = append(ids, id)
		}
	}
	return ids
}

// hangUpTogether asks for the end of channels without waiting for one answer before the next: on a long way that takes too long.
// Channels that the server does not have any more are no error.
func hangUpTogether(ctx context.Context, conn *ami.Conn, ids []string) (err error) {
	var all sync.WaitGroup
	var mu sync.Mutex
	for _, id := range ids {
		all.Go(func() {
			if _, e := conn.Do(ctx, ami.NewAction("Hangup", "Channel", id)); e != nil && !errors.As(e, new(*ami.ResponseError)) {
				mu.Lock()
				err = e
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return err
}
