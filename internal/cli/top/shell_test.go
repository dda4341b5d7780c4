package top

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"

	"github.com/apntalk/amictl/internal/cli/held"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// A session is a shell on a terminal in memory.
type session struct {
	t      *testing.T
	screen *drawing
	end    chan error
}

func start(t *testing.T, servers ...*amitest.Server) *session {
	t.Helper()
	r := runtest.New(t, runtest.Setup{Servers: servers})
	nodes, err := target.Nodes(r.Run)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w, err := held.Follow(ctx, r.Run, nodes, state.Options{Kinds: Kinds()})
	if err != nil {
		t.Fatal(err)
	}
	s := &session{t: t, screen: &drawing{SimulationScreen: tcell.NewSimulationScreen("UTF-8")}, end: make(chan error, 1)}
	if err := s.screen.Init(); err != nil {
		t.Fatal(err)
	}
	s.screen.SetSize(100, 30)
	term := newTerminal(s.screen)
	go func() {
		sh := &shell{run: r.Run, watch: w, model: NewModel(len(nodes), func(string) string { return "" }), term: term}
		s.end <- sh.loop(ctx)
	}()
	t.Cleanup(func() { cancel(); term.close(); w.Finish(ctx) })
	return s
}

func (s *session) key(key tcell.Key, r rune) { s.screen.InjectKey(key, r, tcell.ModNone) }

func (s *session) typed(text string) {
	for _, r := range text {
		s.key(tcell.KeyRune, r)
	}
}

// until waits until a text is seen.
func (s *session) until(text string) {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		seen := s.seen()
		if strings.Contains(seen, text) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%q was never seen:\n%s", text, seen)
		}
	}
}

// A drawing is a simulated terminal that is looked at while nothing is drawn: it draws into the cells that it returns.
type drawing struct {
	tcell.SimulationScreen
	mu sync.Mutex // held while it draws, and while it is looked at
}

func (d *drawing) Show() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.SimulationScreen.Show()
}

func (d *drawing) Sync() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.SimulationScreen.Sync()
}

func (s *session) seen() string {
	s.screen.mu.Lock()
	defer s.screen.mu.Unlock()
	cells, width, _ := s.screen.GetContents()
	var b strings.Builder
	for i, c := range cells {
		if i%width == 0 {
			b.WriteByte('\n')
		}
		for _, r := range c.Runes {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// What a server holds is seen, a call's events as they come, and what is ordered is done.
func TestShell(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	srv.State().AddQueue(amitest.Queue{Name: "sales", Members: []amitest.QueueMember{{Name: "Alice", Interface: "PJSIP/alice"}}})
	a := srv.Dial("", amitest.Channel{Name: "PJSIP/bob", CallerIDNum: "20", CallerIDName: "Bob"})
	b := srv.Dial(a.Uniqueid, amitest.Channel{Name: "PJSIP/carol", CallerIDNum: "10", CallerIDName: "Carol"})
	srv.Answer(b.Uniqueid)
	s := start(t, srv)
	s.until("20 Bob")
	s.until("1 call, 1 talking")
	s.typed("1")
	s.key(tcell.KeyEnter, 0)
	s.until("call " + a.Uniqueid)
	s.until("is up")
	srv.Hold(b.Uniqueid, true)
	s.until("holds")
	s.typed("x")
	s.until("hang up 20 Bob → 10 Carol on pbx1?")
	s.typed("y")
	s.until("(ended)")
	if n := len(srv.State().Channels()); n != 0 {
		t.Errorf("%d channels are left", n)
	}
	s.key(tcell.KeyEscape, 0)
	s.typed("2")
	s.key(tcell.KeyEnter, 0)
	s.until("Alice")
	s.typed("py")
	s.until("paused")
	s.screen.SetSize(60, 12)
	if err := s.screen.PostEvent(tcell.NewEventResize(60, 12)); err != nil {
		t.Fatal(err)
	}
	s.until("pause Alice: done")
	srv.SetDown(true)
	srv.Kick()
	s.typed("5")
	s.until("1 NOT READY")
	s.typed("q")
	if err := <-s.end; err != nil {
		t.Errorf("it ended with %v", err)
	}
}
