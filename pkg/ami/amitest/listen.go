package amitest

import (
	"net"
	"strconv"
	"sync/atomic"
)

// nextPort is the port that the next server tries first; 0: any.
var nextPort atomic.Int64

const (
	portTries = 8
	portStep  = 2 // the kernel gives listeners ports of one parity and keeps the other for those who dial
	maxPort   = 1<<16 - 1
)

// listenLoopback listens on a free port of the loopback. A kernel that is asked for any port looks for one among those
// that are taken, longer with each, so that thousands of servers would take the square of the time. Only the first is
// asked for so; the others try the ports behind it.
func listenLoopback() (net.Listener, error) {
	for range portTries {
		port := nextPort.Load()
		if port == 0 || port > maxPort {
			break
		}
		if !nextPort.CompareAndSwap(port, port+portStep) {
			continue
		}
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.FormatInt(port, 10))); err == nil {
			return l, nil
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if addr, ok := l.Addr().(*net.TCPAddr); ok {
		nextPort.Store(int64(addr.Port) + portStep)
	}
	return l, nil
}
