package fleet

import (
	"os/exec"
	"sync"
	"time"
)

// Children are workers on this host that were started for one run.
type Children struct {
	commands []*exec.Cmd
	ends     chan Ended
	gone     sync.WaitGroup
}

// Ended is a worker's process that is over.
type Ended struct{ Name, Why string }

// StartChildren starts the workers. What is started when one cannot be is ended.
func StartChildren(names []string, command func(name string) *exec.Cmd) (*Children, error) {
	c := &Children{ends: make(chan Ended, len(names))}
	for _, name := range names {
		cmd := command(name)
		if err := cmd.Start(); err != nil {
			c.End(0)
			return nil, err
		}
		c.commands = append(c.commands, cmd)
		c.gone.Go(func() {
			why := "it ended"
			if err := cmd.Wait(); err != nil {
				why = err.Error()
			}
			c.ends <- Ended{name, why}
		})
	}
	return c, nil
}

// ended tells of each process that is over.
func (c *Children) ended() <-chan Ended {
	if c == nil {
		return nil
	}
	return c.ends
}

// kill ends the processes that are left: one that stands still would go on where it was.
func (c *Children) kill() {
	if c == nil {
		return
	}
	for _, cmd := range c.commands {
		_ = cmd.Process.Kill()
	}
}

// End waits for the processes to end by themselves, and kills those who do not.
func (c *Children) End(within time.Duration) {
	kill := time.AfterFunc(within, c.kill)
	defer kill.Stop()
	c.gone.Wait()
}
