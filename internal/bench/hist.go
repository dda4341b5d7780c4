package bench

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Geometry of the histograms. Values are microseconds.
const (
	highest     = int64(time.Hour / time.Microsecond)
	fullDigits  = 3 // 0.1 %
	smallDigits = 2 // 1 %: a node's own, where 5,000 of them must be small
)

// beyond is how many samples must lie beyond a percentile before it means anything.
const beyond = 10

// A Histogram takes latencies in microseconds, exact to 0.1 %, in about 170 KiB. It is not safe for concurrent use.
type Histogram struct{ h *hdrhistogram.Histogram }

// NewHistogram returns an empty histogram from 1 µs to one hour.
func NewHistogram() *Histogram {
	return &Histogram{hdrhistogram.New(1, highest, fullDigits)}
}

// micros returns a duration in whole microseconds, at least 1, at most the histograms' highest.
func micros(d time.Duration) int64 {
	return min(highest, max(1, int64(d/time.Microsecond)))
}

// Record takes a latency, in microseconds as from Micros.
func (h *Histogram) Record(us int64) { _ = h.h.RecordValue(us) }

// Count returns how many latencies were taken.
func (h *Histogram) Count() int64 { return h.h.TotalCount() }

// Max returns the largest latency in microseconds.
func (h *Histogram) Max() int64 { return h.h.Max() }

// Quantile returns the latency below which percent of all are, in microseconds, however few there are.
func (h *Histogram) Quantile(percent float64) int64 { return h.h.ValueAtPercentile(percent) }

// Merge adds another's latencies.
func (h *Histogram) Merge(o *Histogram) { h.h.Merge(o.h) }

// Reset forgets all latencies.
func (h *Histogram) Reset() { h.h.Reset() }

// Encode returns the histogram in HdrHistogram's V2 compressed form, base64, which other HdrHistogram tools read too.
func (h *Histogram) Encode() (string, error) {
	b, err := h.h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return "", fmt.Errorf("bench: encode histogram: %w", err)
	}
	return string(b), nil
}

// maxEncoded bounds an encoded histogram that a file may make us decode.
const maxEncoded = 4 << 20

// DecodeHistogram reads what Encode wrote.
func DecodeHistogram(s string) (*Histogram, error) {
	if len(s) > maxEncoded {
		return nil, fmt.Errorf("bench: decode histogram: %d bytes are too many", len(s))
	}
	if _, err := base64.StdEncoding.DecodeString(s); err != nil {
		return nil, fmt.Errorf("bench: decode histogram: %w", err)
	}
	got, err := hdrhistogram.Decode([]byte(s))
	if err != nil {
		return nil, fmt.Errorf("bench: decode histogram: %w", err)
	}
	// Merging into our own geometry refuses, instead of silently keeping, what would not fit it.
	h := NewHistogram()
	if dropped := h.h.Merge(got); dropped > 0 {
		return nil, fmt.Errorf("bench: decode histogram: %d values are out of range", dropped)
	}
	return h, nil
}

// Sparse returns the histogram in little time and, where most buckets are empty, little room: varints, for each bucket that is
// not empty how far behind the last such one it is, and its count.
func (h *Histogram) Sparse() (b []byte) {
	last := 0
	for i, n := range h.h.Export().Counts {
		if n > 0 {
			b = binary.AppendUvarint(b, uint64(i-last))
			b = binary.AppendUvarint(b, uint64(n))
			last = i
		}
	}
	return b
}

// Counts are the counts of a Histogram's buckets: what adds up many quickly. It takes 188 KiB.
type Counts struct{ n []int64 }

// buckets is how many a Histogram has.
var buckets = sync.OnceValue(func() int { return len(hdrhistogram.New(1, highest, fullDigits).Export().Counts) })

// NewCounts returns the counts of an empty histogram.
func NewCounts() *Counts { return &Counts{make([]int64, buckets())} }

