package amitest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"time"
)

// Step is one fault of a script: when it strikes and whom.
type Step struct {
	// At is the time since the start of the script.
	At time.Duration
	// Node is a pattern (path.Match) for the servers' names; "" for all.
	Node  string
	Fault Fault
	// Line is where the script says so.
	Line int
}

// Directive is a line of a script that is not a step: its first word and the rest.
// The reader of the script must know them all.
type Directive struct {
	Word, Text string
	Line       int
}

// Script is a scenario as data. Each line is a step,
//
//	at 2s on pbx1 flood rate=20000 count=100000
//	latency fixed=20ms
//
// with "at" and "on" optional, or a directive: "set", "do" or "expect" and what
// follows it. Empty lines and those that begin with # say nothing.
type Script struct {
	Steps      []Step
	Directives []Directive
}

// directiveWords are the first words of lines that are not steps.
var directiveWords = []string{"set", "do", "expect"}

// ParseScript reads a script. Its errors name the line.
func ParseScript(r io.Reader) (Script, error) {
	var s Script
	in := bufio.NewScanner(r)
	for n := 1; in.Scan(); n++ {
		line := strings.TrimSpace(in.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if word, rest, _ := strings.Cut(line, " "); slices.Contains(directiveWords, word) {
			s.Directives = append(s.Directives, Directive{word, strings.TrimSpace(rest), n})
			continue
		}
		step, err := ParseStep(line)
		if err != nil {
			return Script{}, fmt.Errorf("line %d: %w", n, err)
		}
		step.Line = n
		s.Steps = append(s.Steps, step)
	}
	if err := in.Err(); err != nil {
		return Script{}, fmt.Errorf("amitest: script: %w", err)
	}
	slices.SortStableFunc(s.Steps, func(a, b Step) int { return int(a.At - b.At) })
	return s, nil
}

// ParseStep reads one step: an optional "at DURATION", an optional "on PATTERN",
// and a fault.
func ParseStep(line string) (Step, error) {
	var step Step
	for {
		word, rest, _ := strings.Cut(line, " ")
		if word != "at" && word != "on" {
			break
		}
		value, rest, _ := strings.Cut(strings.TrimSpace(rest), " ")
		switch word {
		case "at":
			d, err := time.ParseDuration(value)
			if err != nil || d < 0 {
				return Step{}, fmt.Errorf("amitest: script: at %q is not a duration", value)
			}
			step.At = d
		case "on":
			if _, err := path.Match(value, ""); err != nil || value == "" {
				return Step{}, fmt.Errorf("amitest: script: on %q is not a pattern", value)
			}
			step.Node = value
		}
		line = strings.TrimSpace(rest)
	}
	f, err := ParseFault(line)
	step.Fault = f
	return step, err
}

// Inject injects a step's fault into the servers it names and returns how many
// there are.
func (c *Cluster) Inject(step Step) int {
	n := 0
	for _, s := range c.servers {
		if ok, _ := path.Match(orElse(step.Node, "*"), s.name); ok {
			s.Inject(step.Fault)
			n++
		}
	}
	return n
}

// Run carries out a script's steps, each at its time. A step that names no server
// is an error.
func (c *Cluster) Run(ctx context.Context, s Script) error {
	start := time.Now()
	for _, step := range s.Steps {
		if wait := time.Until(start.Add(step.At)); wait > 0 {
			if err := pause(ctx, wait); err != nil {
				return err
			}
		}
		if c.Inject(step) == 0 {
			return fmt.Errorf("amitest: script: line %d: no server is named %q", step.Line, step.Node)
		}
	}
	return nil
}

// RandomFaults returns n faults that the seed alone decides, each bounded so that a
// server recovers from it by itself or by a new connection.
func RandomFaults(seed uint64, n int) []Fault {
	rng := rand.New(rand.NewPCG(seed, 0xfa17))
	ms := func(most int) time.Duration { return time.Duration(1+rng.IntN(most)) * time.Millisecond }
	faults := make([]Fault, n)
	for i := range faults {
		f := Fault{Kind: faultKinds[rng.IntN(len(faultKinds))], During: 10 * ms(300)}
		switch f.Kind {
		case FaultLatency, FaultSlow:
			f.Fixed, f.Jitter = ms(20), ms(20)
			if rng.IntN(3) == 0 {
				f.Tail = ms(5)
			}
		case FaultSegment:
			f.Bytes = 1 + rng.IntN(40)
		case FaultCoalesce, FaultStall, FaultSlowLogin, FaultRestart:
			f.For = ms(300)
		case FaultFlap:
			f.For, f.Period, f.Times = ms(100), ms(300), 1+rng.IntN(3)
		case FaultReorder:
			f.Window = 2 + rng.IntN(8)
		case FaultReset, FaultFin:
			f.After = rng.IntN(4000)
		case FaultTruncate, FaultGarbage:
			f.Bytes, f.Now = 1+rng.IntN(80), rng.IntN(2) == 0
		case FaultOversize:
			f.Bytes = 1 << (10 + rng.IntN(12))
		case FaultFlood:
			f.Count, f.Rate = 1+rng.IntN(5000), float64(1000+rng.IntN(20000))
		case FaultBanner:
			f.Message = "Asterisk Call Manager/9.9\r\n"
		default:
			f.Times = 1 + rng.IntN(5)
		}
		faults[i] = f
	}
	return faults
}
