package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"

	"github.com/apntalk/amictl/internal/bench"
	"github.com/apntalk/amictl/pkg/ami"
)

// benchSimulator runs simulated servers in a child process, so that memory and processor figures are our own. It is nil
// for servers in this process.
func (a *app) benchSimulator(here bool) func() *exec.Cmd {
	self, err := os.Executable()
	if here || err != nil {
		return nil
	}
	return func() *exec.Cmd {
		cmd := exec.Command(self, "bench", "simulator")
		cmd.Stderr = os.Stderr
		return cmd
	}
}

// benchTargets returns the real servers that were named on the command line, none for a simulated cluster. It tries a
// login on each first, so that a wrong secret says so at once.
func (a *app) benchTargets(ctx context.Context, f *benchFlags, cfg *bench.Config) ([]bench.Target, error) {
	if a.flags.local || a.flags.managerConf != "" {
		return nil, usageError("name the server: --node ami://user@127.0.0.1:5038", "bench has no use for --local")
	}
	if len(a.flags.nodes) == 0 && len(a.flags.labels) == 0 {
		if f.confirm.set {
			return nil, usageError("name them with --node or -l", "--confirm-target without real servers")
		}
		return nil, nil
	}
	if f.sim.set || f.profile != "" {
		return nil, usageError("leave --sim and --profile out, or --node and -l", "real servers cannot be simulated")
	}
	nodes, err := a.benchNodes()
	if err != nil {
		return nil, err
	}
	if err := benchConfirmed(f, nodes); err != nil {
		return nil, err
	}
	if err := a.permit(&fanout{yes: f.yes}, nodes, &ami.Action{Name: "bench"}); err != nil {
		return nil, err
	}
	if err := a.benchPreflight(ctx, nodes); err != nil {
		return nil, err
	}
	cfg.Target = "servers"
	targets := make([]bench.Target, len(nodes))
	for i, n := range nodes {
		targets[i] = bench.Target{Node: n.Name, Config: n}
	}
	return targets, nil
}

// benchNodes resolves --node and -l. The environment's node is none of bench's business.
func (a *app) benchNodes() (nodes []ami.Config, err error) {
	if len(a.flags.nodes) > 0 {
		return a.targets()
	}
	if nodes, err = a.contextNodes(); err != nil {
		return nil, err
	}
	if nodes, err = filterLabels(nodes, a.flags.labels); err == nil && len(nodes) == 0 {
		err = usageError("`amictl context show` lists the nodes and their labels", "no node matches")
	}
	return nodes, err
}

// benchConfirmed makes sure that whoever loads servers elsewhere means it, and how much.
func benchConfirmed(f *benchFlags, nodes []ami.Config) error {
	away := 0
	for i := range nodes {
		if !isLoopback(nodes[i].Addr) {
			away++
		}
	}
	switch {
	case away == 0 && f.confirm.set:
		return usageError("leave it out", "--confirm-target %d, but all servers are on this host", f.confirm.n)
	case away == 0:
		return nil
	case f.confirm.n != away:
		return usageError(fmt.Sprintf("if they may be loaded, say --confirm-target %d", away), "%d of the servers are not on this host", away)
	case f.rate.v <= 0 && len(f.stages) == 0:
		return usageError("a closed loop would take all that they have", "servers that are not on this host need a --rate or --stage")
	case f.workload == bench.WorkloadCalls && !f.maxCalls.set:
		return usageError("such as --max-calls 1000: each may cost money", "calls on servers that are not on this host need --max-calls")
	}
	return nil
}

// isLoopback tells whether an address is on this host for certain, without asking any name server.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// benchPreflight logs in to each server once. The first cause of failure is the error.
func (a *app) benchPreflight(ctx context.Context, nodes []ami.Config) error {
	errs := make([]error, len(nodes))
	slots := make(chan struct{}, mostDials)
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			conn, err := a.dial(ctx, n)
			if err != nil {
				errs[i] = err
				return
			}
			leave(ctx, conn)
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
