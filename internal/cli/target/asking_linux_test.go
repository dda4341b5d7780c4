package target

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/apntalk/amictl/internal/pty"
)

// asksFor is the command of a secret that this program runs instead of its tests, as amictl would at a terminal; in the
// background if it has words.
const asksFor = "AMICTL_TEST_ASKS_FOR"

func TestMain(m *testing.M) {
	if command, ok := os.LookupEnv(asksFor); ok {
		playAsking(command, len(os.Args) > 1)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func playAsking(command string, background bool) {
	if background { // the terminal stays with who is in the foreground
		own, _ := os.Executable()
		c := exec.Command(own)
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		_ = c.Run()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	go func() {
		<-interrupted
		fmt.Println("interrupted")
		cancel()
	}()
	for range 2 { // a second node asks after the first
		text, err := outputOf(ctx, command, os.Stderr)
		fmt.Printf("%q %v\n", text, err)
	}
}

// A desk is a terminal with this program at it.
type desk struct {
	t      *testing.T
	person *os.File
	tty    *os.File
	lines  *bufio.Reader
}

func sit(t *testing.T, command string, args ...string) *desk {
	t.Helper()
	person, tty := pty.New(t, 80)
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(ctx, own, args...)
	c.Env = append(os.Environ(), asksFor+"="+command)
	c.Stdin, c.Stdout, c.Stderr = tty, w, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err = c.Start()
	_ = w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait(); _ = out.Close() })
	return &desk{t, person, tty, bufio.NewReader(out)}
}

// reads waits until the terminal shows a text.
func (d *desk) reads(text string) {
	d.t.Helper()
	var got bytes.Buffer
	for b := make([]byte, 256); !strings.Contains(got.String(), text); {
		n, err := d.person.Read(b)
		if err != nil {
			d.t.Fatalf("%v behind %q", err, got.String())
		}
		got.Write(b[:n])
	}
}

func (d *desk) types(text string) {
	d.t.Helper()
	if _, err := d.person.WriteString(text); err != nil {
		d.t.Fatal(err)
	}
}

// says wants this line next of the program.
func (d *desk) says(want string) {
	d.t.Helper()
	if line, err := d.lines.ReadString('\n'); line != want+"\n" {
		d.t.Fatalf("it says %q (%v), want %q", line, err, want)
	}
}

// echoes reports whether the terminal shows what is typed.
func (d *desk) echoes() bool {
	d.t.Helper()
	state, err := unix.IoctlGetTermios(int(d.tty.Fd()), unix.TCGETS)
	if err != nil {
		d.t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// A command that asks for a secret has the terminal while it does, one after the other, and leaves it as it was.
func TestSecretCommandAsks(t *testing.T) {
	d := sit(t, `printf 'Name? ' >/dev/tty; read name </dev/tty; stty -echo </dev/tty; printf 'PIN? ' >/dev/tty; read pin </dev/tty; echo "$name $pin"`)
	for _, pin := range []string{"1234", "5678"} {
		d.reads("Name? ")
		d.types("me\n")
		d.reads("PIN? ")
		if d.echoes() {
			t.Error("it shows what is typed")
		}
		d.types(pin + "\n")
		d.says(`"me ` + pin + `\n" <nil>`)
		if !d.echoes() {
			t.Error("it no longer shows what is typed")
		}
	}
}

// A command that is the second to ask has the terminal before it changes it, so that it is as it was in the end.
func TestSecretCommandThatIsTheSecondToAsk(t *testing.T) {
	d := sit(t, `stty -echo </dev/tty; printf 'PIN? ' >/dev/tty; read pin </dev/tty; echo "got $pin"`)
	for _, pin := range []string{"1234", "5678"} {
		d.reads("PIN? ")
		d.types(pin + "\n")
		d.says(`"got ` + pin + `\n" <nil>`)
	}
	if _, err := d.lines.ReadString('\n'); err != io.EOF || !d.echoes() {
		t.Errorf("%v; what is typed from here on is shown: %t", err, d.echoes())
	}
}

// In the background there is no terminal to lend, and a command that waits for one would wait for ever.
func TestSecretCommandAsksInTheBackground(t *testing.T) {
	d := sit(t, `read pin </dev/tty; echo "got $pin"`, "background")
	for range 2 {
		d.says(`"" it wants to ask, and amictl does not have the terminal`)
	}
}

// A ^C at the question is for the run as well as for the command.
func TestSecretCommandIsInterrupted(t *testing.T) {
	d := sit(t, `printf 'PIN? ' >/dev/tty; read pin </dev/tty; echo "got $pin"`)
	d.reads("PIN? ")
	d.types("\x03")
	d.says("interrupted")
	if line, err := d.lines.ReadString('\n'); !strings.HasPrefix(line, `"" `) || strings.Contains(line, "nil") {
		t.Errorf("it says %q (%v)", line, err)
	}
}
