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
	cfg.Name, cfg.Events = t.Node, "off"
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
		clean++
		for i := range reply.Events {
			id := reply.Events[i].Get("Uniqueid")
			if !strings.HasPrefix(id, prefix) {
				continue
			}
			seen[id], clean = true, 0
			if _, err := conn.Do(ctx, ami.NewAction("Hangup", "Channel", id)); err != nil && !errors.As(err, new(*ami.ResponseError)) {
				return len(seen), fmt.Errorf("bench: %w", err)
			}
		}
		select {
		case <-time.After(sweepEvery):
		case <-ctx.Done():
			return len(seen), fmt.Errorf("bench: %w", ctx.Err())
		}
	}
	return len(seen), nil
}
