//go:build !unix

package target

import (
	"context"
	"io"
	"os"
	"os/exec"
	"time"
)

// outputOf returns what a command of the shell prints.
func outputOf(ctx context.Context, command string, stderr *os.File) ([]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := exec.CommandContext(ctx, "sh", "-c", command)
	c.Stderr, c.WaitDelay = stderr, time.Second
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(out, longestSecret+1))
	if err == nil && len(text) > longestSecret {
		err = errTooMuch
	}
	if err != nil {
		cancel()
		_ = c.Wait()
		return nil, err
	}
	return text, c.Wait()
}
