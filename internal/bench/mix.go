package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// defaultMix is the mix of a run that names none.
const defaultMix = "ping=8,corestatus=1,command=1"

// userEvent is the UserEvent header of what the generator itself sends.
const userEvent = "AmictlBench"

// A field is one header of an action.
type field = wire.Field

// A kind is one action of a mix.
type kind struct {
	Name    string // as it is reported
	Action  string // as it is sent
	Weight  uint64
	Timeout time.Duration // 0: the run's
	Await   bool          // an Originate that ends by its OriginateResponse
	fields  []header
}

// A header is one whose value may hold marks; parts alternate between text and marks.
type header struct {
	name  string
	value string // when there is no mark in it
	parts []part
}

type part struct {
	text string
	mark mark
}

type mark uint8

const (
	markNone mark = iota
	markNode
	markN
	markRun
	markT
)

var marks = sync.OnceValue(func() map[string]mark {
	return map[string]mark{".Node": markNode, ".N": markN, ".Run": markRun, ".T": markT}
})

// vars are what stands for the marks of a value.
type vars struct {
	Node string        // {{.Node}}
	Run  string        // {{.Run}}
	N    uint64        // {{.N}}, the action's number in the run
	T    time.Duration // {{.T}}, in nanoseconds: when the action was meant to start, from the start of the run
}

// A Mix chooses actions by weight. It is fixed once made, and any goroutine may use it.
type Mix struct {
	kinds []kind
	upto  []uint64 // upto[i] is the sum of the weights of kinds[0..i]
	text  string
}

// known are the actions that a mix names by word, all of them read-only.
var known = sync.OnceValue(func() map[string]kind {
	return map[string]kind{
		"ping":             {Action: "Ping"},
		"corestatus":       {Action: "CoreStatus"},
		"coresettings":     {Action: "CoreSettings"},
		"command":          {Action: "Command", fields: []header{{name: "Command", value: "core show uptime"}}},
		"listcommands":     {Action: "ListCommands"},
		"channels":         {Action: "CoreShowChannels"},
		"coreshowchannels": {Action: "CoreShowChannels"},
		"queuestatus":      {Action: "QueueStatus"},
		"queuesummary":     {Action: "QueueSummary"},
		"status":           {Action: "Status"},
		"getvar":           {Action: "Getvar", fields: []header{{name: "Variable", value: "EPOCH"}}},
		"userevent": {Action: "UserEvent", fields: []header{
			{name: "UserEvent", value: userEvent},
			{name: "Run", parts: []part{{mark: markRun}}},
			{name: "N", parts: []part{{mark: markN}}},
			{name: "T", parts: []part{{mark: markT}}},
		}},
	}
})

// newCallMix returns the mix of the calls workload: an Originate that ends by its OriginateResponse, with a ChannelId
// that says whose the channel is. The far end waits for as long as a call is to last.
func newCallMix(channel string, hold, timeout time.Duration) *Mix {
	ring := max(time.Second, timeout-time.Second)
	return &Mix{text: "originate", upto: []uint64{1}, kinds: []kind{{
		Name: "originate", Action: "Originate", Weight: 1, Await: true,
		fields: []header{
			{name: "Channel", value: channel},
			{name: "Application", value: "Wait"},
			{name: "Data", value: strconv.FormatFloat(hold.Seconds(), 'f', -1, 64)},
			{name: "Timeout", value: strconv.FormatInt(ring.Milliseconds(), 10)},
			{name: "Async", value: "true"},
			{name: "ChannelId", parts: []part{{channelPrefix, markRun}, {"-", markN}}},
			{name: "OtherChannelId", parts: []part{{channelPrefix, markRun}, {"-", markN}, {"-2", markNone}}},
		},
	}}}
}

