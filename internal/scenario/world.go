package scenario

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A World is a scenario's servers, running.
type World struct {
	s       *Scenario
	servers []*amitest.Server
	by      map[string]*amitest.Server
	timed   []Fault // those with a time, in order
	stop    context.CancelFunc
	traffic sync.WaitGroup // that with an end
	endless sync.WaitGroup
}

// Start starts the servers, and injects the faults that are there from their start. network is an in-memory one, or
// nil for real sockets on the loopback address. More options go to every server. Close the world.
func (s *Scenario) Start(network *amitest.Network, more ...amitest.Option) (w *World, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	w = &World{s: s, by: make(map[string]*amitest.Server), stop: cancel}
	defer func() {
		if p := recover(); p != nil { // amitest panics if it cannot listen, as httptest does
			w.Close()
			w, err = nil, fmt.Errorf("scenario %s: %v", s.Name, p)
		}
	}()
	for i := range s.Servers {
		v := &s.Servers[i]
		for _, name := range v.names() {
			opts := append(v.options(name, s), more...)
			if network != nil {
				opts = append(opts, amitest.WithNetwork(network))
			}
			srv := amitest.NewServer(opts...)
			w.servers = append(w.servers, srv)
			w.by[name] = srv
		}
	}
	for i := range s.Faults {
		if f := &s.Faults[i]; f.At != nil {
			w.timed = append(w.timed, *f)
		}
	}
	slices.SortStableFunc(w.timed, func(a, b Fault) int { return int(a.At.D() - b.At.D()) })
	for i := range s.Servers {
		for _, name := range s.Servers[i].names() {
			w.goOn(ctx, &s.Servers[i], w.by[name])
		}
	}
	return w, nil
}

// Servers returns the servers in the order of the file.
func (w *World) Servers() []*amitest.Server { return w.servers }

// Close ends traffic and servers.
func (w *World) Close() {
	w.stop()
	w.traffic.Wait()
	w.endless.Wait()
	var all sync.WaitGroup
	for _, srv := range w.servers {
		all.Go(srv.Close)
	}
	all.Wait()
}

// options turns a server's description into the simulator's.
func (v *Server) options(name string, s *Scenario) []amitest.Option {
	opts := []amitest.Option{amitest.WithName(name), amitest.WithEventNumbers(), amitest.WithSeed(s.Seed + 1), amitest.WithSetup(s.answer)}
	user := amitest.User{Name: amitest.DefaultUser, Secret: amitest.DefaultSecret, Read: amitest.ClassAll, Write: amitest.ClassAll}
	if v.Read != "" {
		user.Read = amitest.ParseClass(v.Read)
	}
	if v.Write != "" {
		user.Write = amitest.ParseClass(v.Write)
	}
	opts = append(opts, amitest.WithUsers(user), amitest.WithSettings(amitest.Settings{
		AuthLimit: v.AuthLimit, AuthTimeout: v.AuthTimeout.D(), WriteTimeout: v.WriteTimeout.D(),
	}))
	if v.Version != "" {
		version, _ := amitest.ParseVersion(v.Version) // checked when the file was read
		opts = append(opts, amitest.WithVersion(version))
	}
	if v.NotBooted {
		opts = append(opts, amitest.WithoutBoot())
	}
	if v.FailDelay > 0 {
		opts = append(opts, amitest.WithFailDelay(v.FailDelay.D()))
	}
	for i := range s.Faults {
		f := &s.Faults[i]
		if f.At == nil && len(matching(f.On, []string{name})) > 0 {
			opts = append(opts, amitest.WithSetup(func(srv *amitest.Server) { srv.Inject(f.fault) }))
		}
	}
	return opts
}

// goOn starts the server's traffic.
func (w *World) goOn(ctx context.Context, v *Server, srv *amitest.Server) {
	if v.CallsPerSecond == 0 && v.EventsPerSecond == 0 {
		return
	}
	cfg := amitest.TrafficConfig{CallsPerSecond: v.CallsPerSecond, EventsPerSecond: v.EventsPerSecond, Events: v.Events, Seed: w.s.Seed}
	group := &w.traffic
	if v.Events == 0 {
		group = &w.endless
	}
	group.Go(func() { srv.Traffic(ctx, cfg) })
}

// endTraffic waits for traffic that has an end, and ends the rest.
func (w *World) endTraffic() {
	w.traffic.Wait()
	w.stop()
	w.endless.Wait()
}

// RunFaults injects the faults that have a time, which begins now, and returns when the last one was injected or ctx
// ended.
func (w *World) RunFaults(ctx context.Context) {
	start := time.Now()
	for i := range w.timed {
		f := &w.timed[i]
		if !pause(ctx, time.Until(start.Add(f.At.D()))) {
			return
		}
		var all sync.WaitGroup // one that is slow to go down holds up none of the others
		for _, srv := range w.servers {
			if len(matching(f.On, []string{srv.Name()})) > 0 {
				all.Go(func() { srv.Inject(f.fault) })
			}
		}
		all.Wait()
	}
}

// pause waits and reports whether it did to the end.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
