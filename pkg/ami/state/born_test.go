package state

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A list that is asked for at another moment says the same.
func TestBornOf(t *testing.T) {
	about := time.Unix(1795880951, 865_000_000)
	for uniqueid, want := range map[string]time.Time{
		"1795880951.17":      time.Unix(1795880951, 0),
		"pbx-1-1795880950.1": time.Unix(1795880950, 0),
		"1795880961.17":      about, // the clocks do not agree
		"":                   about,
		"asterisk":           about,
		"a-.1":               about,
	} {
		if got := bornOf(uniqueid, about); !got.Equal(want) {
			t.Errorf("%q: %v, want %v", uniqueid, got, want)
		}
	}
}

// What waits began when its event came, whatever later lists say in whole seconds; and of what lists alone tell, each says the same.
func TestWaitsBeganOnce(t *testing.T) {
	start := clockStart.Add(312_345 * time.Microsecond)
	lasted := func(at time.Time) string { return strconv.FormatInt(at.Unix()-start.Unix(), 10) } // as Asterisk counts
	caller := []string{"Queue", "q", "Position", "1", "Uniqueid", "1"}
	parkee := []string{"ParkeeUniqueid", "2", "ParkeeChannel", "PJSIP/b-2", "ParkingSpace", "701"}
	events := func(c *core) {
		c.event("pbx", 1, message("QueueCallerJoin", caller...), start)
		c.event("pbx", 1, message("ParkedCall", append(parkee, "ParkingDuration", "0", "ParkingTimeout", "45")...), start)
	}
	lists := func(c *core, at time.Time, audit bool) {
		for part, item := range map[string]*wire.Message{
			"queues": message("QueueEntry", append(caller, "Wait", lasted(at))...),
			"parked": message("ParkedCall", append(parkee, "ParkingDuration", lasted(at), "ParkingTimeout", strconv.FormatInt(start.Unix()+45-at.Unix(), 10))...),
		} {
			l := &listings[slices.IndexFunc(listings, func(l listing) bool { return l.part == part })]
			c.list("pbx", 1, l, answer{items: []*wire.Message{item}, end: message("Complete", "EventList", "Complete", "ListItems", "1")}, audit, at)
		}
	}
	second := start.Truncate(time.Second)
	for name, test := range map[string]struct {
		events bool
		want   time.Time
	}{"events first": {true, start}, "lists first": {false, second}} {
		for _, at := range []time.Duration{0, 450 * time.Millisecond, 700 * time.Millisecond, 3 * time.Second} {
			c := newCore(100, nil)
			if test.events {
				events(c)
			}
			lists(c, start.Add(at), false)
			events(c)
			lists(c, start.Add(at+800*time.Millisecond), true)
			s := c.servers["pbx"]
			joined, parked := s.callers.rows[memberKey("q", "1")].obj.Joined, s.parked.rows["2"].obj
			if !joined.Equal(test.want) || !parked.Since.Equal(test.want) || !parked.Timeout.Equal(test.want.Add(45*time.Second)) {
				t.Errorf("%s, listed %v later: joined %v, parked %v until %v; want %v", name, at, joined, parked.Since, parked.Timeout, test.want)
			}
		}
	}
}