// knownActions returns the words that parseMix takes, sorted.
func knownActions() []string {
	names := make([]string, 0, len(known()))
	for n := range known() {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// MixError says what is wrong with a mix.
type MixError struct {
	Entry string // the part at fault, "" for the whole
	Why   string
}

func (e *MixError) Error() string {
	if e.Entry == "" {
		return "bench: mix: " + e.Why
	}
	return fmt.Sprintf("bench: mix: %q %s", e.Entry, e.Why)
}

// parseMix reads a mix like "ping=8,corestatus=1,command=1". A word without a weight has weight 1. Errors are
// *MixError.
func parseMix(s string) (*Mix, error) {
	var kinds []kind
	for entry := range strings.SplitSeq(s, ",") {
		entry = strings.TrimSpace(entry)
		name, weight, hasWeight := strings.Cut(entry, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		k, ok := known()[name]
		if !ok {
			return nil, &MixError{entry, "is not a known action; known are " + strings.Join(knownActions(), ", ") +
				"; others go into a JSON file"}
		}
		k.Name, k.Weight = name, 1
		if hasWeight {
			w, err := strconv.ParseUint(strings.TrimSpace(weight), 10, 32)
			if err != nil || w == 0 {
				return nil, &MixError{entry, "needs a whole weight from 1"}
			}
			k.Weight = w
		}
		kinds = append(kinds, k)
	}
	return newMix(s, kinds)
}

// kindJSON is an entry of a mix file.
type kindJSON struct {
	Name    string          `json:"name"`
	Action  string          `json:"action"`
	Weight  *uint64         `json:"weight"`
	Timeout Duration        `json:"timeout"`
	Await   bool            `json:"await_originate"`
	Fields  json.RawMessage `json:"fields"`
}

// ReadMix reads a mix from JSON: an array of objects with action, weight (1), name (the action), timeout, and fields,
// an object whose values are strings or arrays of strings (a header that repeats). In a value {{.Node}} becomes the
// node's name, {{.N}} the action's number in the run, {{.Run}} the run's id, and {{.T}} the nanoseconds from the start
// of the run to when the action was meant to start. Errors are *MixError.
func ReadMix(r io.Reader) (*Mix, error) {
	data, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("bench: mix: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var entries []kindJSON
	if err := dec.Decode(&entries); err != nil {
		return nil, &MixError{"", err.Error()}
	}
	var kinds []kind
	for _, e := range entries {
		k := kind{Name: e.Name, Action: e.Action, Weight: 1, Timeout: time.Duration(e.Timeout), Await: e.Await}
		if e.Weight != nil {
			k.Weight = *e.Weight
		}
		if k.Name == "" {
			k.Name = k.Action
		}
		switch {
		case k.Action == "":
			return nil, &MixError{k.Name, "has no action"}
		case k.Weight == 0 || k.Weight > 1<<32:
			return nil, &MixError{k.Name, "needs a weight from 1"}
		case k.Timeout < 0:
			return nil, &MixError{k.Name, "has a negative timeout"}
		}
		if k.fields, err = readFields(e.Fields); err != nil {
			return nil, &MixError{k.Name, err.Error()}
		}
		kinds = append(kinds, k)
	}
	var text bytes.Buffer
	if err := json.Compact(&text, data); err != nil {
		return nil, &MixError{"", err.Error()}
	}
	return newMix(text.String(), kinds)
}

// readFields keeps the object's order, which decoding into a map would lose.
func readFields(raw json.RawMessage) ([]header, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("has fields that are not an object")
	}
	var out []header
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var v any
		if err := dec.Decode(&v); err != nil {
			return nil, err
		}
		values, ok := v.([]any)
		if !ok {
			values = []any{v}
		}
		for _, v := range values {
			s, ok := v.(string)
			if !ok {
				return nil, fmt.Errorf("has a field %v that is not a string", key)
			}
			t, err := parseTemplate(key.(string), s)
			if err != nil {
				return nil, err
			}
			out = append(out, t)
		}
	}
	return out, nil
}

func parseTemplate(name, s string) (header, error) {
	t := header{name: name, value: s}
	for {
		i := strings.Index(s, "{{")
		if i < 0 {
			break
		}
		end := strings.Index(s[i:], "}}")
		if end < 0 {
			return t, fmt.Errorf("has a field %s with {{ and no }}", name)
		}
		word := strings.TrimSpace(s[i+2 : i+end])
		m, ok := marks()[word]
		if !ok {
			return t, fmt.Errorf("has a field %s with {{%s}}; known are {{.Node}}, {{.N}}, {{.Run}} and {{.T}}", name, word)
		}
		t.parts = append(t.parts, part{s[:i], m})
		s = s[i+end+2:]
	}
	if t.parts != nil {
		t.parts, t.value = append(t.parts, part{s, markNone}), ""
	}
	return t, nil
}

func newMix(text string, kinds []kind) (*Mix, error) {
	if len(kinds) == 0 {
		return nil, &MixError{"", "is empty"}
	}
	m := &Mix{kinds: kinds, text: text}
	var sum uint64
	for i, k := range kinds {
		if slices.ContainsFunc(kinds[:i], func(o kind) bool { return o.Name == k.Name }) {
			return nil, &MixError{k.Name, "is named twice"}
		}
		sum += k.Weight
		m.upto = append(m.upto, sum)
	}
	return m, nil
}

// String returns the mix as it was given; a mix from a file is its JSON without white space.
func (m *Mix) String() string { return m.text }

// Kinds returns the mix's actions, which are not to be changed.
func (m *Mix) Kinds() []kind { return m.kinds }

// Choose returns which of Kinds the n-th action of a run with that seed is. It depends on its arguments alone, so
// that a seed gives the same actions whichever goroutine sends them.
func (m *Mix) Choose(seed, n uint64) int {
	if len(m.kinds) == 1 {
		return 0
	}
	x := splitmix(seed+n*0x9e3779b97f4a7c15) % m.upto[len(m.upto)-1]
	for i, u := range m.upto {
		if x < u {
			return i
		}
	}
	return len(m.upto) - 1
}

// splitmix is the finalizer of SplitMix64: every bit of the result depends on every bit of x.
func splitmix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Fields appends the headers of an action of this kind to dst. Only values with marks cost an allocation.
func (k *kind) Fields(dst []field, v *vars) []field {
	for i := range k.fields {
		t := &k.fields[i]
		f := field{Name: t.name, Value: t.value}
		if t.parts != nil {
			f.Value = t.fill(v)
		}
		dst = append(dst, f)
	}
	return dst
}

func (t *header) fill(v *vars) string {
	var room [128]byte
	b := room[:0]
	for _, p := range t.parts {
		b = append(b, p.text...)
		switch p.mark {
		case markNode:
			b = append(b, v.Node...)
		case markN:
			b = strconv.AppendUint(b, v.N, 10)
		case markRun:
			b = append(b, v.Run...)
		case markT:
			b = strconv.AppendInt(b, int64(v.T), 10)
		}
	}
	return string(b)
}
