package inside_test

import (
	"reflect"
	"testing"

	"github.com/apntalk/amictl/internal/packet"
	"github.com/apntalk/amictl/internal/packet/inside"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A message is its packet and nothing else: otherwise one could not be taken for the other.
func TestAMessageIsItsPacket(t *testing.T) {
	m := reflect.TypeFor[wire.Message]()
	if m.NumField() != 1 || m.Field(0).Type != reflect.TypeFor[packet.Packet]() || m.Size() != reflect.TypeFor[packet.Packet]().Size() {
		t.Fatalf("a Message is %v", m)
	}
}

func TestOf(t *testing.T) {
	d := wire.NewDecoder(wire.Limits{})
	d.Feed([]byte("Event: Hangup\r\nCause: 16\r\n\r\n"))
	m, err := d.Next()
	if err != nil {
		t.Fatal(err)
	}
	p := inside.Of(&m)
	if name, value, line := p.Parts(1); name != "Cause" || value != "16" || line != "Cause: 16" || p.Text != m.Text() || wire.Kind(p.Kind) != m.Kind() {
		t.Errorf("%+v, of %q", p, m.Text())
	}
	buf := make([]byte, p.Size())
	packed := p.Pack(buf)
	var again wire.Message
	*inside.Of(&again) = packed.Packet(buf)
	if again.Name() != "Hangup" || again.Get("cause") != "16" || again.Text() != m.Text() {
		t.Errorf("packed it became %q", again.Text())
	}
}
