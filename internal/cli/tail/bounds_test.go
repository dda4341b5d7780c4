package tail

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/internal/cli/target"
)

func TestRequire(t *testing.T) {
	for word, want := range map[string]int{"": 1, "all": 3, "1": 1, "2": 2, "3": 3, "0": 0, "4": 0, "-1": 0, "some": 0} {
		n, err := (&options{require: word}).need(3)
		if n != want || (err != nil) != (want == 0) {
			t.Errorf("--require %q of 3 nodes is %d, want %d: %v", word, n, want, err)
		}
		if want == 0 {
			runtest.Refused(t, err, fail.CodeUsage, "is neither all nor a number from 1 to 3")
		}
	}
}

// Which flags say which part of what is followed, and those that have no use where it comes from.
func TestSpanOfFlags(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	file := flags.List{"x"}
	for name, test := range map[string]struct {
		options      options
		since, until time.Time
		speed        float64
		want         string // of the refusal
	}{
		"nothing":              {options: options{}},
		"nothing of a file":    {options: options{from: file, follow: true}},
		"a past of a file":     {options: options{from: file, since: "10m", until: "5m"}, since: ago(10 * time.Minute), until: ago(5 * time.Minute)},
		"a past of a bus":      {options: options{onBus: true, since: "10m"}, since: ago(10 * time.Minute)},
		"an end of servers":    {options: options{until: "13:00"}, until: ago(-time.Hour)},
		"a speed":              {options: options{from: file, speed: "0.5"}, speed: 0.5},
		"a speed with an x":    {options: options{from: file, speed: "10x"}, speed: 10},
		"follow what":          {options: options{follow: true}, want: "--follow is for the file of --from"},
		"a past of servers":    {options: options{since: "10m"}, want: "--since and --speed are for --from"},
		"a speed of servers":   {options: options{speed: "1"}, want: "--since and --speed are for --from"},
		"a speed of a bus":     {options: options{onBus: true, speed: "1"}, want: "--since and --speed are for --from"},
		"no time":              {options: options{from: file, since: "soon"}, want: `--since "soon" is not a time`},
		"no end":               {options: options{from: file, until: "later"}, want: `--until "later" is not a time`},
		"backwards":            {options: options{from: file, since: "5m", until: "10m"}, want: "--since 5m is not before --until 10m"},
		"nothing between":      {options: options{from: file, since: "5m", until: "5m"}, want: "--since 5m is not before --until 5m"},
		"over already":         {options: options{until: "1s"}, want: "--until 1s has passed already"},
		"over at this instant": {options: options{until: "12:00"}, want: "--until 12:00 has passed already"},
		"no speed":             {options: options{from: file, speed: "0"}, want: `--speed "0" is not a number over 0`},
		"a speed backwards":    {options: options{from: file, speed: "-1"}, want: `--speed "-1" is not`},
		"a speed of all":       {options: options{from: file, speed: "inf"}, want: `--speed "inf" is not`},
		"a speed of none":      {options: options{from: file, speed: "nan"}, want: `--speed "nan" is not`},
		"a speed in words":     {options: options{from: file, speed: "fast"}, want: `--speed "fast" is not`},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := newReplaySpan(&test.options, now)
			if test.want != "" {
				runtest.Refused(t, err, fail.CodeUsage, test.want)
				return
			}
			if err != nil || !s.since.Equal(test.since) || !s.until.Equal(test.until) || s.speed != test.speed {
				t.Errorf("from %v to %v at %v, %v", s.since, s.until, s.speed, err)
			}
		})
	}
}

// A span begins with its first instant and ends before its last. What has no time is in it only where there is no bound.
func TestSpanHolds(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	first, last := at.Add(-time.Minute), at.Add(time.Minute)
	for name, test := range map[string]struct {
		span replaySpan
		at   time.Time
		want bool
	}{
		"no bounds":            {replaySpan{}, at, true},
		"no bounds, no time":   {replaySpan{}, time.Time{}, true},
		"no time from one on":  {replaySpan{since: first}, time.Time{}, false},
		"no time before one":   {replaySpan{until: last}, time.Time{}, false},
		"between":              {replaySpan{since: first, until: last}, at, true},
		"at its beginning":     {replaySpan{since: at, until: last}, at, true},
		"at its end":           {replaySpan{since: first, until: at}, at, false},
		"before its beginning": {replaySpan{since: last}, at, false},
		"after its beginning":  {replaySpan{since: first}, at, true},
		"before its end":       {replaySpan{until: last}, at, true},
		"after its end":        {replaySpan{until: first}, at, false},
	} {
		if got := test.span.holds(test.at); got != test.want || (test.span.timeless > 0) != (test.at.IsZero() && !test.want) {
			t.Errorf("%s: %v, want %v; %d without a time", name, got, test.want, test.span.timeless)
		}
	}
}