// AddSparse adds to each of the counts what Histogram.Sparse returned.
func AddSparse(b []byte, to ...*Counts) error {
	at, all := uint64(0), uint64(buckets())
	for len(b) > 0 {
		step, n := binary.Uvarint(b)
		count, m := binary.Uvarint(b[max(n, 0):])
		if n <= 0 || m <= 0 {
			return errors.New("bench: decode histogram: cut short")
		}
		b = b[n+m:]
		if at += step; step >= all || at >= all || count > math.MaxInt64 {
			return errors.New("bench: decode histogram: out of range")
		}
		for _, c := range to {
			c.n[at] += int64(count)
		}
	}
	return nil
}

// Add adds another's.
func (c *Counts) Add(o *Counts) {
	for i, n := range o.n {
		c.n[i] += n
	}
}

// Histogram is that of the counts so far, which it does not share.
func (c *Counts) Histogram() *Histogram {
	return &Histogram{hdrhistogram.Import(&hdrhistogram.Snapshot{
		LowestTrackableValue: 1, HighestTrackableValue: highest, SignificantFigures: fullDigits, Counts: slices.Clone(c.n),
	})}
}

// A Point is one of a percentile curve.
type Point struct {
	Percent float64 `json:"percent"`
	Micros  int64   `json:"us"`
}

// Curve returns the percentile curve as far as it means anything: ever closer to 100 %, one point a tick and ten
// ticks each time the distance to 100 % falls by ten.
func (h *Histogram) Curve() []Point {
	var out []Point
	n := h.Count()
	for i := 0; n > 0; i++ {
		p := 100 * (1 - math.Pow(10, -float64(i)/10))
		if !meaningful(p, n) {
			break
		}
		out = append(out, Point{p, h.Quantile(p)})
	}
	return out
}

// meaningful reports whether n samples are enough for a percentile: at least ten must lie beyond it.
func meaningful(percent float64, n int64) bool {
	// 100-99.9 is a little less than 0.1; the nudge keeps exactly ten samples ten.
	return float64(n)*(100-percent)/100 >= beyond-1e-6
}

// A Summary is what is said of a histogram, in microseconds. A percentile that is 0 has too few samples beyond it.
type Summary struct {
	Count                           int64
	P50, P90, P95, P99, P999, P9999 int64
	Mean, Max                       int64
}

// percents are the percentiles of a Summary.
var percents = []float64{50, 90, 95, 99, 99.9, 99.99}

func sumUp(n int64, mean float64, maxValue int64, at func([]float64) []int64) Summary {
	s := Summary{Count: n}
	if n == 0 {
		return s
	}
	s.Mean, s.Max = int64(mean), maxValue
	values := at(percents)
	for i, p := range []*int64{&s.P50, &s.P90, &s.P95, &s.P99, &s.P999, &s.P9999} {
		if meaningful(percents[i], n) {
			*p = values[i]
		}
	}
	return s
}

// Summary sums the histogram up.
func (h *Histogram) Summary() Summary {
	return sumUp(h.Count(), h.h.Mean(), h.Max(), h.h.ValueAtPercentilesSlice)
}

// brief is as much of a Summary as an interval shows: the count, P50, P99 and Max. It is made in one pass.
func (h *Histogram) brief() Summary {
	s := Summary{Count: h.Count()}
	if s.Count == 0 {
		return s
	}
	values := h.h.ValueAtPercentilesSlice([]float64{50, 99, 100})
	s.Max = values[2]
	if meaningful(50, s.Count) {
		s.P50 = values[0]
	}
	if meaningful(99, s.Count) {
		s.P99 = values[1]
	}
	return s
}

// A Small is a histogram exact to 1 % that takes room only for the latencies that it has seen: a few KiB. It is not
// safe for concurrent use.
type Small struct{ h *hdrhistogram.PackedHistogram }

// Record takes a latency, in microseconds as from Micros.
func (s *Small) Record(us int64) {
	if s.h == nil {
		s.h = hdrhistogram.NewPacked(1, highest, smallDigits)
	}
	_ = s.h.RecordValue(us)
}

