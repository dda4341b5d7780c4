package state

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// answerOf reads the one answer in a capture that holds items of a listing, or its refusal.
func answerOf(t *testing.T, name string, l *listing) (a answer) {
	t.Helper()
	b, err := os.ReadFile("../../../testdata/captures/" + name + ".raw")
	if err != nil {
		t.Fatal(err)
	}
	d := wire.NewDecoder(wire.Limits{})
	d.Feed(b)
	for {
		m, err := d.Next()
		if err != nil {
			return a
		}
		own := m.Clone()
		switch {
		case m.Kind() == wire.Response && m.Name() == "Error":
			a.refused, a.refusal = true, own.Get("Message")
		case l.items[m.Name()] != nil:
			a.items = append(a.items, &own)
		case strings.HasSuffix(m.Name(), "Complete"):
			if len(a.items) == 0 || a.items[0].Get("ActionID") == own.Get("ActionID") { // a capture may hold several lists
				a.end = &own
			}
		}
	}
}

func listingFor(t *testing.T, part string) *listing {
	t.Helper()
	for i := range listings {
		if listings[i].part == part {
			return &listings[i]
		}
	}
	t.Fatalf("there is no part %q", part)
	return nil
}

// capturedLists are the lists of real servers in testdata, and what is held of each.
var capturedLists = []struct {
	capture, part string
	only          string
	known         string // Node.Parts
	want          []string
}{
	{capture: "core-show-channels", part: "channels", known: Followed, want: []string{
		`{"type":"channel","node":"pbx","uniqueid":"1795460303.0","linkedid":"1795460303.0","name":"Local/100@default-00000000;1","endpoint":"Local/100@default","state":"up","context":"default","exten":"100","priority":1,"application":"Wait","data":"60","created":"2026-11-23T18:59:59Z"}`,
		`{"type":"channel","node":"pbx","uniqueid":"1795460303.1","linkedid":"1795460303.0","name":"Local/100@default-00000000;2","endpoint":"Local/100@default","state":"up","context":"default","exten":"100","priority":2,"application":"Wait","data":"3600","created":"2026-11-23T18:59:59Z"}`,
		`{"type":"channel","node":"pbx","uniqueid":"1795460303.2","linkedid":"1795460303.2","name":"Local/100@default-00000001;1","endpoint":"Local/100@default","state":"up","context":"default","exten":"100","priority":1,"application":"Wait","data":"60","created":"2026-11-23T19:00:00Z"}`,
		`{"type":"channel","node":"pbx","uniqueid":"1795460303.3","linkedid":"1795460303.2","name":"Local/100@default-00000001;2","endpoint":"Local/100@default","state":"up","context":"default","exten":"100","priority":2,"application":"Wait","data":"3600","created":"2026-11-23T19:00:00Z"}`,
		`{"type":"live-call","node":"pbx","linkedid":"1795460303.0","state":"up","start":"2026-11-23T18:59:59Z","caller":{"endpoint":"Local/100@default","uniqueid":"1795460303.0"},"callee":{"number":"100","endpoint":"Local/100@default","uniqueid":"1795460303.1"},"legs":2,"channels":["1795460303.1","1795460303.0"],"partial":true}`,
		`{"type":"live-call","node":"pbx","linkedid":"1795460303.2","state":"up","start":"2026-11-23T19:00:00Z","caller":{"endpoint":"Local/100@default","uniqueid":"1795460303.2"},"callee":{"number":"100","endpoint":"Local/100@default","uniqueid":"1795460303.3"},"legs":2,"channels":["1795460303.3","1795460303.2"],"partial":true}`,
	}},
	{capture: "core-show-channels-empty", part: "channels", known: Followed},
	{capture: "bridge-list", part: "bridges", known: Followed},
	{capture: "confbridge-list-rooms-none", part: "conferences", known: Followed}, // an Error
	{capture: "parked-calls-empty", part: "parked", known: Followed},
	{capture: "permission-denied", part: "bridges", known: Events},
	{capture: "unknown-action", part: "sip", known: Absent},
	{capture: "queue-status", part: "queues", known: Followed, want: []string{
		`{"type":"member","node":"pbx","queue":"support","name":"Agent Never","interface":"Local/302@default/n","state_interface":"Local/302@default/n","membership":"static","state":"not-in-use","paused":false,"in_call":false,"penalty":5,"calls_taken":0,"login":"2026-11-23T18:58:13Z"}`,
		`{"type":"member","node":"pbx","queue":"support","name":"Agent One","interface":"Local/202@default/n","state_interface":"Local/202@default/n","membership":"static","state":"not-in-use","paused":false,"in_call":false,"penalty":0,"calls_taken":0,"login":"2026-11-23T18:58:13Z"}`,
		`{"type":"member","node":"pbx","queue":"support","name":"Agent Two","interface":"Local/203@default/n","state_interface":"Local/203@default/n","membership":"static","state":"not-in-use","paused":false,"in_call":false,"penalty":0,"calls_taken":0,"login":"2026-11-23T18:58:13Z"}`,
		`{"type":"queue","node":"pbx","name":"empty","strategy":"ringall","callers":0,"members":0,"completed":0,"abandoned":0,"holdtime_us":0,"talktime_us":0,"sl_us":0,"sl":"0.0","listed":"2026-11-23T19:00:00Z"}`,
		`{"type":"queue","node":"pbx","name":"support","strategy":"rrmemory","callers":0,"members":3,"completed":0,"abandoned":0,"holdtime_us":0,"talktime_us":0,"sl_us":20000000,"sl":"0.0","listed":"2026-11-23T19:00:00Z"}`,
	}},
	{capture: "pjsip-show-endpoints", part: "pjsip", known: Followed, want: []string{
		`{"type":"endpoint","node":"pbx","name":"PJSIP/alice","technology":"PJSIP","state":"not-in-use","contacts":["sip:alice@127.0.0.1:17990"]}`,
		`{"type":"endpoint","node":"pbx","name":"PJSIP/bob","technology":"PJSIP","state":"unavailable","contacts":["sip:bob@127.0.0.1:17991"]}`,
		`{"type":"endpoint","node":"pbx","name":"PJSIP/carol","technology":"PJSIP","state":"unavailable"}`,
	}},
	{capture: "sip-peers", part: "sip", only: "16", known: Followed, want: []string{
		`{"type":"endpoint","node":"pbx","name":"SIP/sippeer","technology":"SIP","reach":"unmonitored","contacts":["127.0.0.1:17992"]}`,
		`{"type":"endpoint","node":"pbx","name":"SIP/siproam","technology":"SIP","reach":"unmonitored"}`,
	}},
	{capture: "iax-peer-list", part: "iax", known: Followed, want: []string{
		`{"type":"endpoint","node":"pbx","name":"IAX2/iaxpeer","technology":"IAX2","reach":"unmonitored","contacts":["127.0.0.1:4569"]}`,
		`{"type":"endpoint","node":"pbx","name":"IAX2/iaxroam","technology":"IAX2","reach":"unmonitored"}`,
	}},
	{capture: "extension-state", part: "hints", known: Followed, want: []string{
		`{"type":"hint","node":"pbx","exten":"100","context":"default","device":"PJSIP/alice","state":"idle"}`,
	}},
	{capture: "pjsip-show-registrations-outbound", part: "pjsip-registrations", known: Followed},
	{capture: "sip-show-registry", part: "sip-registrations", only: "16", known: Followed},
	{capture: "iax-registry", part: "iax-registrations", known: Followed},
	{capture: "confbridge", part: "conferences", known: Followed, want: []string{
		`{"type":"conference","node":"pbx","name":"room1","parties":0}`,
	}},
}

