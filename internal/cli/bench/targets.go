package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"

	"github.com/apntalk/amictl/internal/bench"
	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/internal/loopback"
	"github.com/apntalk/amictl/pkg/ami"
)

// simulator runs simulated servers in a child process, so that memory and processor figures are our own. It is nil for
// servers in this process.
func simulator(here bool) func() *exec.Cmd {
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

// targets returns the real servers that were named on the command line, none for a simulated cluster. It tries a
// login on each first, so that a wrong secret says so at once.
func targets(ctx context.Context, r *run.Run, o *options, cfg *bench.Config) ([]bench.Target, error) {
	if r.Flags.Local || r.Flags.ManagerConf != "" {
		return nil, fail.Usage("name the server: --node ami://user@127.0.0.1:5038", "bench does not take --local")
	}
	if len(r.Flags.Nodes) == 0 && len(r.Flags.Labels) == 0 {
		if o.confirm.Given {
			return nil, fail.Usage("name them with --node or -l", "--confirm-target without real servers")
		}
		if r.Flags.Context != "" {
			r.Note("this loads simulated servers; --node '*' or -l chooses those of context %s", r.Flags.Context)
		}
		return nil, nil
	}
	if o.sim.Given || o.profile != "" {
		return nil, fail.Usage("leave --sim and --profile out, or --node and -l", "real servers cannot be simulated")
	}
	nodes, err := nodes(r)
	if err != nil {
		return nil, err
	}
	if err := confirmed(o, nodes); err != nil {
		return nil, err
	}
	if err := act.Permit(r, &target.Fanout{Yes: o.yes}, nodes, &ami.Action{Name: "bench"}); err != nil {
		return nil, err
	}
	if !o.away() { // the workers are elsewhere, and log in from there
		if err := preflight(ctx, r, nodes); err != nil {
			return nil, err
		}
	}
	cfg.Target = "servers"
	targets := make([]bench.Target, len(nodes))
	for i, n := range nodes {
		targets[i] = bench.Target{Node: n.Name, Config: n}
	}
	return targets, nil
}

// nodes resolves --node and -l. The environment's node is none of bench's business.
func nodes(r *run.Run) (nodes []ami.Config, err error) {
	if len(r.Flags.Nodes) > 0 {
		return target.Nodes(r)
	}
	if nodes, err = target.ContextNodes(r); err != nil {
		return nil, err
	}
	if nodes, err = target.FilterLabels(nodes, r.Flags.Labels); err == nil && len(nodes) == 0 {
		err = fail.Usage("`amictl context show` lists the nodes and their labels", "no node matches")
	}
	return nodes, err
}

// confirmed makes sure that whoever loads servers elsewhere means it, and how much.
func confirmed(o *options, nodes []ami.Config) error {
	away := 0
	for i := range nodes {
		if !loopback.Addr(nodes[i].Addr) {
			away++
		}
	}
	switch {
	case away == 0 && o.confirm.Given:
		return fail.Usage("leave it out", "--confirm-target %d, but all servers are on this host", o.confirm.Value)
	case away == 0:
		return nil
	case o.confirm.Value != away:
		return fail.Usage(fmt.Sprintf("if you may load them, give --confirm-target %d", away), "%s not on this host", fail.Are(away, "server"))
	case o.rate.v <= 0 && len(o.stages) == 0:
		return fail.Usage("a closed loop would load them as hard as it can", "servers that are not on this host need a --rate or --stage")
	case o.workload == bench.WorkloadCalls && !o.maxCalls.Given:
		return fail.Usage("such as --max-calls 1000: each may cost money", "calls on servers that are not on this host need --max-calls")
	}
	return nil
}

// preflight logs in to each server once. The first cause of failure is the error.
func preflight(ctx context.Context, r *run.Run, nodes []ami.Config) error {
	errs := make([]error, len(nodes))
	slots := make(chan struct{}, target.MostDials)
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			conn, err := target.Dial(ctx, r, n)
			if err != nil {
				errs[i] = err
				return
			}
			target.Leave(ctx, conn)
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