// Count returns how many latencies were taken.
func (s *Small) Count() int64 {
	if s.h == nil {
		return 0
	}
	return s.h.TotalCount()
}

// Summary sums the histogram up.
func (s *Small) Summary() Summary {
	if s.h == nil {
		return Summary{}
	}
	return sumUp(s.h.TotalCount(), s.h.Mean(), s.h.Max(), s.h.ValueAtPercentilesSlice)
}

// Merge adds another's latencies.
func (s *Small) Merge(o *Small) {
	switch {
	case o.h == nil:
	case s.h == nil:
		s.h = o.h.Clone()
	default:
		s.h.Merge(o.h)
	}
}

// Bytes returns the memory that the histogram takes.
func (s *Small) Bytes() int {
	if s.h == nil {
		return 0
	}
	return s.h.GetMemorySize()
}

// Encode returns the histogram's buckets as pairs of a latency's distance from the one before and a count, varints in
// base64; "" when it is empty. It is not HdrHistogram's own form, whose compressor takes most of a MiB and a
// millisecond for each of what may be ten thousand histograms.
func (s *Small) Encode() string {
	if s.h == nil {
		return ""
	}
	dense := hdrhistogram.New(1, highest, smallDigits)
	s.h.MergeInto(dense)
	return base64.RawStdEncoding.EncodeToString(bars(dense))
}

// bars writes the buckets that are not empty: pairs of a latency's distance from the one before and a count.
func bars(h *hdrhistogram.Histogram) (b []byte) {
	last := int64(0)
	for _, bar := range h.Distribution() {
		if bar.Count > 0 {
			b = binary.AppendUvarint(b, uint64(bar.From-last))
			b = binary.AppendUvarint(b, uint64(bar.Count))
			last = bar.From
		}
	}
	return b
}

// eachBar reads what bars wrote.
func eachBar(b []byte, record func(value, count int64) error) error {
	value := uint64(0)
	for len(b) > 0 {
		step, n := binary.Uvarint(b)
		count, m := binary.Uvarint(b[max(n, 0):])
		if n <= 0 || m <= 0 {
			return errors.New("bench: decode histogram: cut short")
		}
		b = b[n+m:]
		value += step
		if step > uint64(highest) || value > uint64(highest) || count > math.MaxInt64 {
			return errors.New("bench: decode histogram: out of range")
		}
		if err := record(int64(value), int64(count)); err != nil {
			return fmt.Errorf("bench: decode histogram: %w", err)
		}
	}
	return nil
}

// DecodeSmall reads what Small.Encode wrote.
func DecodeSmall(text string) (*Small, error) {
	s := &Small{}
	if len(text) > maxEncoded {
		return nil, fmt.Errorf("bench: decode histogram: %d bytes are too many", len(text))
	}
	b, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("bench: decode histogram: %w", err)
	}
	if len(b) > 0 {
		s.h = hdrhistogram.NewPacked(1, highest, smallDigits)
	}
	if err := eachBar(b, func(value, count int64) error { return s.h.RecordValues(value, count) }); err != nil {
		return nil, err
	}
	return s, nil
}

// FormatMicros writes microseconds for people, three digits of them: "812µs", "12.3ms", "1.85s". 0 is "-".
func FormatMicros(us int64) string {
	switch f := float64(us); {
	case us <= 0:
		return "-"
	case us < 1000:
		return fmt.Sprintf("%dµs", us)
	case us < 10_000:
		return fmt.Sprintf("%.2fms", f/1e3)
	case us < 100_000:
		return fmt.Sprintf("%.1fms", f/1e3)
	case us < 1_000_000:
		return fmt.Sprintf("%.0fms", f/1e3)
	case us < 10_000_000:
		return fmt.Sprintf("%.2fs", f/1e6)
	default:
		return fmt.Sprintf("%.1fs", f/1e6)
	}
}
