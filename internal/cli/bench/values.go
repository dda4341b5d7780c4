package bench

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/apntalk/amictl/internal/bench"
)

// positive is a flag with a number of more than 0.
type positive struct{ v float64 }

func (n *positive) Set(s string) error {
	v, err := strconv.ParseFloat(strings.TrimSuffix(s, "/s"), 64)
	if err != nil || !(v > 0) || math.IsInf(v, 0) {
		return errors.New("not a number of more than 0")
	}
	n.v = v
	return nil
}

func (n *positive) String() string {
	if n.v == 0 {
		return ""
	}
	return strconv.FormatFloat(n.v, 'g', -1, 64)
}

func (n *positive) Get() any { return n.v }

// size is a flag with a number of bytes.
type size struct{ v bench.Bytes }

func (s *size) Set(text string) error {
	v, err := bench.ParseBytes(text)
	if err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "bench: "))
	}
	s.v = v
	return nil
}

func (s *size) String() string {
	if s.v == 0 {
		return ""
	}
	return s.v.String()
}

func (s *size) Get() any { return s.v }
