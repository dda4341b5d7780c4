package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/cli"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// sentObject is what `send -` prints of a line.
type sentObject struct {
	Type, ID, Node, Code, Sent, Message string
	Line                                int
	Exit                                int
	Time                                time.Time
}

func sentObjects(t *testing.T, text string) (all []sentObject) {
	t.Helper()
	for line := range strings.Lines(text) {
		var o sentObject
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		all = append(all, o)
	}
	return all
}

// Lines for a node that is away end each in its own time, and not one behind the other.
func TestSendLinesOfANodeAway(t *testing.T) {
	srv := newPBX(t)
	down := make(chan struct{})
	srv.Handle("GoDown", func(_ *amitest.Request, w *amitest.ResponseWriter) {
		w.Ack("")
		go func() { srv.SetDown(true); close(down) }()
	})
	in, feed := io.Pipe()
	const timeout = time.Second
	go func() {
		_, _ = io.WriteString(feed, `{"action":"GoDown"}`+"\n")
		<-down
		time.Sleep(200 * time.Millisecond) // for the loss to be noticed; where it is not, the lines end by it
		for i := range 3 {
			_, _ = fmt.Fprintf(feed, `{"action":"Ping","id":"%d"}`+"\n", i)
		}
		_ = feed.Close()
	}()
	status, stdout, stderr := runApp(t, srv, in, "send", "-", "--keep-going", "--timeout", timeout.String(), "-o", "jsonl")
	all := sentObjects(t, stdout)
	if status != fail.ExitMixed || len(all) != 4 {
		t.Fatalf("status %d: %s%s", status, stdout, stderr)
	}
	for _, o := range all[1:] {
		if lost := o.Code == "disconnected"; o.Type != "error" || !lost && (o.Sent != "no" || o.Exit != fail.ExitConnect) {
			t.Errorf("%+v", o)
		}
	}
	if apart := all[3].Time.Sub(all[1].Time); apart > timeout/2 {
		t.Errorf("the last line ended %v behind the first: they waited one behind the other", apart)
	}
}

// A node that takes actions and answers none holds up nobody else, however many lines wait for it, and however long they are.
func TestSendLinesBesideASilentNode(t *testing.T) {
	patience := "4s"
	if testing.Short() { // the race detector's runs are, and take longer to read as much
		patience = "15s"
	}
	for name, lines := range map[string]struct {
		n, padding int
		refused    bool
	}{"many": {5000, 0, false}, "long": {60, 900_000, true}} {
		t.Run(name, func(t *testing.T) {
			silent, other := newPBX(t), newPBX(t)
			silent.Handle("Hang", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Sleep(time.Hour) })
			var in strings.Builder
			for i := range lines.n {
				fmt.Fprintf(&in, `{"action":"Hang","node":%q,"id":"%d%s"}`+"\n", silent.Addr(), i, strings.Repeat("x", lines.padding))
			}
			for i := range 10 {
				fmt.Fprintf(&in, `{"action":"Ping","node":%q,"id":"ping%d"}`+"\n", other.Addr(), i)
			}
			_, stdout, stderr := runApp(t, nil, strings.NewReader(in.String()), "send", "-", "--keep-going", "--timeout", patience, "-o", "jsonl",
				"--node", "ami://admin@"+silent.Addr(), "--node", "ami://admin@"+other.Addr())
			all := sentObjects(t, stdout)
			if len(all) != lines.n+10 {
				t.Fatalf("%d objects for %d lines: %s", len(all), lines.n+10, stderr)
			}
			refused, answered := 0, 0
			for _, o := range all {
				switch {
				case strings.HasPrefix(o.ID, "ping"):
					answered++
				case o.Code == "unsent" && strings.Contains(o.Message, "answers nothing"):
					refused++
				case answered < 10:
					t.Fatalf("a line of the silent node ended before all of the other's: %s, %s", o.Code, o.Message)
				}
			}
			if (refused > 0) != lines.refused {
				t.Errorf("%d lines were refused", refused)
			}
		})
	}
}

// Whoever writes a line and waits for its object gets it, also when the line is refused.
func TestRefusedLineIsToldAtOnce(t *testing.T) {
	srv := newPBX(t)
	home := t.TempDir()
	secret := filepath.Join(home, "secret")
	if err := os.WriteFile(secret, []byte(amitest.DefaultSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	in, feed := io.Pipe()
	out, written, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	r := run.New([]string{"send", "-", "--keep-going", "-o", "jsonl", "--node", "ami://admin@" + srv.Addr(), "--secret-file", secret},
		in, written, os.Stderr, func(name string) (string, bool) { return home, name == "HOME" })
	go func() {
		_ = cli.Execute(t.Context(), r)
		_ = written.Close()
		_ = in.Close()
	}()
	answers := bufio.NewScanner(out)
	for _, line := range []string{`nonsense`, `{"action":"Ping","id":"2"}`, `{"action":"Ping","node":"nobody","id":"3"}`, `{"action":"Ping","timeout":"x","id":"4"}`} {
		_, _ = io.WriteString(feed, line+"\n")
		if err := out.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if !answers.Scan() {
			t.Fatalf("no object for %s: %v", line, answers.Err())
		}
	}
	_ = feed.Close()
}
