package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"

	"github.com/mattn/go-isatty"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/scenario"
)

// A simControl carries out control lines.
type simControl struct {
	s       *simulation
	stopped chan struct{} // closed by the line "stop", or at the end of input that matters
	once    sync.Once
	socket  net.Listener
}

func newSimControl(s *simulation) *simControl {
	return &simControl{s: s, stopped: make(chan struct{})}
}

func (c *simControl) stop() { c.once.Do(func() { close(c.stopped) }) }

// A simAnswer is what a control line is answered with.
type simAnswer struct {
	Type    string            `json:"type"` // control or error
	Line    string            `json:"line"`
	Servers int               `json:"servers,omitempty"`
	Ledger  map[string]uint64 `json:"ledger,omitempty"`
	Code    code              `json:"code,omitempty"`
	Message string            `json:"message,omitempty"`
}

// readStdin carries out the lines of standard input. Its end stops the simulation only if it is meant to: a service
// or a job in the background has an input that ends at once.
func (c *simControl) readStdin(in io.Reader, out io.Writer, endStops bool) {
	if c.serve(in, out) == nil && endStops {
		c.stop()
	}
}

// serve carries out lines until the input ends, and answers each.
func (c *simControl) serve(in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	for {
		line, err := readLine(lines)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, errLongLine) {
			return err
		}
		line = strings.TrimSpace(line)
		if err == nil && (line == "" || strings.HasPrefix(line, "#")) {
			continue
		}
		answer := simAnswer{Type: "error", Code: codeInput, Message: "the line is not carried out: " + errLongLine.Error()}
		if err == nil {
			answer = c.execute(line)
		}
		b, err := json.Marshal(answer)
		if err != nil {
			return err
		}
		if _, err := out.Write(append(b, '\n')); err != nil {
			return err
		}
		if line == "stop" {
			c.stop()
		}
	}
}

// execute carries out one line.
func (c *simControl) execute(line string) simAnswer {
	fail := func(format string, err error) simAnswer {
		return simAnswer{Type: "error", Line: line, Code: codeInput, Message: format + strings.TrimPrefix(err.Error(), "amitest: ")}
	}
	if line == "stop" {
		return simAnswer{Type: "control", Line: line}
	}
	pattern, rest := "*", line
	if on, ok := strings.CutPrefix(line, "on "); ok {
		pattern, rest, _ = strings.Cut(strings.TrimSpace(on), " ")
		rest = strings.TrimSpace(rest)
	}
	var servers []*amitest.Server
	for _, srv := range c.s.servers {
		if ami.MatchGlob(pattern, srv.Name()) {
			servers = append(servers, srv)
		}
	}
	if len(servers) == 0 {
		return fail("", errors.New("no server is named "+pattern))
	}
	answer := simAnswer{Type: "control", Line: line, Servers: len(servers)}
	word, args, _ := strings.Cut(rest, " ")
	switch word {
	case "at":
		return fail("", errors.New("at is for scenario files; a control line is carried out at once"))
	case "ledger":
		answer.Ledger = scenario.Totals(servers...)
	case "emit":
		ev, err := simEvent(args)
		if err != nil {
			return fail("", err)
		}
		for _, srv := range servers {
			srv.EmitEvent(ev[0], ev[1:]...)
		}
	default:
		for _, srv := range servers {
			if err := scenario.Strike(srv, rest); err != nil {
				return fail("", err)
			}
		}
	}
	return answer
}

// simEvent reads EVENT Key=Value…: its name, then names and values in turn.
func simEvent(args string) ([]string, error) {
	words := strings.Fields(args)
	if len(words) == 0 {
		return nil, errors.New("emit needs the event's name")
	}
	ev := words[:1:1]
	for _, w := range words[1:] {
		key, value, ok := strings.Cut(w, "=")
		if !ok || key == "" {
			return nil, errors.New("emit: " + w + " is not Key=Value")
		}
		ev = append(ev, key, value)
	}
	return ev, nil
}

// listen takes control lines from connections to a Unix socket that its owner alone may use.
func (c *simControl) listen(name string) error {
	l, err := net.Listen("unix", name)
	if err != nil {
		return usageError("the path must not exist yet, and its folder must", "--control: %v", err)
	}
	if err := os.Chmod(name, 0o600); err != nil {
		_ = l.Close()
		return err
	}
	c.socket = l
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_ = c.serve(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
	return nil
}

// closeSocket removes the socket, too.
func (c *simControl) closeSocket() {
	if c.socket != nil {
		_ = c.socket.Close()
	}
}

func isTerminal(in io.Reader) bool {
	f, ok := in.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
