package ami_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/apntalk/amictl/pkg/ami"
)

func TestOpErrorTimeout(t *testing.T) {
	slow := &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}
	gone := &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ETIMEDOUT)}
	for name, tt := range map[string]struct {
		err  error
		want bool
	}{
		"an action's time":           {ami.ErrTimeout, true},
		"a context's":                {fmt.Errorf("x: %w", context.DeadlineExceeded), true},
		"a dial":                     {fmt.Errorf("x: %w", slow), true},
		"no node in time":            {fmt.Errorf("%w: %w", ami.ErrTimeout, ami.ErrNotReady), true},
		"no node in time, for cause": {fmt.Errorf("%w: %w: %w", ami.ErrTimeout, ami.ErrNotReady, ami.ErrDisconnected), true},
		"cancelled":                  {ami.ErrCancelled, false},
		"a name that is not there":   {&net.DNSError{Err: "no such host", IsNotFound: true}, false},
		"a resolver that is slow":    {&net.DNSError{Err: "i/o timeout", IsTimeout: true}, true},
		"a connection that TCP lost": {fmt.Errorf("%w: %w", ami.ErrDisconnected, gone), false},
		"a server that hangs":        {fmt.Errorf("%w: %w", ami.ErrDisconnected, ami.ErrKeepalive), false},
		"nothing":                    {nil, false},
	} {
		e := &ami.OpError{Op: ami.OpDo, Err: tt.err}
		if got := e.Timeout(); got != tt.want {
			t.Errorf("%s (%v): %v", name, e, got)
		}
		var timeout interface{ Timeout() bool }
		if !errors.As(fmt.Errorf("wrapped: %w", e), &timeout) || timeout.Timeout() != tt.want {
			t.Errorf("%s is not found as other timeouts are", name)
		}
	}
}
