package main

import (
	"context"
	"fmt"
	"os"
	"time"

	urfave "github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
)

// crash is amictl with a subcommand that goes wrong in the way it is told: `crash now HOW`.
func crash() {
	cli.Main(func(r *run.Run) *urfave.Command {
		return r.Tell(&urfave.Command{Name: "now", Action: func(_ context.Context, c *urfave.Command) error {
			if c.Args().First() == "error" {
				return fmt.Errorf("nobody knows %d", 42)
			}
			if c.Args().First() == "main" {
				panic("on the main goroutine")
			}
			go crashes[c.Args().First()]()
			time.Sleep(20 * time.Second)
			os.Exit(0)
			return nil
		}}, run.About{Args: run.Words{Kind: run.AnyWords}})
	})
}

// crashes are ways in which a program in Go ends by itself.
var crashes = map[string]func(){
	"panic":       func() { panic("on a goroutine") },
	"error value": func() { panic(fail.Usage("", "a usage error")) },
	"nil": func() {
		var p *int
		*p = 1
	},
	"map": func() {
		m := map[int]int{}
		for range 4 {
			go func() {
				for i := 0; ; i++ {
					m[i%8] = i
				}
			}()
		}
		select {}
	},
	"stack": func() { os.Exit(deep(1)) },
	"memory": func() {
		var all [][]byte
		for {
			b := make([]byte, 64<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			all = append(all, b)
			fmt.Fprint(nowhere{}, len(all))
		}
	},
	"quietly": func() { fmt.Println("ready") },
}

func deep(n int) int {
	if n < 0 { // never: the stack is full before
		return 0
	}
	return deep(n+1) + deep(n+2) + n
}

type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
