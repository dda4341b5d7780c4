package bench

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes is a size. Text gives it with a unit: KiB, MiB and GiB are powers of 1,024, KB, MB and GB of 1,000.
type Bytes uint64

var byteUnits = []struct {
	name string
	size float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1},
}

// ParseBytes reads a size such as "256MiB". The unit must be there.
func ParseBytes(s string) (Bytes, error) {
	s = strings.TrimSpace(s)
	for _, u := range byteUnits {
		number, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || v < 0 || math.IsNaN(v) || v*u.size >= 1<<63 {
			return 0, fmt.Errorf("bench: %q is not a size", s)
		}
		return Bytes(v * u.size), nil
	}
	return 0, errors.New("bench: a size needs a unit: B, KiB, MiB, GiB, KB, MB or GB")
}

// String writes the size in the largest power of 1,024 that it fills.
func (b Bytes) String() string {
	switch f := float64(b); {
	case f >= 1<<30:
		return fmt.Sprintf("%.2fGiB", f/(1<<30))
	case f >= 1<<20:
		return fmt.Sprintf("%.1fMiB", f/(1<<20))
	case f >= 1<<10:
		return fmt.Sprintf("%.1fKiB", f/(1<<10))
	default:
		return fmt.Sprintf("%dB", uint64(b))
	}
}
