package main

import (
	"bufio"
	"cmp"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"
)

// A server is the lab's Asterisk, seen with plain sockets: what is judged must not be what measures.
type server struct {
	version, script, addr, user, secret string
}

func labServer(version string) (*server, error) {
	name := "AMICTL_LAB_" + version
	s := &server{
		version: version, script: cmp.Or(os.Getenv("AMICTL_LAB_SCRIPT"), "scripts/asterisk-lab"),
		addr: os.Getenv(name + "_ADDR"), user: "admin", secret: os.Getenv(name + "_SECRET_ADMIN"),
	}
	if s.addr == "" || s.secret == "" {
		return nil, fmt.Errorf("%s_ADDR and %s_SECRET_ADMIN are not set: `scripts/asterisk-lab env %s` prints them", name, name, version)
	}
	return s, nil
}

// lab runs a command of scripts/asterisk-lab.
func (s *server) lab(args ...string) error {
	out, err := exec.Command(s.script, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("asterisk-lab %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// console runs a console command, which may be cut short by the end of the server that it asks for.
func (s *server) console(command ...string) {
	_ = exec.Command(s.script, append([]string{"rx", s.version}, command...)...).Run()
}

// A session is one of AMI, as bare as can be.
type session struct {
	net.Conn
	in *bufio.Reader
}

// login opens a session without events. It fails when the server is not there, stops, or does not answer at once.
func (s *server) login() (*session, error) {
	c, err := net.DialTimeout("tcp", s.addr, time.Second)
	if err != nil {
		return nil, err
	}
	n := &session{c, bufio.NewReader(c)}
	_ = c.SetDeadline(time.Now().Add(2 * time.Second))
	if err := n.send("Login", "Username", s.user, "Secret", s.secret, "Events", "off"); err != nil {
		_ = c.Close()
		return nil, err
	}
	_ = c.SetDeadline(time.Time{})
	return n, nil
}

// send sends an action and wants the next response to be a Success.
func (n *session) send(action string, headers ...string) error {
	text := "Action: " + action + "\r\n"
	for i := 0; i+1 < len(headers); i += 2 {
		text += headers[i] + ": " + headers[i+1] + "\r\n"
	}
	if _, err := n.Write([]byte(text + "\r\n")); err != nil {
		return err
	}
	for {
		line, err := n.in.ReadString('\n')
		if err != nil {
			return err
		}
		if word, ok := strings.CutPrefix(line, "Response: "); ok {
			if word = strings.TrimSpace(word); word != "Success" {
				return fmt.Errorf("%s: %s", action, word)
			}
			return nil
		}
	}
}

// watchEnd tells when the session has ended.
func (n *session) watchEnd() <-chan time.Time {
	ended := make(chan time.Time, 1)
	go func() {
		for {
			if _, err := n.in.ReadString('\n'); err != nil {
				ended <- time.Now()
				return
			}
		}
	}()
	return ended
}

// pollPause is how long after a refused login the next one is tried: as exact as a return is known.
const pollPause = 20 * time.Millisecond

// awaitReturn logs in over and over until it works.
func (s *server) awaitReturn(limit time.Duration) (time.Time, *session, error) {
	for end := time.Now().Add(limit); ; {
		n, err := s.login()
		if err == nil {
			return time.Now(), n, nil
		}
		if time.Now().After(end) {
			return time.Time{}, nil, fmt.Errorf("the server did not return within %v: %w", limit, err)
		}
		time.Sleep(pollPause)
	}
}
