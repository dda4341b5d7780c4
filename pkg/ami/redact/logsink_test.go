package redact

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// recorder is a handler that keeps what it is given, after doing what the test wants of it.
type recorder struct {
	*recorded
	slog.Handler
}

type recorded struct {
	mu     sync.Mutex
	out    bytes.Buffer
	before func(rec slog.Record) error
}

func newRecorder(before func(slog.Record) error) recorder {
	r := &recorded{before: before}
	o := &slog.HandlerOptions{Level: slog.LevelInfo, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}
	return recorder{r, slog.NewTextHandler(&r.out, o)}
}

func (r recorder) Handle(ctx context.Context, rec slog.Record) error {
	if r.before != nil {
		if err := r.before(rec); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.Handler.Handle(ctx, rec)
}

func (r recorder) WithAttrs(a []slog.Attr) slog.Handler {
	return recorder{r.recorded, r.Handler.WithAttrs(a)}
}

func (r recorder) WithGroup(n string) slog.Handler {
	return recorder{r.recorded, r.Handler.WithGroup(n)}
}

func (r recorder) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Split(strings.TrimSuffix(r.out.String(), "\n"), "\n")
}

// Through the sink a record looks as it does without: groups, attributes and levels.
func TestLogSinkPassesRecords(t *testing.T) {
	defer goleak.VerifyNone(t)
	logAll := func(l *slog.Logger) {
		l.Info("plain", "a", 1)
		l.Debug("not enabled")
		base := l.With("b", 2)
		g := base.WithGroup("g").With("c", 3)
		g.Warn("grouped", "d", 4)
		g.WithGroup("h").Error("deeper", slog.Group("i", "e", 5))
		base.WithGroup("other").Info("sibling", "f", 6)
		base.WithGroup("empty").Info("nothing in it")
		base.WithGroup("").With().Info("same")
	}
	direct, through := newRecorder(nil), newRecorder(nil)
	logAll(slog.New(direct))
	s := NewLogSink(through, LogSinkOptions{})
	logAll(slog.New(s))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(direct.lines(), through.lines()); diff != "" {
		t.Errorf("(-direct +through):\n%s", diff)
	}
	if s.Dropped() != 0 || s.Failed() != 0 {
		t.Errorf("dropped %d, failed %d", s.Dropped(), s.Failed())
	}
	if s.Enabled(t.Context(), slog.LevelDebug) || !s.Enabled(t.Context(), slog.LevelInfo) {
		t.Error("does not know the handler's level")
	}
}

// While the handler blocks, callers do not; what does not fit is counted and reported in its place.
func TestLogSinkCountsDrops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		h := newRecorder(func(slog.Record) error { <-gate; return nil })
		s := NewLogSink(h, LogSinkOptions{Queue: 2})
		l := slog.New(s)
		l.Info("0")
		synctest.Wait() // the handler has it
		start := time.Now()
		for _, m := range []string{"1", "2", "lost", "lost", "lost"} {
			l.Info(m)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("a caller waited %v", d)
		}
		if s.Dropped() != 3 {
			t.Errorf("dropped %d", s.Dropped())
		}
		gate <- struct{}{}
		synctest.Wait() // 0 is through, the handler has 1
		l.Info("3")     // comes after the lost ones
		l.Info("lost")
		close(gate)
		synctest.Wait()
		l.Info("4")
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		want := []string{
			"level=INFO msg=0", "level=INFO msg=1", "level=INFO msg=2",
			`level=WARN msg="log records were dropped" dropped=3`,
			"level=INFO msg=3",
			`level=WARN msg="log records were dropped" dropped=1`,
			"level=INFO msg=4",
		}
		if diff := cmp.Diff(want, h.lines()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		l.Info("after Close")
		if s.Dropped() != 5 {
			t.Errorf("dropped %d after Close", s.Dropped())
		}
	})
}

func TestLogSinkBoundsBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		h := newRecorder(func(slog.Record) error { <-gate; return nil })
		s := NewLogSink(h, LogSinkOptions{QueueBytes: 10_000})
		l := slog.New(s)
		l.Info("0")
		synctest.Wait()
		for range 10 {
			l.Info("big", "x", strings.Repeat("x", 4000))
		}
		if s.Dropped() != 8 {
			t.Errorf("dropped %d", s.Dropped())
		}
		close(gate)
		synctest.Wait()
		l.Info("big", "x", strings.Repeat("x", 4000)) // there is room again
		if err := s.Close(); err != nil || s.Dropped() != 8 {
			t.Errorf("%v, dropped %d", err, s.Dropped())
		}
	})
}

