package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// A simClient is a simulated cluster somewhere else, and a simulator.
type simClient struct {
	mu    sync.Mutex // one request at a time
	in    io.WriteCloser
	out   *json.Decoder
	nodes []simNode
	wait  func() error
}

// exitWithin is how long a child may take to end once its input is closed.
const exitWithin = 5 * time.Second

// spawnSimulator starts cmd, which must run ServeSimulator on its standard input and output, and simulates a cluster there.
func spawnSimulator(cmd *exec.Cmd, spec simSpec) (simulator, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("bench: simulator: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("bench: simulator: %w", err)
	}
	if cmd.Stderr == nil {
		cmd.Stderr = os.Stderr
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("bench: simulator: %w", err)
	}
	return connectSim(in, out, spec, func() error {
		kill := time.AfterFunc(exitWithin, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		err := cmd.Wait()
		var exit *exec.ExitError
		if errors.As(err, &exit) && !exit.Exited() {
			return nil // the terminal's Ctrl-C is the child's too; it ends by it once it has done its duty
		}
		return err
	})
}

// simulateHere simulates a cluster in this process.
func simulateHere(spec simSpec) (simulator, error) {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := ServeSimulator(context.Background(), inR, outW)
		_ = outW.CloseWithError(io.EOF)
		done <- err
	}()
	return connectSim(inW, outR, spec, func() error {
		_ = outR.Close()
		return <-done
	})
}

func connectSim(in io.WriteCloser, out io.Reader, spec simSpec, wait func() error) (simulator, error) {
	c := &simClient{in: in, out: json.NewDecoder(bufio.NewReader(out)), wait: wait}
	a, err := c.ask(spec)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	c.nodes = a.Nodes
	return c, nil
}

func (c *simClient) ask(q any) (simAnswer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var a simAnswer
	if err := json.NewEncoder(c.in).Encode(q); err != nil {
		return a, fmt.Errorf("bench: simulator: %w", err)
	}
	if err := c.out.Decode(&a); err != nil {
		return a, fmt.Errorf("bench: simulator: the simulator is gone: %w", err)
	}
	if a.Error != "" {
		return a, fmt.Errorf("bench: simulator: %s", a.Error)
	}
	return a, nil
}

// Nodes implements simulator.
func (c *simClient) Nodes() []simNode { return c.nodes }

// Start implements simulator.
func (c *simClient) Start() error { _, err := c.ask(simRequest{"start"}); return err }

// Stop implements simulator.
func (c *simClient) Stop() error { _, err := c.ask(simRequest{"stop"}); return err }

// Books implements simulator.
func (c *simClient) Books() ([]simBooks, error) {
	a, err := c.ask(simRequest{"books"})
	return a.Books, err
}

// Close implements simulator.
func (c *simClient) Close() error {
	_ = c.in.Close()
	if err := c.wait(); err != nil {
		return fmt.Errorf("bench: simulator: %w", err)
	}
	return nil
}
