package output

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
)

// However narrow the terminal is, what identifies stays, and different names look different as long as there is room for
// that; what goes first is minor, and what went is told.
func TestWhatGoesWhereThereIsNoRoom(t *testing.T) {
	channels := func() *table {
		tb := newTable("Channel", "Language", "State", "Reason")
		for i, look := range []Look{Identity, Minor, Usual, Prose} {
			tb.columns[i].look = look
		}
		for i := range 30 {
			tb.addText(fmt.Sprintf("Local/%d@from-internal-%08x;%d", 900+i/2, i/2, 1+i%2), "en", "Up", "it rang for a long time and nobody was there")
		}
		return tb
	}
	whole := 33 + 2 + 8 + 2 + 5 + 2 + 44
	for width := 10; width <= whole; width++ {
		text, left := channels().Append(nil, width)
		lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		if !strings.HasPrefix(lines[0], "Channel") {
			t.Fatalf("width %d: %s", width, lines[0])
		}
		if n := len(left); n > 0 && !slices.Contains(left, "Language") || n > 1 && !slices.Contains(left, "State") {
			t.Errorf("width %d: left out %q", width, left)
		}
		for _, name := range []string{"Language", "State", "Reason"} {
			if strings.Contains(lines[0], name) == slices.Contains(left, name) {
				t.Errorf("width %d: %q is shown, and %q left out", width, lines[0], left)
			}
		}
		shown := map[string]bool{}
		for _, line := range lines[1:] {
			if Width(line) > width {
				t.Errorf("width %d: a line of %d: %q", width, Width(line), line)
			}
			if name, _, _ := strings.Cut(line, " "); name != "" {
				shown[name] = true
			}
		}
		if width >= 18 && len(shown) != 30 {
			t.Errorf("width %d: 30 channels look like %d:\n%s", width, len(shown), text)
		}
	}
}

func TestCutMiddle(t *testing.T) {
	for _, tt := range []struct {
		text  string
		width int
		want  string
	}{
		{"Local/900@default-00000074;1", 28, "Local/900@default-00000074;1"},
		{"Local/900@default-00000074;1", 27, "Local/900@defaul…00000074;1"},
		{"Local/900@default-00000074;1", 20, "Local/900@de…00074;1"},
		{"abc", 2, "a…"},
		{"abc", 0, ""},
		{"漢字漢字漢字", 8, "漢字…字"},
	} {
		if got := CutMiddle(tt.text, tt.width); got != tt.want {
			t.Errorf("%q at %d: %q, want %q", tt.text, tt.width, got, tt.want)
		}
	}
}

// CSV without fields is one table: of the columns of all, those that hold nothing too, and of which kind a row is.
func TestCSVOfAllColumns(t *testing.T) {
	member, caller := event(t, "Event: QueueMember\r\nQueue: q\r\nStatus: 1\r\nName: A, B\r\n\r\n"), event(t, "Event: QueueEntry\r\nQueue: q\r\nPosition: 1\r\nCallerIDNum: <unknown>\r\n\r\n")
	list := ami.Reply{Message: message(t, "Response: Success\r\nEventList: start\r\n\r\n"), Events: []ami.Event{member, caller}, Node: "pbx10"}
	for i := range list.Events {
		list.Events[i].Node = "pbx10"
	}
	single := ami.Reply{Message: message(t, "Response: Success\r\nMessage: done\r\nX: 1\r\n\r\n"), Node: "pbx2"}
	for _, tt := range []struct {
		name  string
		o     Options
		print func(p *Printer)
		want  string
	}{
		{"kinds", Options{}, func(p *Printer) { _ = p.Reply(&list, &Origin{}) }, "event,Queue,Name,Status,Position,CallerIDNum\nQueueMember,q,\"A, B\",1,,\nQueueEntry,q,,,1,<unknown>\n"},
		{"one answer", Options{}, func(p *Printer) { _ = p.Reply(&single, &Origin{}) }, "response,message,X\nSuccess,done,1\n"},
		{
			"nodes",
			Options{Nodes: true, Gather: true},
			func(p *Printer) {
				list.Events = list.Events[:1]
				_ = p.Reply(&list, &Origin{})
				list.Events[0].Node = "pbx2"
				_ = p.Reply(&list, &Origin{})
			},
			"node,Queue,Name,Status\npbx2,q,\"A, B\",1\npbx10,q,\"A, B\",1\n",
		},
		{"nothing", Options{}, func(*Printer) {}, ""},
		{"records", Options{}, func(p *Printer) { records(t, p) }, "node,state,calls,ok,none,list,since,why\npbx0,ready,10,true,,\"[\"\"a\"\",\"\"b\"\"]\",2026-11-23T12:00:00.000000Z,\"a reason in words \"\n"},
		{"records of two types", Options{}, func(p *Printer) {
			_ = p.Record(Record{{Key: "type", Value: "x"}, {Key: "a", Value: 1}})
			_ = p.Record(Record{{Key: "type", Value: "y"}, {Key: "b", Value: 2}})
		}, "type,a,b\nx,1,\ny,,2\n"},
	} {
		tt.o.Format = CSV
		got := printed(t, tt.o, tt.print)
		if tt.name == "records" {
			got = strings.Join(strings.SplitAfter(got, "\n")[:2], "")
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// narrow does at once what taking one column after the other off the widest does.
func TestNarrowAsOneByOne(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		n := 1 + r.IntN(5)
		widths, floors := make([]int, n), make([]int, n)
		for i := range widths {
			widths[i] = r.IntN(20)
			floors[i] = r.IntN(widths[i] + 1)
		}
		over := r.IntN(40) - 3
		want, left := slices.Clone(widths), over
		for ; left > 0; left-- {
			widest := -1
			for i, w := range want {
				if w > floors[i] && (widest < 0 || w > want[widest]) {
					widest = i
				}
			}
			if widest < 0 {
				break
			}
			want[widest]--
		}
		got := slices.Clone(widths)
		if rest := narrow(got, floors, over); !slices.Equal(got, want) || rest != max(left, 0) {
			t.Fatalf("%v with floors %v, %d over: %v and %d left, want %v and %d", widths, floors, over, got, rest, want, left)
		}
	}
}
