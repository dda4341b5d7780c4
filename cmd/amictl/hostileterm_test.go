//go:build linux

package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/apntalk/amictl/internal/pty"
	"github.com/apntalk/amictl/internal/skip"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// hostile is what a caller may put into a name that a terminal would obey: escape sequences that colour, retitle, ask
// and paste, C1 controls as bytes and as UTF-8, a CR that overwrites the line, backspaces, and marks that turn the
// direction of text around.
const hostile = "A\x1b[31mred\x1b]0;title\x07\x1b[6n\x1bPq\x1b\\ \x9b31m\u009b31m\u009d0;x\u009c over\rwritten \b\b\b\x7f\x0e\x0f\u202eevil\u202c \u2066x\u2069 \u200f\u200e \u061c \u2028 \u2029 \ufeff Z"

// A tty runs amictl with both outputs on a terminal of its own, and returns what the terminal got.
func tty(t *testing.T, env []string, args ...string) string {
	t.Helper()
	master, slave, err := pty.Open(4000)
	if err != nil {
		skip.Loudly(t, "no pseudo-terminals: "+err.Error())
	}
	defer func() { _ = master.Close() }()
	path, err := exec.LookPath("amictl")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, path, args...) //nolint:gosec // the test's own
	c.Env = append(append(env, "TERM=xterm", "NO_COLOR=1", "PATH="+os.Getenv("PATH")), inherited()...)
	c.Stdout, c.Stderr = slave, slave
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	_ = slave.Close()
	var got bytes.Buffer
	read := make(chan struct{})
	go func() {
		_, _ = got.ReadFrom(master) // fails with EIO when the other end is gone
		close(read)
	}()
	_ = c.Wait()
	<-read
	return strings.ReplaceAll(got.String(), "\r\n", "\n") // the terminal's own
}

// obeyed returns the first thing in a text that a terminal would obey, or "".
func obeyed(text string) string {
	for i := range len(text) {
		if b := text[i]; b < ' ' && b != '\n' && b != '\t' || b == 0x7f {
			return strconv.Quote(text[max(0, i-20):min(len(text), i+20)])
		}
	}
	for i, r := range text {
		// Cf: the marks that turn text around and other invisible ones; Zl, Zp: line ends that are none.
		if r >= 0x80 && r < 0xa0 || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) || r == unicode.ReplacementChar && strings.HasPrefix(text[i:], "\x9b") {
			return strconv.QuoteToASCII(text[max(0, i-20):min(len(text), i+20)])
		}
	}
	return ""
}

// hostileServer answers and sends events with hostile texts, until the test ends.
func hostileServer(t *testing.T) *amitest.Server {
	t.Helper()
	s := amitest.NewServer(amitest.WithFailDelay(time.Millisecond), amitest.WithSetup(dialplan))
	t.Cleanup(s.Close)
	s.Handle("Refused", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Error(hostile) })
	s.Handle("Acked", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Ack(hostile) })
	s.Handle("Headers", func(_ *amitest.Request, w *amitest.ResponseWriter) {
		w.Reply("Success", amitest.Header{Name: "Key" + hostile, Value: hostile}, amitest.Header{Name: "Message", Value: hostile})
	})
	s.Handle("Listed", func(_ *amitest.Request, w *amitest.ResponseWriter) {
		w.ListStart(hostile)
		w.Item("Item"+hostile, "Name", hostile)
		w.ListEnd("ListedComplete", "More", hostile)
	})
	s.State().SetCommand("hostile", func(string) (string, bool) { return hostile + "\n" + hostile, true })
	s.State().SetCommand("failing", func(string) (string, bool) { return hostile, false })
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				s.EmitRaw(amitest.ParseClass("user"), []byte("Event: UserEvent\r\nPrivilege: user,all\r\nUserEvent: "+hostile+"\r\nKey"+hostile+": "+hostile+"\r\n\r\n"))
				s.EmitRaw(amitest.ParseClass("user"), []byte("Event: Evil"+hostile+"\r\nPrivilege: user,all\r\nX: y\r\n\r\n"))
			}
		}
	}()
	return s
}

// What a server sends reaches no terminal raw: not from events, answers, lists, outputs, banners or refusals, in no
// format, on neither output.
func TestHostileTextOnATerminal(t *testing.T) {
	s := hostileServer(t)
	home := t.TempDir()
	secret := filepath.Join(home, "secret")
	if err := os.WriteFile(secret, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	record := filepath.Join(home, "record.jsonl")
	env := []string{"HOME=" + home, "AMICTL_SECRET_FILE=" + secret}
	node := "ami://admin@" + s.Addr()
	for _, args := range []string{
		"tail --count 4 -o table", "tail --count 4 -o jsonl", "tail --count 4 -o json", "tail --count 4 -o raw",
		"tail --count 4 -o csv --fields event,UserEvent", "tail UserEvent --count 2 --query fields.UserEvent", "tail UserEvent --count 2 --query fields",
		"tail --count 6 --stats -o table", "tail --count 6 --stats -o jsonl", "tail --count 4 --record " + record, "tail --for 300ms -v",
		"wait UserEvent", "wait UserEvent -o table", "wait UserEvent -o raw", "wait Nothing --timeout 300ms",
		"send Refused", "send Acked", "send Acked -o table", "send Acked -o raw", "send Acked -o jsonl", "send Acked --query message",
		"send Headers -o table", "send Headers -o raw", "send Headers -o jsonl", "send Headers -o csv --fields message,Message",
		"send Listed -o table", "send Listed -o raw", "send Listed -o json", "send Listed --items", "send Listed --items -o table",
		"command hostile", "command hostile -o jsonl", "command hostile -o raw", "command failing", "command --prefix always hostile",
		"tail UserEvent --count 1 -- Refused", "wait UserEvent -- Acked", "health -o table",
	} {
		out := tty(t, env, append(strings.Fields(args), "--node", node)...)
		if bad := obeyed(out); bad != "" {
			t.Errorf("amictl %s: a terminal would obey %s", args, bad)
		}
		if out == "" {
			t.Errorf("amictl %s: nothing came", args)
		}
	}
	if bad := obeyed(tty(t, env, "tail", "--from", record)); bad != "" {
		t.Errorf("tail --from a record: a terminal would obey %s", bad)
	}
	for name, greet := range map[string]string{
		"banner":      hostile + "\r\n",
		"own banner":  "Asterisk Call Manager/" + hostile + "\r\n",
		"refusal":     "Asterisk Call Manager/11.0.0\r\nResponse: Error\r\nMessage: " + hostile + "\r\n\r\n",
		"no response": "Asterisk Call Manager/11.0.0\r\nResponse: " + hostile + "\r\nMessage: " + hostile + "\r\n\r\n",
	} {
		addr := greeter(t, greet)
		for _, args := range []string{"send Ping", "health", "health -o jsonl", "tail -v --connect-timeout 1s", "wait --ready --timeout 500ms", "command x"} {
			out := tty(t, env, append(strings.Fields(args), "--connect-timeout", "1s", "--node", "ami://admin@"+addr)...)
			if bad := obeyed(out); bad != "" {
				t.Errorf("%s, amictl %s: a terminal would obey %s", name, args, bad)
			}
		}
	}
}

// greeter listens, says a text to everybody who comes and reads until they go.
func greeter(t *testing.T, text string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				_, _ = c.Write([]byte(text))
				buf := make([]byte, 4096)
				for {
					if _, err := c.Read(buf); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}
