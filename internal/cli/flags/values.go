package flags

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"
)

// Text is a flag with a string value. short is its short name, "" for none.
func Text(name, short, usage string, to *string) cli.Flag { return text(name, short, usage, to) }

func text(name, short, usage string, to *string) *cli.StringFlag {
	f := &cli.StringFlag{Name: name, Usage: usage, Value: *to, Destination: to}
	if short != "" {
		f.Aliases = []string{short}
	}
	return f
}

// A choice is a text for which completion has a few words. Whether it may be another, its subcommand says.
type choice struct {
	*cli.StringFlag
	words []string
}

// Choice is a flag with a string value for which completion offers words.
func Choice(name, short, usage string, to *string, words ...string) cli.Flag {
	return &choice{text(name, short, usage, to), words} // a pointer: urfave/cli compares flags
}

// Choices returns the words of a flag that Choice made, nil for any other.
func Choices(f cli.Flag) []string {
	if c, ok := f.(*choice); ok {
		return c.words
	}
	return nil
}

// List is a flag that may repeat. Commas and spaces are part of a value.
type List []string

func (l *List) Set(s string) error { *l = append(*l, s); return nil }
func (l *List) String() string     { return strings.Join(*l, " ") }
func (l *List) Get() any           { return []string(*l) }

// Duration is a flag with a time. A bare number is refused: it would be guessed.
type Duration struct {
	Value time.Duration
	Given bool
}

func (d *Duration) Set(s string) error {
	v, err := ParseDuration(s)
	if err != nil {
		return err
	}
	d.Value, d.Given = v, true
	return nil
}

func (d *Duration) String() string {
	if !d.Given {
		return ""
	}
	return d.Value.String()
}

func (d *Duration) Get() any { return d.Value }

// ParseDuration reads a time of more than 0 with its unit.
func ParseDuration(s string) (time.Duration, error) {
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

// Count is a flag with a whole number of at least 1.
type Count struct {
	Value int
	Given bool
}

func (c *Count) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return errors.New("not a whole number of at least 1")
	}
	c.Value, c.Given = n, true
	return nil
}

func (c *Count) String() string {
	if !c.Given {
		return ""
	}
	return strconv.Itoa(c.Value)
}

func (c *Count) Get() any { return c.Value }

// Size is a flag with a number of bytes. A bare number is refused: it would be guessed.
type Size struct {
	Value int64
	Given bool
}

func (z *Size) Set(s string) error {
	digits := strings.TrimRight(strings.TrimSuffix(strings.ToUpper(s), "B"), "KMGTI")
	unit := strings.TrimSuffix(strings.ToUpper(s)[len(digits):], "B")
	n, err := strconv.ParseFloat(digits, 64)
	shift, known := map[string]int{"K": 10, "M": 20, "G": 30, "T": 40}[strings.TrimSuffix(unit, "I")]
	switch {
	case err == nil && unit == "":
		return fmt.Errorf("needs a unit, such as %sM or %sG", digits, digits)
	case err != nil || !known:
		return errors.New("not a size such as 500M or 2G")
	case !(n > 0) || n*math.Exp2(float64(shift)) > 1<<60:
		return errors.New("must be more than 0 and less than a million terabytes")
	}
	z.Value, z.Given = int64(n*math.Exp2(float64(shift))), true
	return nil
}

func (z *Size) String() string {
	if !z.Given {
		return ""
	}
	return strconv.FormatInt(z.Value, 10)
}

func (z *Size) Get() any { return z.Value }
