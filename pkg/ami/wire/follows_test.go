package wire

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A Command's text without an end mark ends where a packet of the session's own begins, and nowhere else.
func TestFollowsWithoutEndMark(t *testing.T) {
	const head = "Response: Follows\r\nPrivilege: Command\r\nActionID: own-1\r\n"
	headLines := [][2]string{{"Response", "Follows"}, {"Privilege", "Command"}, {"ActionID", "own-1"}}
	pong := seen{Kind: "response", Lines: [][2]string{{"Response", "Success"}, {"ActionID", "own-2"}, {"Ping", "Pong"}}}
	const ping = "Response: Success\r\nActionID: own-2\r\nPing: Pong\r\n\r\n"
	with := func(lines ...string) seen {
		s := seen{Kind: "response", Lines: append([][2]string(nil), headLines...), Output: lines}
		for _, l := range lines {
			s.Lines = append(s.Lines, [2]string{"", l})
		}
		return s
	}
	for _, tt := range []struct {
		name   string
		stream string
		want   []seen
	}{
		{"one paragraph", head + "JSON: {}\r\n\r\n" + ping, []seen{with("JSON: {}"), pong}},
		{"no text", head + "\r\n" + ping, []seen{with(), pong}},
		{"blank lines in it", head + "a\n\nb\n\n\r\n" + ping, []seen{with("a", "", "b", ""), pong}},
		{"LF alone", head + "a\n\n" + ping, []seen{with("a"), pong}},
		{
			"an item of a list", head + "a\n\nEvent: E\r\nActionID: own-2\r\n\r\n",
			[]seen{with("a"), {Kind: "event", Lines: [][2]string{{"Event", "E"}, {"ActionID", "own-2"}}}},
		},
		{
			"another's packet in the text is text", head + "a\n\nResponse: Success\r\nActionID: other\r\n\r\n--END COMMAND--\r\n\r\n" + ping,
			[]seen{with("a", "", "Response: Success", "ActionID: other", ""), pong},
		},
		{
			"our ID without a packet's first line is text", head + "a\n\nfoo\nActionID: own-2\n--END COMMAND--\r\n\r\n" + ping,
			[]seen{with("a", "", "foo", "ActionID: own-2"), pong},
		},
		{
			"nor without a blank line before", head + "a\nResponse: Success\r\nActionID: own-2\r\n\r\n--END COMMAND--\r\n\r\n" + ping,
			[]seen{with("a", "Response: Success", "ActionID: own-2", ""), pong},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, piece := range []int{1, 2, 5, 1 << 20} {
				d := NewDecoder(Limits{})
				d.Own("own-")
				got, errs := decodeAll(t, d, tt.stream, piece)
				if diff := cmp.Diff(tt.want, got); diff != "" || len(errs) > 0 {
					t.Errorf("pieces of %d (-want +got):\n%s%v", piece, diff, errs)
				}
			}
		})
	}
}

// Text that may go on, or lack its end mark, is known by a blank line at the end of what came, and by nothing else.
func TestUnended(t *testing.T) {
	d := NewDecoder(Limits{})
	for _, step := range []struct {
		feed string
		want bool
	}{
		{"", false},
		{"Response: Follows\r\nPrivilege: Command\r\n", false},
		{"a\n", false},
		{"\n", true},
		{"b", false}, // half a line
		{"\n", false},
		{"\r\n", true},
		{"--END COMMAND--\r\n\r\n", false},
	} {
		d.Feed([]byte(step.feed))
		_, err := d.Next()
		if got := d.Unended(); got != step.want {
			t.Errorf("behind %q: %v, %v", step.feed, got, err)
		}
	}
}
