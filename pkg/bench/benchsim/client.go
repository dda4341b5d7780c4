package benchsim

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

	"github.com/apntalk/amictl/pkg/bench"
)

// A Client is a simulated cluster somewhere else, and a bench.Simulator.
type Client struct {
	mu    sync.Mutex // one request at a time
	in    io.WriteCloser
	out   *json.Decoder
	nodes []bench.SimNode
	wait  func() error
}

// exitWithin is how long a child may take to end once its input is closed.
const exitWithin = 5 * time.Second

// Spawn starts cmd, which must run Serve on its standard input and output, and simulates a cluster there.
func Spawn(cmd *exec.Cmd, spec bench.SimSpec) (*Client, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("benchsim: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("benchsim: %w", err)
	}
	if cmd.Stderr == nil {
		cmd.Stderr = os.Stderr
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("benchsim: %w", err)
	}
	return connect(in, out, spec, func() error {
		kill := time.AfterFunc(exitWithin, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		return cmd.Wait()
	})
}

// Here simulates a cluster in this process.
func Here(spec bench.SimSpec) (*Client, error) {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := Serve(context.Background(), inR, outW)
		_ = outW.CloseWithError(io.EOF)
		done <- err
	}()
	return connect(inW, outR, spec, func() error {
		_ = outR.Close()
		return <-done
	})
}

func connect(in io.WriteCloser, out io.Reader, spec bench.SimSpec, wait func() error) (*Client, error) {
	c := &Client{in: in, out: json.NewDecoder(bufio.NewReader(out)), wait: wait}
	a, err := c.ask(spec)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	c.nodes = a.Nodes
	return c, nil
}

func (c *Client) ask(q any) (answer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var a answer
	if err := json.NewEncoder(c.in).Encode(q); err != nil {
		return a, fmt.Errorf("benchsim: %w", err)
	}
	if err := c.out.Decode(&a); err != nil {
		return a, fmt.Errorf("benchsim: the simulator is gone: %w", err)
	}
	if a.Error != "" {
		return a, fmt.Errorf("benchsim: %s", a.Error)
	}
	return a, nil
}

// Nodes implements bench.Simulator.
func (c *Client) Nodes() []bench.SimNode { return c.nodes }

// Start implements bench.Simulator.
func (c *Client) Start() error { _, err := c.ask(request{"start"}); return err }

// Stop implements bench.Simulator.
func (c *Client) Stop() error { _, err := c.ask(request{"stop"}); return err }

// Books implements bench.Simulator.
func (c *Client) Books() ([]bench.SimBooks, error) {
	a, err := c.ask(request{"books"})
	return a.Books, err
}

// Close implements bench.Simulator.
func (c *Client) Close() error {
	_ = c.in.Close()
	if err := c.wait(); err != nil {
		return fmt.Errorf("benchsim: %w", err)
	}
	return nil
}
