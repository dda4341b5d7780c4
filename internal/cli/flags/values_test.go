package flags

import "testing"

func TestSize(t *testing.T) {
	for text, want := range map[string]int64{
		"1K": 1 << 10, "64m": 64 << 20, "2G": 2 << 30, "1.5GiB": 3 << 29, "1TB": 1 << 40, "7Mb": 7 << 20,
		"": 0, "0M": 0, "-1M": 0, "5": 0, "5B": 0, "M": 0, "MiB": 0, "5IM": 0, "5X": 0, "5 MB": 0, "NaNM": 0, "infG": 0, "9e30T": 0, "5MM": 0,
	} {
		var z Size
		if err := z.Set(text); (err == nil) != (want > 0) || z.Value != want || z.Given != (want > 0) {
			t.Errorf("%q: %d, %v, want %d", text, z.Value, err, want)
		}
	}
}
