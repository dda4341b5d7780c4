package ami_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/skip"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// sockets counts the process's open sockets.
func sockets(t *testing.T) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		if runtime.GOOS == "linux" {
			t.Fatal(err)
		}
		skip.Loudly(t, "descriptors cannot be counted: "+err.Error())
	}
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// However a session or an attempt at one ends, its descriptor is given back when it does. The collector, which would
// close what was forgotten, is off.
func TestDescriptorsAreGivenBack(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	before := sockets(t)
	for range 5 {
		endings(t)
	}
	if after := sockets(t); after != before {
		t.Errorf("%d sockets before, %d after", before, after)
	}
}

// endings lets one node of each kind fail or live until it has been seen to, and closes everything.
func endings(t *testing.T) {
	plain, secure := amitest.NewServer(), amitest.NewServer(amitest.WithTLS(nil))
	defer plain.Close()
	defer secure.Close()
	mute, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	insecure := &tls.Config{InsecureSkipVerify: true} //nolint:gosec // a test's
	c := ami.NewCluster(ami.ClusterConfig{})
	add := func(name, addr string, change func(*ami.Config)) *ami.Node {
		cfg := ami.Config{
			Name: name, Addr: addr, Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret),
			Timeouts: ami.Timeouts{Dial: 100 * time.Millisecond, Login: 50 * time.Millisecond},
			Redial:   ami.Redial{BackoffMax: 100 * time.Millisecond},
		}
		change(&cfg)
		n, err := c.Add(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	same := func(*ami.Config) {}
	good := []*ami.Node{add("plain", plain.Addr(), same), add("TLS", secure.Addr(), func(c *ami.Config) { c.TLS, c.Timeouts.Login = insecure, time.Second })}
	bad := []*ami.Node{
		add("mute", mute.Addr().String(), same),
		add("TLS to a plain port", plain.Addr(), func(c *ami.Config) { c.TLS = insecure }),
		add("plain to a TLS port", secure.Addr(), same),
		add("certificate not trusted", secure.Addr(), func(c *ami.Config) { c.TLS = &tls.Config{MinVersion: tls.VersionTLS12} }),
		add("refused login", plain.Addr(), func(c *ami.Config) { c.Secret = ami.StaticSecret("wrong") }),
		add("no secret", plain.Addr(), func(c *ami.Config) {
			c.Secret = func(context.Context) (ami.Secret, error) { return ami.Secret{}, errors.New("no file") }
		}),
		add("setup fails", plain.Addr(), func(c *ami.Config) {
			c.OnReady = func(context.Context, *ami.Conn) error { return errors.New("no") }
		}),
		add("port closed", "127.0.0.1:1", same),
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, n := range bad {
		if err := n.Connect(ctx); err == nil || ctx.Err() != nil {
			t.Errorf("%s: %v", n.Name(), err)
		}
	}
	for _, n := range good {
		if err := n.WaitReady(ctx); err != nil {
			t.Errorf("%s: %v", n.Name(), err)
		}
	}
	plain.Kick() // a session that is lost, and one that is removed
	for good[0].Stats().Sessions < 2 && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	if err := c.Remove("TLS"); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