// What real servers list is what is held.
func TestListsOfCaptures(t *testing.T) {
	at := time.Date(2026, 11, 23, 19, 0, 0, 0, time.UTC)
	for _, tt := range capturedLists {
		for _, series := range []string{"22", "16"} {
			if tt.only != "" && tt.only != series {
				continue
			}
			t.Run(series+" "+tt.capture, func(t *testing.T) {
				c, l := newCore(100, nil), listingFor(t, tt.part)
				a := answerOf(t, "asterisk"+series+"-"+tt.capture, l)
				if a.short() {
					t.Errorf("it is taken for a list that broke off: %d items, end %v", len(a.items), a.end)
				}
				c.list("pbx", 1, l, a, false, at)
				var got []string
				s := c.servers["pbx"]
				snap := &Snapshot{}
				s.objects(snap.add)
				snap.sort()
				for o := range snap.Objects() {
					if o.Kind() == KindNode {
						continue
					}
					b, err := json.Marshal(o)
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, string(b))
				}
				order := cmp.Transformer("sorted", func(s []string) map[string]bool {
					m := map[string]bool{}
					for _, v := range s {
						m[v] = true
					}
					return m
				})
				if diff := cmp.Diff(tt.want, got, order); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				if how := s.next.Parts[tt.part]; how != tt.known {
					t.Errorf("the part is %q, want %q", how, tt.known)
				}
			})
		}
	}
}
