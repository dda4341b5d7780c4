package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/atomicfile"
)

// Schema is the version of the result file's form. Additions keep it.
const Schema = 1

// A Result is everything that a run found out. As JSON it is the result file.
type Result struct {
	Schema  int       `json:"schema"`
	Version string    `json:"version"` // of amictl
	Run     string    `json:"run"`     // id of the run; part of what it leaves in a server's log
	Started time.Time `json:"started"`
	Elapsed float64   `json:"elapsed_s"` // measured, without warm-up and grace
	Seed    uint64    `json:"seed"`
	Machine Machine   `json:"machine"`
	Config  Config    `json:"config"`

	Verdict    Verdict     `json:"verdict"`
	Partial    bool        `json:"partial,omitempty"` // interrupted or aborted
	Ended      string      `json:"ended,omitempty"`   // why a partial run ended
	Reasons    []string    `json:"reasons,omitempty"`
	Thresholds []Judgement `json:"thresholds,omitempty"`
	Metrics    Metrics     `json:"metrics"`

	Total    Tally        `json:"total"`
	Actions  []ActionPart `json:"actions,omitempty"`
	Nodes    []NodePart   `json:"nodes"`
	Workers  []WorkerPart `json:"workers,omitempty"`
	Fairness Fairness     `json:"fairness"`
	Memory   *Memory      `json:"memory,omitempty"`
	Queues   []Queue      `json:"queues,omitempty"`
	Ledger   Ledger       `json:"ledger"`
	Lag      *Lag         `json:"lag,omitempty"`
	Events   *Events      `json:"events,omitempty"`
	Calls    *Calls       `json:"calls,omitempty"`

	Intervals  []Interval        `json:"intervals"`
	Histograms map[string]string `json:"histograms"` // HdrHistogram V2, base64: "response", "service", "events", "hangup", of several workers "lag"
	Repeats    []Metrics         `json:"repeats,omitempty"`
	Notes      []string          `json:"notes,omitempty"` // what a reader must know to believe the figures
}

// Machine says where a run took place. It holds no host name.
type Machine struct {
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	CPUs   int    `json:"cpus"`
	CPU    string `json:"cpu,omitempty"`
	Memory Bytes  `json:"memory,omitempty"`
	Go     string `json:"go"`
}

// thisMachine describes the machine that runs the process.
func thisMachine() Machine {
	m := Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.GOMAXPROCS(0), Go: runtime.Version()}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.CPU = procField(string(b), "model name")
	}
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kib uint64
		if _, err := fmt.Sscan(procField(string(b), "MemTotal"), &kib); err == nil {
			m.Memory = Bytes(kib << 10)
		}
	}
	return m
}

