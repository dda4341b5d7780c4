package cond

import (
	"iter"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

func packet(t *testing.T, lines string) wire.Message {
	t.Helper()
	if lines == "" {
		return wire.Message{}
	}
	d := wire.NewDecoder(wire.Limits{})
	d.Feed([]byte(strings.ReplaceAll(lines, "|", "\r\n") + "\r\n\r\n"))
	m, err := d.Next()
	if err != nil {
		t.Fatal(err)
	}
	return m.Clone()
}

func where(t *testing.T, expr string) *ami.Where {
	t.Helper()
	if expr == "" {
		return nil
	}
	w, err := ami.ParseWhere(expr)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestParseFound(t *testing.T) {
	none, one, two, all3 := Count{3, 0}, Count{3, 1}, Count{3, 2}, Count{3, 3}
	for _, tt := range []struct {
		text, again string
		holds       []Count
		not         []Count
	}{
		{"any", "any", []Count{one, two, all3}, []Count{none, {}}},
		{"all", "all", []Count{all3, {1, 1}}, []Count{none, one, two, {}}},
		{"none", "none", []Count{none, {}}, []Count{one, all3}},
		{"0", "none", []Count{none, {}}, []Count{one}},
		{"2", "2", []Count{two}, []Count{none, one, all3, {}}},
		{"1..2", "1..2", []Count{one, two}, []Count{none, all3}},
		{"1..", "any", []Count{one, all3}, []Count{none}},
		{"2..", "2..", []Count{two, all3}, []Count{one}},
		{"..1", "..1", []Count{none, one, {}}, []Count{two}},
		{"0..", "0..", []Count{none, all3, {}}, nil},
		{"2..2", "2", []Count{two}, []Count{one, all3}},
	} {
		f, err := ParseFound(tt.text)
		if err != nil || !f.Asks() || f.String() != tt.again {
			t.Errorf("%s: %s, %v", tt.text, f, err)
			continue
		}
		if again, err := ParseFound(f.String()); err != nil || again != f {
			t.Errorf("%s becomes %s: %v, %v", tt.text, f, again, err)
		}
		for _, c := range tt.holds {
			if !f.Holds(c) || f.Check(c) != nil {
				t.Errorf("%s does not hold of %v: %v", tt.text, c, f.Check(c))
			}
		}
		for _, c := range tt.not {
			if f.Holds(c) || f.Check(c) == nil {
				t.Errorf("%s holds of %v", tt.text, c)
			}
		}
	}
	for _, text := range []string{"", "some", "-1", "+1", "1.5", "..", "3..2", "1..x", "x..1", "1...2", "1..2..3", "99999999999999999999", "ALL", " 1"} {
		if f, err := ParseFound(text); err == nil {
			t.Errorf("%q is %v", text, f)
		}
	}
	var zero Found
	if zero.Asks() || !zero.Holds(Count{}) || zero.Check(none) != nil || zero.String() != "" {
		t.Error("the zero Found asks something")
	}
	if f, err := ParseFound("4.."); err != nil || f != AtLeast(4) {
		t.Errorf("%v, %v", f, err)
	}
	var f Found
	if err := f.Set("2..5"); err != nil || f.Get() != (Found{asks: true, min: 2, max: 5}) {
		t.Errorf("%v, %v", f, err)
	}
}

func TestFoundCheckSays(t *testing.T) {
	for text, want := range map[string]string{
		"any": "2 of 9 found, and at least 10 are wanted", "all": "2 of 9 found, and all are wanted", "none": "2 of 9 found, and none is wanted",
		"3": "2 of 9 found, and 3 are wanted", "3..4": "2 of 9 found, and 3 to 4 are wanted", "..1": "2 of 9 found, and at most 1 are wanted",
	} {
		f, err := ParseFound(text)
		if err != nil {
			t.Fatal(err)
		}
		if text == "any" {
			f = AtLeast(10)
		}
		if got := f.Check(Count{9, 2}); got == nil || got.Error() != want {
			t.Errorf("%s: %v, want %s", text, got, want)
		}
	}
	if got := All.Check(Count{}); got == nil || !strings.Contains(got.Error(), "at least one") {
		t.Error(got)
	}
	if AtLeast(0).max != math.MaxInt {
		t.Error("--min-items has no end")
	}
}

// A list of registrations: its response, its end with two and with none, and the two.
const (
	listed     = "Response: Success|EventList: start|Message: Following are Events for each Outbound registration"
	endOfTwo   = "Event: OutboundRegistrationDetailComplete|EventList: Complete|Registered: 1|NotRegistered: 1|ListItems: 2"
	endOfNone  = "Event: OutboundRegistrationDetailComplete|EventList: Complete|Registered: 0|NotRegistered: 0|ListItems: 0"
	registered = "Event: OutboundRegistrationDetail|ObjectName: a|Status: Registered|Expiry: 90"
	rejected   = "Event: OutboundRegistrationDetail|ObjectName: b|Status: Rejected"
)

// countedReplies are conditions, replies, and how many items each has and how many meet the condition.
var countedReplies = []struct {
	name, where, response string
	items                 []string
	end                   string
	want                  Count
}{
	{"items meet, the packets around them are not asked", "Status!=Registered", listed, []string{registered, rejected}, endOfTwo, Count{2, 1}},
	{"an absent header of an item meets !=", "Expiry!=90", listed, []string{registered, rejected}, endOfTwo, Count{2, 1}},
	{"nor !~", "Status!~^Reg", listed, []string{registered}, endOfTwo, Count{1, 0}},
	{"no items, nothing that differs", "Status!=Registered", listed, nil, endOfNone, Count{}},
	{"an order", "Expiry>1m", listed, []string{registered, rejected}, endOfTwo, Count{2, 1}},
	{"the end is asked for what it carries", "ListItems=0", listed, nil, endOfNone, Count{1, 1}},
	{"items lack it", "ListItems=0", listed, []string{registered}, endOfTwo, Count{2, 0}},
	{"negated, of the end", "ListItems!=0", listed, nil, endOfNone, Count{1, 0}},
	{"either", "ListItems=0 || Status=Registered", listed, nil, endOfNone, Count{1, 1}},
	{"both, in different packets", "ListItems=2 && Status=Registered", listed, []string{registered}, endOfTwo, Count{2, 0}},
	{"what the end lacks does not meet !=", "ListItems=2 && Status!=x", listed, []string{registered}, endOfTwo, Count{2, 0}},
	{"the response is asked for what it carries", "Message=~Outbound", listed, nil, endOfNone, Count{1, 1}},
	{"several fields", "Registered>0 && NotRegistered<1", listed, nil, endOfNone, Count{1, 0}},
	{"any field is one of an item", "*=~Rejected", listed, []string{registered, rejected}, endOfTwo, Count{2, 1}},
	{"no item, no field", "*!~Rejected", listed, nil, endOfNone, Count{}},
	{"the event of an item", "event=OutboundRegistrationDetail", listed, []string{registered}, endOfTwo, Count{1, 1}},
	{"the node", "node=pbx1", listed, []string{registered}, endOfTwo, Count{1, 1}},
	{"no condition: items", "", listed, []string{registered, rejected}, endOfTwo, Count{2, 2}},
	{"no condition, no item", "", listed, nil, endOfNone, Count{}},
	{"an old list without EventList", "Status!=x", "Response: Success|Message: Peer status list will follow", nil, "Event: PeerlistComplete|ListItems: 0", Count{}},
	{"an empty list that is an Error", "Status!=x", "Response: Error|Message: No active conferences.", nil, "", Count{}},
	{"an empty list that is a Success", "Status!=x", "Response: Success|Message: No endpoints found", nil, "", Count{}},
	{"a plain answer", "CoreCurrentCalls=0", "Response: Success|CoreCurrentCalls: 0", nil, "", Count{1, 1}},
	{"a plain answer that differs", "CoreCurrentCalls!=0", "Response: Success|CoreCurrentCalls: 0", nil, "", Count{1, 0}},
	{"a plain answer without the header", "Value!=x", "Response: Success|Variable: V", nil, "", Count{1, 1}},
	{"any field of a plain answer", "*=~Succ", "Response: Success|Variable: V", nil, "", Count{1, 1}},
	{"a plain answer without a condition", "", "Response: Success", nil, "", Count{}},
	{"a call is what it came to", "Reason!=4", "Response: Success|Message: Originate successfully queued", nil, "Event: OriginateResponse|Response: Failure|Reason: 4", Count{1, 0}},
	{"a call that failed", "Response=Success", "Response: Success|Message: Originate successfully queued", nil, "Event: OriginateResponse|Response: Failure|Reason: 3", Count{1, 0}},
	{"the response to a call", "Message=~queued", "Response: Success|Message: Originate successfully queued", nil, "Event: OriginateResponse|Response: Success", Count{1, 1}},
}

func TestCountReply(t *testing.T) {
	for _, tt := range countedReplies {
		t.Run(tt.name, func(t *testing.T) {
			r := &ami.Reply{Message: packet(t, tt.response), Node: "pbx1", End: packet(t, tt.end)}
			for _, item := range tt.items {
				r.Events = append(r.Events, ami.Event{Message: packet(t, item), Node: "pbx1"})
			}
			w := where(t, tt.where)
			var got Count
			got.Reply(w, r)
			if got != tt.want {
				t.Errorf("%s: %v, want %v", tt.where, got, tt.want)
			}
			// The same, item by item as they come.
			var streamed Count
			for i := range r.Events {
				before := streamed.Met
				if met := streamed.Item(w, r.Node, &r.Events[i].Message); met != (streamed.Met > before) {
					t.Errorf("item %d: %v", i, met)
				}
			}
			rest := *r
			rest.Events = nil
			streamed.Around(w, &rest, len(r.Events))
			if streamed != got {
				t.Errorf("streamed %v, at once %v", streamed, got)
			}
		})
	}
	sum := Count{1, 1}
	sum.Add(Count{3, 1})
	if sum != (Count{4, 2}) {
		t.Error(sum)
	}
}

func TestSaysEmpty(t *testing.T) {
	for lines, want := range map[string]bool{
		"Response: Error|Message: No active conferences.":  true,
		"Response: Error|Message: No endpoints found":      true,
		"Response: Error|Message: There are no rooms":      true,
		"Response: Error|Message: No such channel":         false,
		"Response: Error|Message: Permission denied":       false,
		"Response: Success|Message: No active conferences": false,
	} {
		if got := SaysEmpty(&ami.Reply{Message: packet(t, lines)}); got != want {
			t.Errorf("%s: %v", lines, got)
		}
	}
}

func TestLacking(t *testing.T) {
	var catalogue iter.Seq2[string, []string] = func(yield func(string, []string) bool) {
		for _, e := range []struct {
			name    string
			headers []string
		}{
			{"Hangup", []string{"Channel", "Uniqueid", "Cause", "Cause-txt"}},
			{"HangupRequest", []string{"Channel", "Uniqueid", "Cause"}},
			{"DialBegin", []string{"Channel", "DestChannel", "DialString"}},
			{"UserEvent", nil},
		} {
			if !yield(e.name, e.headers) {
				return
			}
		}
	}
	for _, tt := range []struct {
		where string
		globs []string
		want  []Lack
	}{
		{"Cuase!=16", []string{"Hangup"}, []Lack{{"Cuase", []string{"Cause"}}}},
		{"Caus!=16 && Channels=1 && CauseX=2", []string{"hang*"}, []Lack{{"Caus", []string{"Cause"}}, {"Channels", []string{"Channel"}}, {"CauseX", []string{"Cause"}}}},
		{"cause!=16 && node=x && event=Hangup && *=~x", []string{"Hangup"}, nil},
		{"Causx!=16 && Cxusx!=16 && aCuse=1 && Cuse=1 && Ceaus=1", []string{"Hangup"}, []Lack{{"Causx", []string{"Cause"}}, {"Cxusx", nil}, {"aCuse", []string{"Cause"}}, {"Cuse", []string{"Cause"}}, {"Ceaus", nil}}},
		{"Cxyse=1 && Cuxse=1 && Cxase=1 && Cuaxe=1", []string{"Hangup"}, []Lack{{"Cxyse", nil}, {"Cuxse", nil}, {"Cxase", nil}, {"Cuaxe", nil}}},
		{"Cause=16 || Nothing=1", []string{"Hangup"}, []Lack{{"Nothing", nil}}},
		{"Cause-txt=x", []string{"HangupRequest"}, []Lack{{"Cause-txt", nil}}},
		{"Cause-txt=x", []string{"Hangup*"}, nil}, // one of them has it
		{"Cause=16", []string{"DialBegin"}, []Lack{{"Cause", nil}}},
		{"Privilege=~call && Timestamp>1 && ChanVariable=~x && ChanVariable(PJSIP/1)=x && DestChanVariable=y && SystemName=z", []string{"Hangup"}, nil},
		{"Cuase=1", []string{"UserEvent"}, nil},
		{"Cuase=1", []string{"Hangup", "User*"}, nil},
		{"Cuase=1", []string{"OfAModule"}, nil},
		{"Cuase=1", []string{"Hangup", "OfAModule"}, nil}, // whose it may be
		{"Cuase=1", nil, nil},
		{"Cuase=1", []string{"*"}, nil},
		{"", []string{"Hangup"}, nil},
	} {
		if diff := cmp.Diff(tt.want, Lacking(where(t, tt.where), tt.globs, catalogue)); diff != "" {
			t.Errorf("%s of %q (-want +got):\n%s", tt.where, tt.globs, diff)
		}
	}
}

// What the grammar shows is the grammar.
func TestGrammarsExamples(t *testing.T) {
	_, example, _ := strings.Cut(Grammar, "\n  ")
	example, _, _ = strings.Cut(example, "\n")
	for _, expr := range []string{example, `Text="a && \"b\""`} {
		if !strings.Contains(Grammar, expr) {
			t.Errorf("the grammar does not show %s", expr)
		}
		w := where(t, expr)
		if len(w.Warnings()) > 0 {
			t.Errorf("%s: %v", expr, w.Warnings())
		}
	}
	m := packet(t, "Event: Hangup|Cause: 17|Channel: IAX2/x|Duration: 00:11:00")
	if !where(t, example).Match("", &m) {
		t.Errorf("%s is not met", example)
	}
}
