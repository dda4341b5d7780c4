package sim

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/scenario"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A control carries out control lines.
type control struct {
	s       *simulation
	stopped chan struct{} // closed by the line "stop", or at the end of input that matters
	once    sync.Once
	socket  net.Listener
}

func newControl(s *simulation) *control {
	return &control{s: s, stopped: make(chan struct{})}
}

func (c *control) stop() { c.once.Do(func() { close(c.stopped) }) }

// A answer is what a control line is answered with.
type answer struct {
	Type    string            `json:"type"` // control or error
	Line    string            `json:"line"`
	Servers int               `json:"servers,omitempty"`
	Ledger  map[string]uint64 `json:"ledger,omitempty"`
	Code    fail.Code         `json:"code,omitempty"`
	Message string            `json:"message,omitempty"`
}

// readStdin carries out the lines of standard input. Its end stops the simulation only if it is meant to: a service
// or a job in the background has an input that ends at once.
func (c *control) readStdin(in io.Reader, out io.Writer, endStops bool) {
	if c.serve(in, out) == nil && endStops {
		c.stop()
	}
}

// serve carries out lines until the input ends, and answers each.
func (c *control) serve(in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	for {
		line, err := run.ReadLine(lines)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, run.ErrLongLine) {
			return err
		}
		line = strings.TrimSpace(line)
		if err == nil && (line == "" || strings.HasPrefix(line, "#")) {
			continue
		}
		answer := answer{Type: "error", Code: fail.CodeInput, Message: "the line was not carried out: " + run.ErrLongLine.Error()}
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
func (c *control) execute(line string) answer {
	refuse := func(err error) answer {
		return answer{Type: "error", Line: line, Code: fail.CodeInput, Message: strings.TrimPrefix(err.Error(), "amitest: ")}
	}
	if line == "stop" {
		return answer{Type: "control", Line: line}
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
		return refuse(errors.New("no server is named " + pattern))
	}
	answer := answer{Type: "control", Line: line, Servers: len(servers)}
	word, args, _ := strings.Cut(rest, " ")
	switch word {
	case "at":
		return refuse(errors.New("at is for scenario files; a control line is carried out at once"))
	case "ledger":
		answer.Ledger = scenario.Totals(servers...)
	case "emit":
		ev, err := parseEvent(args)
		if err != nil {
			return refuse(err)
		}
		for _, srv := range servers {
			srv.EmitEvent(ev[0], ev[1:]...)
		}
	default:
		for _, srv := range servers {
			if err := srv.InjectText(rest); err != nil {
				return refuse(err)
			}
		}
	}
	return answer
}

// parseEvent reads EVENT Key=Value…: its name, then names and values in turn.
func parseEvent(args string) ([]string, error) {
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
func (c *control) listen(name string) error {
	l, err := net.Listen("unix", name)
	if err != nil {
		return fail.Usage("the path must not exist yet, and its folder must", "--control %s: %s", name, fail.NetCause(err))
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
func (c *control) closeSocket() {
	if c.socket != nil {
		_ = c.socket.Close()
	}
}