func procField(text, name string) string {
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Ended counts actions by how they ended.
type Ended struct {
	Reply     uint64 `json:"reply"`
	Error     uint64 `json:"error"` // the server answered, and refused
	Timeout   uint64 `json:"timeout"`
	Cancelled uint64 `json:"cancelled"`
	Unsent    uint64 `json:"disconnected_unsent"`
	Maybe     uint64 `json:"disconnected_maybe"`
	Rejected  uint64 `json:"rejected"` // refused before anything was sent: not ready, no room
}

// Total returns how many actions ended.
func (e Ended) Total() uint64 {
	return e.Reply + e.Error + e.Timeout + e.Cancelled + e.Unsent + e.Maybe + e.Rejected
}

// Failed returns how many actions ended other than by a reply that was no error.
func (e Ended) Failed() uint64 { return e.Total() - e.Reply }

// Add adds another count.
func (e *Ended) Add(o Ended) {
	e.Reply += o.Reply
	e.Error += o.Error
	e.Timeout += o.Timeout
	e.Cancelled += o.Cancelled
	e.Unsent += o.Unsent
	e.Maybe += o.Maybe
	e.Rejected += o.Rejected
}

// A Tally is the outcome of some actions. Response times count from the intended start, service times from the
// write, both in microseconds. A percentile with fewer than ten samples beyond it is left out.
type Tally struct {
	Sent  uint64  `json:"sent"`
	Ended Ended   `json:"ended"`
	Rate  float64 `json:"rate"` // answered actions a second

	P50   int64 `json:"p50_us,omitempty"`
	P90   int64 `json:"p90_us,omitempty"`
	P95   int64 `json:"p95_us,omitempty"`
	P99   int64 `json:"p99_us,omitempty"`
	P999  int64 `json:"p999_us,omitempty"`
	P9999 int64 `json:"p9999_us,omitempty"`
	Mean  int64 `json:"mean_us,omitempty"`
	Max   int64 `json:"max_us,omitempty"`

	ServiceP50   int64 `json:"service_p50_us,omitempty"`
	ServiceP90   int64 `json:"service_p90_us,omitempty"`
	ServiceP95   int64 `json:"service_p95_us,omitempty"`
	ServiceP99   int64 `json:"service_p99_us,omitempty"`
	ServiceP999  int64 `json:"service_p999_us,omitempty"`
	ServiceP9999 int64 `json:"service_p9999_us,omitempty"`
	ServiceMean  int64 `json:"service_mean_us,omitempty"`
	ServiceMax   int64 `json:"service_max_us,omitempty"`
}

// Answered returns how many actions the server answered, with an error or without.
func (t *Tally) Answered() uint64 { return t.Ended.Reply + t.Ended.Error }

// Latency fills in the percentiles.
func (t *Tally) Latency(response, service Summary) {
	t.P50, t.P90, t.P95, t.P99 = response.P50, response.P90, response.P95, response.P99
	t.P999, t.P9999, t.Mean, t.Max = response.P999, response.P9999, response.Mean, response.Max
	t.ServiceP50, t.ServiceP90, t.ServiceP95, t.ServiceP99 = service.P50, service.P90, service.P95, service.P99
	t.ServiceP999, t.ServiceP9999, t.ServiceMean, t.ServiceMax = service.P999, service.P9999, service.Mean, service.Max
}

// ActionPart is the share of one action of the mix.
type ActionPart struct {
	Name string `json:"name"`
	Tally
}

// NodePart is the share of one node.
type NodePart struct {
	Node      string  `json:"node"`
	Condition string  `json:"condition"` // "healthy", or what the profile made of the node
	Weight    float64 `json:"weight"`
	Tally
	Starvation      int64  `json:"starvation_us"`
	Events          uint64 `json:"events,omitempty"` // delivered
	EventDrops      uint64 `json:"event_drops,omitempty"`
	EventGaps       uint64 `json:"event_gaps,omitempty"`
	EventStarvation int64  `json:"event_starvation_us,omitempty"`
	Reconnects      uint64 `json:"reconnects,omitempty"`
	Dropped         uint64 `json:"dropped,omitempty"` // due, and never sent for want of room
	Response        string `json:"response_histogram,omitempty"`
	Service         string `json:"service_histogram,omitempty"`
}

// WorkerPart is the share of one of the processes that the load came from.
type WorkerPart struct {
	Name   string  `json:"name"`
	Nodes  int     `json:"nodes"`
	Share  float64 `json:"share"` // of the load that it had to do, from 0 to 1
	Sent   uint64  `json:"sent"`
	Ended  Ended   `json:"ended"`
	Rate   float64 `json:"rate"` // answered actions a second, over the time that all took
	P50    int64   `json:"p50_us,omitempty"`
	P99    int64   `json:"p99_us,omitempty"`
	Skew   int64   `json:"skew_us"`             // from the instant of the start to when it began
	Lag    int64   `json:"lag_us"`              // p99 of its own lateness, open loop
	Error  int64   `json:"clock_error_us"`      // its clock is known to so much: half the fastest round trip
	Drift  int64   `json:"drift_us,omitempty"`  // of its clock against the coordinator's, over the run
	Silent int64   `json:"silent_us,omitempty"` // longest time in which it was not heard, when that was long
	Lost   string  `json:"lost,omitempty"`      // why its figures end before the end
}

// Healthy reports whether the profile left the node alone.
func (n *NodePart) Healthy() bool { return n.Condition == "healthy" }

// Queue is the high-water mark of one kind of queue, on the node where it was nearest its cap.
type Queue struct {
	Name string `json:"name"`
	Unit string `json:"unit"` // "actions", "bytes", "events"
	High uint64 `json:"high"`
	Cap  uint64 `json:"cap"`
	Node string `json:"node,omitempty"`
}

// Fill returns the mark in percent of the cap.
func (q *Queue) Fill() float64 {
	if q.Cap == 0 {
		return 0
	}
	return 100 * float64(q.High) / float64(q.Cap)
}

// Events is what became of the numbered events, or of the events workload's.
type Events struct {
	Expected  uint64  `json:"expected,omitempty"` // written by the simulator to the sessions; 0 for a real server
	Delivered uint64  `json:"delivered"`
	Dropped   uint64  `json:"dropped"`          // by a full ring, marked in the stream
	Gaps      uint64  `json:"gaps"`             // marks for lost sessions
	Missing   uint64  `json:"missing"`          // numbers that never came and that no mark explains
	Disorder  uint64  `json:"disorder"`         // numbers out of order within a node
	HeldUp    int64   `json:"held_up_us"`       // longest that the paced consumer was not woken in time; no part of starvation
	Rate      float64 `json:"rate"`             // a second
	P50       int64   `json:"p50_us,omitempty"` // from send to delivery, events workload
	P99       int64   `json:"p99_us,omitempty"`
	P999      int64   `json:"p999_us,omitempty"`
	Max       int64   `json:"max_us,omitempty"`
}

// Latency fills in the percentiles.
func (e *Events) Latency(s Summary) { e.P50, e.P99, e.P999, e.Max = s.P50, s.P99, s.P999, s.Max }

// Calls is what became of the calls workload's channels.
type Calls struct {
	Originated uint64 `json:"originated"`
	Answered   uint64 `json:"answered"` // OriginateResponse: Success
	Failed     uint64 `json:"failed"`
	HungUp     uint64 `json:"hung_up"`
	Left       uint64 `json:"left"`                    // channels of ours that still were there at the end
	Peak       uint64 `json:"peak"`                    // most at one time
	Channels   uint64 `json:"channels_peak,omitempty"` // of the whole server, sampled
	HangupP50  int64  `json:"hangup_p50_us,omitempty"` // from the intended start to Hangup
	HangupP99  int64  `json:"hangup_p99_us,omitempty"`
	HangupMax  int64  `json:"hangup_max_us,omitempty"`
}

// Interval is what happened in a short stretch of a run. It is also the line that a live run writes.
type Interval struct {
	At         float64 `json:"at_s"` // end of the stretch, from the start of the measurement; negative in the warm-up
	Length     float64 `json:"length_s"`
	Target     float64 `json:"target,omitempty"` // intended rate, open loop
	Sent       uint64  `json:"sent"`
	Ended      uint64  `json:"ended"`
	Failed     uint64  `json:"failed"`
	Rate       float64 `json:"rate"`
	P50        int64   `json:"p50_us,omitempty"` // as Pooled says
	P99        int64   `json:"p99_us,omitempty"`
	Max        int64   `json:"max_us,omitempty"`
	ServiceP50 int64   `json:"service_p50_us,omitempty"`
	ServiceP99 int64   `json:"service_p99_us,omitempty"`
	InFlight   uint64  `json:"in_flight"`
	Backlog    uint64  `json:"backlog,omitempty"` // due and not sent
	Events     uint64  `json:"events,omitempty"`
	Queued     uint64  `json:"queued_events,omitempty"`
	Ready      int     `json:"ready"` // nodes
	RSS        Bytes   `json:"rss"`
	Heap       Bytes   `json:"heap"`
	Goroutines uint64  `json:"goroutines"`
	Channels   uint64  `json:"channels,omitempty"`
	WarmUp     bool    `json:"warm_up,omitempty"`
}

// readResult reads a result file.
func readResult(r io.Reader) (*Result, error) {
	var res Result
	if err := json.NewDecoder(r).Decode(&res); err != nil {
		return nil, fmt.Errorf("bench: result: %w", err)
	}
	if res.Schema != Schema {
		return nil, fmt.Errorf("bench: result: schema %d, this amictl reads %d", res.Schema, Schema)
	}
	for i := range res.Nodes {
		if !(res.Nodes[i].Weight > 0) {
			return nil, fmt.Errorf("bench: result: node %q has no weight", res.Nodes[i].Node)
		}
	}
	return &res, nil
}

// ReadResultFile reads a result file by name.
func ReadResultFile(name string) (*Result, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("bench: result: %w", err)
	}
	defer func() { _ = f.Close() }()
	res, err := readResult(f)
	if err != nil {
		return nil, fmt.Errorf("%w (%s)", err, name)
	}
	return res, nil
}

// Write writes the result as indented JSON.
func (r *Result) Write(w io.Writer) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("bench: result: %w", err)
	}
	if _, err := w.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("bench: result: %w", err)
	}
	return nil
}

// WriteFile writes the result to a file, whole or not at all: a reader never sees half of it.
func (r *Result) WriteFile(name string) error {
	return atomicfile.Write(name, atomicfile.Public, r.Write)
}
