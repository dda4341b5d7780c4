package amitest_test

import (
	"net"
	"strconv"
	"testing"

	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// Many servers of one process have an address each, whatever others on this host listen on.
func TestServersFindFreePorts(t *testing.T) {
	taken := map[string]bool{}
	for i := range 300 {
		s := amitest.NewServer()
		defer s.Close()
		if taken[s.Addr()] {
			t.Fatalf("%s was given twice", s.Addr())
		}
		taken[s.Addr()] = true
		nc, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		_ = nc.Close()
		if i%10 > 0 {
			continue
		}
		// Somebody else takes some of the ports behind.
		host, text, _ := net.SplitHostPort(s.Addr())
		port, _ := strconv.Atoi(text)
		for j := 1; j <= i/10; j++ {
			if l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port+j))); err == nil {
				defer l.Close()
				taken[l.Addr().String()] = true
			}
		}
	}
}
