package main

import (
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// What came of an answer is shown, and what is wrong with it is said.
func TestAnswersThatAreNotWhole(t *testing.T) {
	list := func(w *amitest.ResponseWriter) {
		w.ListStart("Items will follow")
		w.Item("Thing", "Name", "a")
		w.Item("Thing", "Name", "b")
	}
	for name, test := range map[string]struct {
		handle   func(*amitest.Request, *amitest.ResponseWriter)
		status   int
		query    string // of the first object
		want     string
		stderr   string
		complete bool
	}{
		"cut off": {
			func(_ *amitest.Request, w *amitest.ResponseWriter) { list(w); w.Flush(); w.Close() },
			fail.ExitLost, "events.#.fields.Name", `["a","b"]`, "the connection was lost", false,
		},
		"too late": {
			func(_ *amitest.Request, w *amitest.ResponseWriter) { list(w); w.Flush(); w.Sleep(time.Minute) },
			fail.ExitTimeout, "events.#.fields.Name", `["a","b"]`, "timed out", false,
		},
		"cancelled": {
			func(q *amitest.Request, w *amitest.ResponseWriter) {
				list(w)
				w.Raw("Event: ThingsComplete\r\nActionID: " + q.ActionID() + "\r\nEventList: Cancelled\r\n\r\n")
			},
			fail.ExitFailed, "items", "2", "the server cancelled the list after 2 items", false,
		},
		"fewer than announced": {
			func(q *amitest.Request, w *amitest.ResponseWriter) {
				list(w)
				w.Raw("Event: ThingsComplete\r\nActionID: " + q.ActionID() + "\r\nEventList: Complete\r\nListItems: 77\r\n\r\n")
			},
			fail.ExitOK, "items", "2", "2 items came, but the server announced 77", false,
		},
		"whole": {
			func(_ *amitest.Request, w *amitest.ResponseWriter) { list(w); w.ListEnd("ThingsComplete") },
			fail.ExitOK, "items", "2", "", true,
		},
		"no action named": {
			func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Raw("Peer 1: 10 ms\r\nPeer 2: 20 ms\r\n\r\n") },
			fail.ExitOK, "raw", "Peer 1: 10 ms\r\nPeer 2: 20 ms\r\n\r\n", "names no action", true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newPBX(t)
			srv.Handle("Things", test.handle)
			status, stdout, stderr := runApp(t, srv, strings.NewReader(""), "send", "Things", "--timeout", "1s", "-o", "jsonl")
			first, _, _ := strings.Cut(stdout, "\n")
			if status != test.status || !strings.Contains(stderr, test.stderr) {
				t.Errorf("status %d, want %d; stderr %q", status, test.status, stderr)
			}
			if got := gjson.Get(first, test.query).String(); got != test.want {
				t.Errorf("%s is %q, want %q in %s", test.query, got, test.want, stdout)
			}
			if incomplete := gjson.Get(first, "complete"); incomplete.Exists() == test.complete {
				t.Errorf("complete is %q in %s", incomplete.Raw, stdout)
			}
		})
	}
}

// What is neither an event nor an answer is counted, and shown to whoever asks.
func TestTailTellsOfOtherPackets(t *testing.T) {
	const text = "Something said: to nobody\r\n\r\n"
	for name, test := range map[string]struct {
		args   []string
		stdout string
		stderr string
	}{
		"counted": {nil, "", "1 packet was neither event nor answer; --packets shows such packets"},
		"shown":   {[]string{"--packets"}, `"type":"packet"`, ""},
		"stats":   {[]string{"--packets", "--stats"}, `"event":"(packet)","count":1`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			srv := newPBX(t)
			srv.Handle("Babble", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Raw(text); w.Ack("") })
			status, stdout, stderr := runApp(t, srv, strings.NewReader(""), append([]string{"tail", "--for", "1s", "-o", "jsonl", "NoSuchEvent"}, append(test.args, "--", "Babble")...)...)
			if status != fail.ExitOK || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) {
				t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
			}
			if name == "shown" {
				shown := false
				for line := range strings.Lines(stdout) {
					shown = shown || gjson.Get(line, "type").Str == "packet" && gjson.Get(line, "text").Str == text
				}
				if !shown {
					t.Errorf("the text is not in %s", stdout)
				}
			}
		})
	}
}
