package target

import (
	"bytes"
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
)

// However the network cuts the bytes, a packet is redacted as a whole: what a Value means stands on another line.
func TestTracerReassembles(t *testing.T) {
	wire := "Asterisk Call Manager/11.0.0\r\n" +
		"Action: Login\r\nUsername: admin\r\nSecret: hunter2\r\n\r\n" +
		"Action: Login\r\nAuthType: MD5\r\nKey: 0123456789abcdef0123456789abcdef\r\n\r\n" +
		"Event: VarSet\r\nVariable: DB_PASSWORD\r\nValue: hunter3\r\n\r\n" +
		"Event: UserEvent\r\nText: it is plantedword\r\n\r\n" +
		"Action: Login\r\nSecret: hunter4" // cut off by the end of the connection
	for _, size := range []int{1, 2, 3, 7, 64, 4096} {
		var out bytes.Buffer
		a := &run.Run{Stderr: &out}
		a.Redactor().AddSecret(ami.NewSecret("plantedword"))
		tr := &tracer{run: a, node: "pbx1", mark: '<', banner: true}
		for at := 0; at < len(wire); at += size {
			tr.take([]byte(wire[at:min(at+size, len(wire))]))
		}
		tr.rest()
		got := out.String()
		for _, secret := range []string{"hunter", "planted", "0123456789"} {
			if strings.Contains(got, secret) {
				t.Errorf("in pieces of %d it shows %s:\n%s", size, secret, got)
			}
		}
		if n := strings.Count(got, "\n"); n != strings.Count(wire, "\n")+1 {
			t.Errorf("in pieces of %d it shows %d lines of %d", size, n, strings.Count(wire, "\n")+1)
		}
		if strings.Count(got, "[secret]") != 5 || !strings.Contains(got, " pbx1 < Username: admin\n") {
			t.Errorf("in pieces of %d:\n%s", size, got)
		}
	}
}

// A packet without an end is shown line by line once it is too long to be kept.
func TestTracerBoundsWhatItKeeps(t *testing.T) {
	var out bytes.Buffer
	tr := &tracer{run: &run.Run{Stderr: &out}, node: "x", mark: '<'}
	line := []byte("Output: " + strings.Repeat("x", 1000) + "\r\n")
	for range 3 * longestTraced / len(line) {
		tr.take(line)
	}
	if len(tr.held) > longestTraced+len(line) {
		t.Errorf("%d bytes are kept", len(tr.held))
	}
	if out.Len() < longestTraced {
		t.Errorf("%d bytes are shown", out.Len())
	}
}
