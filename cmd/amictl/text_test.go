package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/metrics"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A URL without its scheme shows no secret either.
func TestHidePasswordWithoutScheme(t *testing.T) {
	for in, want := range map[string]string{
		"ami://u:geheim@h": "ami://u:[secret]@h", "u:geheim@h:5038": "u:[secret]@h:5038", "ami:u:geheim@h": "ami:[secret]@h",
		"ami://u@h:5038": "ami://u@h:5038", "30s": "30s", "12:30": "12:30", "file:~/x": "file:~/x", "": "",
	} {
		if got := hidePassword(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	for _, url := range []string{"u:geheim@h:5038", "ami:u:geheim@h", "http://u:geheim@h", "ami://u:geheim@h", "ami://u:geheim@h/x", "ami://u:ge%heim@h"} {
		if _, err := parseNodeURL(url); err == nil || strings.Contains(err.Error(), "heim") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// What a server says cannot spoil a scrape.
func TestPrometheusLabelsAreUTF8(t *testing.T) {
	var b strings.Builder
	if err := metrics.Write(&b, promFamilies([]checkup{{node: "a", version: "2\xff2\"\n", banner: "\xc3"}})); err != nil {
		t.Fatal(err)
	}
	if want := `version="2` + "\uFFFD" + `2\"\n",banner="` + "\uFFFD" + `"`; !strings.Contains(b.String(), want) {
		t.Errorf("%s does not hold %s", b.String(), want)
	}
}

func TestMinReadyBeyondAllIntegers(t *testing.T) {
	for _, s := range []string{"1e300", "99999999999999999999", "Inf"} {
		if n, err := parseMinReady(s, 5); err == nil {
			t.Errorf("%s: %d", s, n)
		}
	}
}

// A line of very many headers is refused, in a time that follows their number and not its square.
func TestLineOfVeryManyFields(t *testing.T) {
	took := func(n int) time.Duration {
		var b strings.Builder
		b.WriteString(`{"action":"Ping","fields":{"a":1`)
		for i := range n {
			fmt.Fprintf(&b, `,"a%d":1`, i)
		}
		b.WriteString(`},"id":"7"}`)
		best := time.Hour
		for range 3 {
			start := time.Now()
			r := parseLine(1, b.String())
			best = min(best, time.Since(start))
			if r.err == nil || r.id != "7" {
				t.Fatalf("error %v, id %q", r.err, r.id)
			}
		}
		return best
	}
	if few, many := took(2_000), took(40_000); many > 100*few {
		t.Errorf("20 times as many take %v instead of %v", many, few)
	}
}

// A server that invents names without end fills no memory with their counts.
func TestStatsOfVeryManyNames(t *testing.T) {
	s := newEventStats(false)
	d := wire.NewDecoder(wire.Limits{})
	for i := range 2 * mostNames {
		d.Feed(fmt.Appendf(nil, "Event: E%d\r\n\r\n", i))
		m, err := d.Next()
		if err != nil {
			t.Fatal(err)
		}
		s.add(&ami.Event{Message: m, Node: "pbx"})
	}
	if n := len(s.counts); n > mostNames+1 || s.total.n != 2*mostNames || s.counts[statKey{"pbx", otherEvents}].n != mostNames {
		t.Errorf("%d names for %d events", n, s.total.n)
	}
}
