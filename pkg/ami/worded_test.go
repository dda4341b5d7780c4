package ami

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
)

// What a context or a connection calls otherwise is said in words, and is found as both.
func TestInWords(t *testing.T) {
	for _, tt := range []struct {
		err   error
		words string
		is    error // that it is found as, too
		isNot error
	}{
		{context.DeadlineExceeded, "timed out", errTooLong, ErrTimeout}, // which an action in flight ends with
		{context.Canceled, "given up", errGivenUp, ErrCancelled},
		{&net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}, "timed out", errTooLong, ErrTimeout},
		{io.EOF, "the server closed it", errServerClosed, nil},
		{fmt.Errorf("tls: %w", io.ErrUnexpectedEOF), "the server closed it", errServerClosed, nil},
		{&net.OpError{Op: "read", Net: "tcp", Err: net.ErrClosed}, "it was closed on this side", net.ErrClosed, ErrClosed},
		{ErrKeepalive, ErrKeepalive.Error(), ErrKeepalive, nil},
		{&net.DNSError{Err: "no such host", Name: "pbx1"}, "lookup pbx1: no such host", nil, nil},
	} {
		got := inWords(tt.err)
		if got.Error() != tt.words || !errors.Is(got, tt.err) || tt.is != nil && !errors.Is(got, tt.is) || tt.isNot != nil && errors.Is(got, tt.isNot) {
			t.Errorf("%v is %v", tt.err, got)
		}
	}
	var timeout net.Error
	if !errors.As(inWords(&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}), &timeout) || !timeout.Timeout() {
		t.Error("a timeout of the network is none any more")
	}
}
