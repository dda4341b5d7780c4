package serve

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"sync"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// simCalls is how many calls a second each simulated server starts.
const simCalls = 1

// servers finds the nodes, or starts simulated ones, which end ends.
func (p *plan) servers(ctx context.Context) (end func(), err error) {
	if p.simulated == 0 {
		p.nodes, err = target.Nodes(p.run)
		return func() {}, err
	}
	if len(p.run.Flags.Nodes) > 0 || p.run.Flags.Local {
		return nil, fail.Usage("leave one of them out", "--sim and --node cannot be combined")
	}
	cluster := amitest.NewCluster(p.simulated)
	traffic, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	for i, srv := range cluster.Servers() {
		all.Go(func() { srv.Traffic(traffic, amitest.TrafficConfig{CallsPerSecond: simCalls, Seed: uint64(i)}) })
		p.nodes = append(p.nodes, ami.Config{
			Name: srv.Name(), Addr: srv.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret),
		})
	}
	return func() {
		cancel()
		all.Wait()
		cluster.Close()
	}, nil
}

// profiles serves Go's profiles at a Unix socket that nobody else may open.
func (p *plan) profiles(ctx context.Context) error {
	path := p.said.Pprof
	if path == "" {
		return nil
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSocket != 0 {
		_ = os.Remove(path) // of a run that was killed
	}
	l, err := net.Listen("unix", path)
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		return cannotListen("pprof", path, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux} //nolint:gosec // only we can open the socket
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			p.log.Error("pprof", "error", err)
		}
	}()
	return nil
}