// A handler that panics or returns errors loses these records alone.
func TestLogSinkSurvivesItsHandler(t *testing.T) {
	defer goleak.VerifyNone(t)
	h := newRecorder(func(rec slog.Record) error {
		switch rec.Message {
		case "panic":
			panic("in the handler")
		case "error":
			return errors.New("disk full")
		}
		return nil
	})
	s := NewLogSink(h, LogSinkOptions{})
	l := slog.New(s)
	for _, m := range []string{"1", "panic", "2", "error", "3"} {
		l.Info(m)
	}
	l.Info("4", "bad", valuer{slog.AnyValue(panicker{})})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range h.lines() {
		got = append(got, line[:len("level=INFO msg=1")])
	}
	if diff := cmp.Diff([]string{"level=INFO msg=1", "level=INFO msg=2", "level=INFO msg=3", "level=INFO msg=4"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s.Failed() != 2 || s.Dropped() != 0 {
		t.Errorf("failed %d, dropped %d", s.Failed(), s.Dropped())
	}
}

// hostile is a handler whose every method but Handle does what a caller must never feel.
type hostile struct {
	slog.Handler
	do func()
}

func (h hostile) Enabled(context.Context, slog.Level) bool { h.do(); return true }
func (h hostile) WithAttrs([]slog.Attr) slog.Handler       { h.do(); return h }
func (h hostile) WithGroup(string) slog.Handler            { h.do(); return h }

func TestLogSinkKeepsCallersFromEveryMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quiet := slog.NewTextHandler(io.Discard, nil)
		bad := NewLogSink(hostile{quiet, func() { panic("hostile") }}, LogSinkOptions{})
		slow := NewLogSink(hostile{quiet, func() { time.Sleep(time.Hour) }}, LogSinkOptions{Level: slog.LevelInfo, CloseTimeout: 10 * time.Hour})
		start := time.Now()
		for _, s := range []*LogSink{bad, slow} {
			slog.New(s).With("a", 1).WithGroup("g").Info("x", "b", 2)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("callers waited %v", d)
		}
		for _, s := range []*LogSink{bad, slow} {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		if bad.Failed() != 1 || slow.Failed() != 0 {
			t.Errorf("failed %d and %d", bad.Failed(), slow.Failed())
		}
	})
}

// Close waits for its bound, no longer; the goroutine ends when the handler lets it.
func TestLogSinkAbandonsAStuckHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		h := newRecorder(func(slog.Record) error { <-gate; return nil })
		s := NewLogSink(h, LogSinkOptions{CloseTimeout: 3 * time.Second})
		l := slog.New(s)
		for range 5 {
			l.Info("x")
		}
		start := time.Now()
		err := s.Close()
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("Close took %v", d)
		}
		if err == nil || !strings.Contains(err.Error(), "4 records dropped") || s.Dropped() != 4 {
			t.Errorf("%v; dropped %d", err, s.Dropped())
		}
		close(gate) // synctest fails if the goroutine stays
		if err := s.Close(); err != nil {
			t.Errorf("a second Close: %v", err)
		}
		if got := len(h.lines()); got != 1 {
			t.Errorf("%d records after Close gave up", got)
		}
	})
}

func TestLogSinkRedacts(t *testing.T) {
	defer goleak.VerifyNone(t)
	h := newRecorder(nil)
	r := testRedactor(t, Config{Secrets: []Secret{NewSecret("hunter2x")}})
	s := NewLogSink(h, LogSinkOptions{Redactor: r})
	l := slog.New(s)
	l.Info("the hunter2x", "password", "zzz", "a", "kept")
	l.With("token", "zzz").WithGroup("g").With("secret", "zzz").Info("x", slog.Group("f", "Variable", "PASSWORD", "Value", "zzz"))
	l.WithGroup("credentials").With("b", "zzz").Info("x", "a", "zzz")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`level=INFO msg="the [secret]" password=[secret] a=kept`,
		`level=INFO msg=x token=[secret] g.secret=[secret] g.f.Variable=PASSWORD g.f.Value=[secret]`,
		`level=INFO msg=x credentials.b=[secret] credentials.a=[secret]`,
	}
	if diff := cmp.Diff(want, h.lines()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Every record is passed on, counted as dropped, or counted as failed; under load from many callers too.
func TestLogSinkLosesNothingUncounted(t *testing.T) {
	defer goleak.VerifyNone(t)
	var passed, reported uint64
	h := newRecorder(func(rec slog.Record) error {
		if rec.Level == slog.LevelWarn {
			rec.Attrs(func(a slog.Attr) bool { reported += a.Value.Uint64(); return true })
			return nil
		}
		passed++
		return nil
	})
	s := NewLogSink(h, LogSinkOptions{Queue: 8})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			l := slog.New(s).With("a", 1)
			for range 500 {
				l.Info("x")
			}
		})
	}
	wg.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if passed+s.Dropped() != 4000 || reported != s.Dropped() {
		t.Errorf("passed %d, dropped %d, reported %d", passed, s.Dropped(), reported)
	}
}
