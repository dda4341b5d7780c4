package ami_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// A proxied is a connection through a proxy, whose address it has.
type proxied struct {
	net.Conn
	proxy net.Addr
}

func (p *proxied) RemoteAddr() net.Addr { return p.proxy }

// Behind a proxy on this host is the network: the secret itself does not go there.
func TestSecretThroughAProxyOnThisHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var plain atomic.Bool
		n, cfg := scripted(t, func(p *peer) {
			p.send("Asterisk Call Manager/11.0.0\n")
			for {
				a, ok := p.action()
				if !ok {
					return
				}
				if a["Secret"] != "" {
					plain.Store(true)
				}
				p.send("Response: Success\nActionID: %s\nChallenge: 123456789\n\n", a["ActionID"])
			}
		})
		cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := n.DialContext(ctx, network, addr)
			return &proxied{c, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1080}}, err
		}
		mustDial(t, cfg)
		if plain.Load() {
			t.Errorf("the secret was sent in the clear to %s, by way of a proxy on 127.0.0.1", cfg.Addr)
		}
	})
}

// A name that does not resolve is not replaced by the proxy's address.
func TestLastGoodAddressOfAProxy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _, cfg := simulate(t)
		var dials atomic.Int64
		cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr != cfg.Addr {
				t.Errorf("asked to dial %s, which nobody configured", addr)
			}
			if dials.Add(1) == 2 {
				return nil, &net.DNSError{Err: "no such host", Name: addr}
			}
			c, err := n.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &proxied{c, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 9), Port: 1080}}, nil
		}
		cluster := ami.NewCluster(ami.ClusterConfig{})
		defer cluster.Close()
		node, err := cluster.Add(cfg)
		if err != nil || node.WaitReady(t.Context()) != nil {
			t.Fatal(err)
		}
		n.Reset("pbx")
		time.Sleep(time.Minute)
	})
}
