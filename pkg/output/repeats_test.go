package output

import (
	"strings"
	"testing"

	"github.com/apntalk/amictl/pkg/ami"
)

// A header that repeats shows all its values, in CSV, in tables and in a reply that is no list.
func TestRepeatedHeadersInCells(t *testing.T) {
	list := &ami.Reply{Message: packetOf(t, "Response: Success\r\nEventList: start\r\n\r\n")}
	for _, vars := range []string{"ChanVariable: a=1\r\nChanVariable: b=2\r\n", "ChanVariable: c=3\r\n", ""} {
		list.Events = append(list.Events, ami.Event{Message: packetOf(t, "Event: Thing\r\nChannel: x\r\n"+vars+"\r\n")})
	}
	single := &ami.Reply{Message: packetOf(t, "Response: Success\r\nVariable: a\r\nvariable: b\r\n\r\n")}
	for name, test := range map[string]struct {
		o     Options
		reply *ami.Reply
		want  string
	}{
		"csv":        {Options{Format: CSV, Fields: []string{"Channel", "ChanVariable"}}, list, "Channel,ChanVariable\nx,\"a=1, b=2\"\nx,c=3\nx,\n"},
		"table":      {Options{Format: TableText}, list, "a=1, b=2"},
		"csv single": {Options{Format: CSV, Fields: []string{"Variable"}}, single, "Variable\n\"a, b\"\n"},
	} {
		var b strings.Builder
		p := NewPrinter(&b, test.o)
		if err := p.Reply(test.reply, &Origin{Action: "X"}); err != nil {
			t.Fatal(err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if got := b.String(); got != test.want && (test.o.Format == CSV || !strings.Contains(got, test.want)) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
