package output

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// captured returns the answers in a capture from a real Asterisk: each response, and the events that name it.
func captured(t *testing.T, name, node string) (replies []*ami.Reply) {
	t.Helper()
	by := make(map[string]*ami.Reply)
	for _, m := range packets(t, filepath.Join("../../testdata/captures", name+".raw")) {
		id := m.Get("ActionID")
		switch of := by[id]; {
		case m.Kind() == wire.Response:
			by[id] = &ami.Reply{Message: m, Node: node, RTT: 812 * time.Microsecond}
			replies = append(replies, by[id])
		case of == nil:
		case strings.EqualFold(m.Get("EventList"), "Complete") || m.Name() == "OriginateResponse":
			of.End = m
		default:
			of.Events = append(of.Events, ami.Event{Message: m, Node: node})
		}
	}
	return replies
}

// packets returns the packets of a file, as far as it can be read.
func packets(t *testing.T, path string) (all []wire.Message) {
	t.Helper()
	text, err := os.ReadFile(path) //nolint:gosec // the test's own
	if err != nil {
		t.Fatal(err)
	}
	d := wire.NewDecoder(wire.Limits{})
	d.Feed(text)
	for {
		m, err := d.Next()
		if err != nil {
			return all
		}
		all = append(all, m.Clone())
	}
}

// golden compares with a file of testdata, or with -update writes it.
func golden(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil { //nolint:gosec // everybody may read it
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// What people see of the answers of a real Asterisk, at three widths, of one node and of two, is what is in
// testdata/answers.txt. -update writes it anew; look at the difference.
func TestAnswersOnScreens(t *testing.T) {
	var got strings.Builder
	for _, name := range []string{
		"core-show-channels", "status", "queue-status", "queue-call", "pjsip-show-endpoints", "pjsip-show-contacts", "bridge-list", "confbridge",
		"extension-state", "originate-300-busy", "core-settings",
	} {
		for _, o := range []Options{
			{Width: 80},
			{Width: 120},
			{Width: 200},
			{Wide: true, Width: 80},
			{Width: 80, Nodes: true, Gather: true},
			{Width: 80, Fields: []string{"Queue", "Channel", "ChannelState", "Name", "Reason"}},
		} {
			o.Format = TableText
			fmt.Fprintf(&got, "=== %s, %d columns, wide %v, nodes %v, fields %v\n", name, o.Width, o.Wide, o.Nodes, o.Fields)
			var p *Printer
			text := printed(t, o, func(printer *Printer) {
				p = printer
				nodes := []string{"pbx10"}
				if o.Nodes {
					nodes = append(nodes, "pbx2")
				}
				for _, node := range nodes {
					for _, r := range captured(t, "asterisk22-"+name, node) {
						_ = p.Reply(r, &Origin{Action: name})
					}
				}
			})
			got.WriteString(text)
			if len(p.Left()) > 0 {
				fmt.Fprintf(&got, "--- left out: %s\n", strings.Join(p.Left(), ", "))
			}
		}
	}
	golden(t, "answers.txt", got.String())
}
