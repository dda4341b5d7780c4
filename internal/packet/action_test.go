package packet_test

import (
	"testing"

	"github.com/apntalk/amictl/internal/packet"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

func TestAppendAction(t *testing.T) {
	fields := []wire.Field{{Name: "Channel", Value: "Local/1@x"}, {Name: "Variable", Value: "a=1"}, {Name: "Variable", Value: ""}}
	for _, tt := range []struct {
		id     string
		fields []wire.Field
		want   string
	}{
		{"", nil, "Action: Ping\r\n\r\n"},
		{"7-a", nil, "Action: Ping\r\nActionID: 7-a\r\n\r\n"},
		{"7-a", fields, "Action: Ping\r\nActionID: 7-a\r\nChannel: Local/1@x\r\nVariable: a=1\r\nVariable: \r\n\r\n"},
	} {
		got := string(packet.AppendAction([]byte("before"), "Ping", []byte(tt.id), tt.fields))
		if got != "before"+tt.want {
			t.Errorf("%q, want %q behind what was there", got, tt.want)
		}
		if checked, err := wire.AppendAction(nil, "Ping", []byte(tt.id), tt.fields); err != nil || string(checked) != tt.want {
			t.Errorf("package wire writes %q, %v", checked, err)
		}
	}
}

// Room that one long packet needed is given back; what packets usually need is kept.
func TestIndexReset(t *testing.T) {
	var x packet.Index
	fill := func(lines int) {
		for i := range lines {
			x.Add(packet.NewRef([]byte("a: b\r\n"), 0, 0, 4, 6, 1), i*6, i*6+4)
		}
	}
	fill(1000)
	before := cap(x.Refs)
	if x.Reset(); !x.Empty() || x.Wide || cap(x.Refs) != before {
		t.Errorf("after 1,000 lines: %d bytes of room, %d before", cap(x.Refs), before)
	}
	fill(20_000) // beyond 64 KiB
	if !x.Wide {
		t.Error("20,000 lines are not told by a wide index")
	}
	if x.Reset(); !x.Empty() || x.Wide || cap(x.Refs) != 0 {
		t.Errorf("after 20,000 lines: %d bytes of room", cap(x.Refs))
	}
}
