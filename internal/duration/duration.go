// Package duration reads lengths of time as people write them.
package duration

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Parse reads a length of time above 0, with its unit, such as 500ms, 10s or 2m.
func Parse(s string) (time.Duration, error) {
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return 0, fmt.Errorf("needs a unit, such as %ss or %sms", s, s)
	}
	v, err := time.ParseDuration(s)
	switch {
	case err != nil:
		return 0, errors.New("not a time such as 500ms, 10s or 2m")
	case v <= 0:
		return 0, errors.New("must be more than 0")
	}
	return v, nil
}
