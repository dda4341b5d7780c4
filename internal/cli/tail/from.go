package tail

import (
	"context"
	"errors"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/replay"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
)

// checkReplay refuses what has no use with --from: passed over in silence, it would let a script believe in it.
func checkReplay(r *run.Run, o *options) error {
	switch {
	case r.HasTo:
		return fail.Usage("leave one of them out", "--from and an action after `--` do not go together")
	case o.require != "", o.All, o.Route != "", o.Yes:
		return fail.Usage("leave it out", "--require, --all, --route and --yes are for servers, and --from reads a file")
	case o.durable != "":
		return fail.Usage("leave one of them out", "--durable is for a bus, and --from reads a file")
	case o.packets:
		return fail.Usage("leave it out", "--packets is for servers: in a file, what is neither an event nor an answer may be any text")
	}
	return replay.RefuseServers(r)
}

// replay takes the events of the files of --from.
func (t *tailer) replay(ctx context.Context) error {
	span := &t.options.span
	p, err := replay.New(t.run, replay.Options{
		Command: "tail", Names: t.options.from, Follow: t.options.follow, Until: span.until,
		WantsName: t.wantsName, Holds: func(at time.Time) bool { return at.IsZero() || span.holds(at) },
		Saw: t.stats.watcher(), Take: t.played, Idle: t.flush,
	})
	if err != nil {
		return err
	}
	if err := t.beginRecord(); err != nil {
		return err
	}
	ctx, cancel := t.options.limit(ctx)
	defer cancel()
	defer t.watchStats(func() {})()
	defer t.tellTimeless()
	err = p.Play(ctx)
	if errors.Is(err, errEnough) {
		err = nil
	}
	if err = notOver(ctx, err); err != nil {
		p.TellLost()
		return err
	}
	return p.Verdict()
}

// played takes an event of a file, if it meets the condition.
func (t *tailer) played(ctx context.Context, ev *ami.Event) error {
	if ev.Gap == nil && t.where != nil && !t.where.Match(ev.Node, &ev.Message) {
		return nil
	}
	return t.play(ctx, ev)
}

func (t *tailer) wantsName(name string) bool {
	named := len(t.names) == 0
	for _, pattern := range t.names {
		named = named || ami.MatchGlob(pattern, name)
	}
	return named
}

// tellTimeless notes what a bound in time left out because it has none.
func (t *tailer) tellTimeless() {
	if n := t.options.span.timeless; n > 0 {
		t.run.Note("--from: %s left out for having no time; timestampevents=yes in manager.conf puts it into captures", fail.Were(n, "event"))
	}
}