// The end that --for brings is none to complain of; every other one is.
func TestEndOfFor(t *testing.T) {
	over, cancel := (&options{length: flags.Duration{Value: time.Nanosecond, Given: true}}).limit(t.Context())
	defer cancel()
	<-over.Done()
	deadline, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	<-deadline.Done()
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		ctx       context.Context
		err, want error
	}{
		"--for":             {over, context.DeadlineExceeded, nil},
		"--for, and a stop": {over, context.Canceled, nil},
		"--for, and worse":  {over, broken, broken},
		"--deadline":        {deadline, context.DeadlineExceeded, context.DeadlineExceeded},
		"no end":            {t.Context(), broken, broken},
		"all went well":     {over, nil, nil},
	} {
		if got := notOver(test.ctx, test.err); !errors.Is(got, test.want) || (got == nil) != (test.want == nil) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
	same, cancel := (&options{}).limit(deadline)
	defer cancel()
	if same != deadline {
		t.Error("a limit without --for")
	}
}

// What has no use with a file is refused, and so is what has none with a bus, or without one.
func TestFlagsOfASource(t *testing.T) {
	file := flags.List{"x"}
	const bus = "nats = \"nats://127.0.0.1:1\"\ncluster = \"c\""
	for name, test := range map[string]struct {
		options options
		config  string
		rest    []string
		flags   run.Globals
		want    string
	}{
		"a file":                     {options: options{from: file, fromStart: true}, config: bus},
		"a file, all nodes":          {options: options{from: file, Fanout: target.Fanout{All: true}}, want: "--from reads a file"},
		"a file, a route":            {options: options{from: file, Fanout: target.Fanout{Route: "failover"}}, want: "--from reads a file"},
		"a file, agreed":             {options: options{from: file, Fanout: target.Fanout{Yes: true}}, want: "--from reads a file"},
		"a file, some nodes":         {options: options{from: file, require: "1"}, want: "--from reads a file"},
		"a file, an action":          {options: options{from: file}, rest: []string{"Ping"}, want: "--from and an action after `--`"},
		"a file, a durable":          {options: options{from: file, durable: "d"}, want: "--durable is for a bus"},
		"a file, packets":            {options: options{from: file, packets: true}, want: "--packets is for servers"},
		"a file, a node":             {options: options{from: file}, flags: run.Globals{Nodes: flags.List{"a"}}, want: "--from reads a file, and --node"},
		"a bus":                      {options: options{durable: "d"}, config: bus},
		"a bus from its start":       {options: options{fromStart: true}, config: bus},
		"a bus from a time":          {options: options{since: "1m"}, config: bus},
		"a bus, counted":             {options: options{stats: true}, config: bus},
		"a bus, an action":           {config: bus, rest: []string{"Ping"}, want: "an action after `--` needs a server"},
		"a bus, some nodes":          {options: options{require: "1"}, config: bus, want: "are for servers, and events come from the bus"},
		"a bus, all nodes":           {options: options{Fanout: target.Fanout{All: true}}, config: bus, want: "are for servers, and events come from the bus"},
		"a bus, a route":             {options: options{Fanout: target.Fanout{Route: "failover"}}, config: bus, want: "are for servers, and events come from the bus"},
		"a bus, agreed":              {options: options{Fanout: target.Fanout{Yes: true}}, config: bus, want: "are for servers, and events come from the bus"},
		"a bus, dry":                 {options: options{Fanout: target.Fanout{DryRun: true}}, config: bus, want: "are for servers, and events come from the bus"},
		"a bus from two times":       {options: options{fromStart: true, since: "1m"}, config: bus, want: "--from-start and --since cannot be combined"},
		"a bus, counted and durable": {options: options{durable: "d", stats: true}, config: bus, want: "does not go with --durable"},
		"a bus and a spool":          {options: options{spool: flags.Size{Given: true}}, config: bus, want: "--spool is for servers"},
		"no bus from its start":      {options: options{fromStart: true}, want: "--from-start is for a bus"},
		"no bus for a durable":       {options: options{durable: "d"}, want: "--durable is for a bus"},
		"half a bus":                 {config: "nats = \"nats://127.0.0.1:1\"", options: options{fromStart: true}, want: "none is named"},
		"servers":                    {options: options{require: "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Config: test.config, Rest: test.rest})
			r.Flags = test.flags
			err := test.options.findBus(r.Run)
			if err == nil && len(test.options.from) > 0 {
				err = checkReplay(r.Run, &test.options)
			}
			if test.want != "" {
				runtest.Refused(t, err, fail.CodeUsage, test.want)
			} else if err != nil || test.options.onBus != (test.config != "" && len(test.options.from) == 0) {
				t.Errorf("%v; a bus: %v", err, test.options.onBus)
			}
		})
	}
}
