package wire

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// read returns what a Reader yields, in words.
func read(r *Reader) (got []string) {
	for m, err := range r.All() {
		var limit *LimitError
		var cut *TruncatedError
		switch {
		case errors.As(err, &limit):
			got = append(got, "over "+limit.What)
		case errors.As(err, &cut):
			got = append(got, fmt.Sprint("cut ", cut.Bytes))
		case err != nil:
			got = append(got, err.Error())
		default:
			got = append(got, m.Kind().String()+" "+m.Name())
		}
	}
	return got
}

func TestReader(t *testing.T) {
	const banner, event, reply = "Asterisk Call Manager/11.0.0\r\n", "Event: A\r\nN: 1\r\n\r\n", "Response: Success\r\n\r\n"
	long := "Event: B\r\nX: " + strings.Repeat("x", 100) + "\r\n\r\n"
	for name, tt := range map[string]struct {
		stream string
		limits Limits
		want   []string
	}{
		"nothing":                        {"", Limits{}, nil},
		"blank lines":                    {"\r\n\r\n", Limits{}, nil},
		"a capture":                      {banner + event + reply, Limits{}, []string{"banner ", "event A", "response Success"}},
		"a capture without its banner":   {event + "\r\n\r\n" + event, Limits{}, []string{"event A", "event A"}},
		"LF alone":                       {strings.ReplaceAll(event+reply, "\r", ""), Limits{}, []string{"event A", "response Success"}},
		"cut in a packet":                {event + event[:12], Limits{}, []string{"event A", "cut 12"}},
		"cut in front of a blank line":   {event[:len(event)-2], Limits{}, []string{fmt.Sprint("cut ", len(event)-2)}},
		"a packet over a limit":          {event + long + reply, Limits{Packet: 64}, []string{"event A", "over packet", "response Success"}},
		"a line over a limit":            {long + reply, Limits{Line: 50}, []string{"over line", "response Success"}},
		"the last one is over a limit":   {event + long, Limits{Packet: 64}, []string{"event A", "over packet"}},
		"cut behind what is over":        {long[:80], Limits{Line: 50}, []string{"over line", "cut 0"}},
		"limits that cannot be honoured": {event, Limits{Packet: 9 << 20}, []string{"wire: the limit Packet is 9437184, and must be between 0 (its default, 1048576) and 8388608"}},
	} {
		for how, in := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "by the byte": iotest.OneByteReader, "with its end": iotest.DataErrReader,
		} {
			got := read(NewReader(in(strings.NewReader(tt.stream)), tt.limits))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", name, how, diff)
			}
		}
	}
}

func TestReaderErrors(t *testing.T) {
	broken := errors.New("the disk is gone")
	const event = "Event: A\r\n\r\n"
	for name, tt := range map[string]struct {
		in   io.Reader
		want []string
	}{
		"it fails between packets": {io.MultiReader(strings.NewReader(event), iotest.ErrReader(broken)), []string{"event A", broken.Error()}},
		"it fails in a packet":     {io.MultiReader(strings.NewReader(event+"Event"), iotest.ErrReader(broken)), []string{"event A", broken.Error()}},
		"it never gives anything":  {empty{}, []string{io.ErrNoProgress.Error()}},
	} {
		if diff := cmp.Diff(tt.want, read(NewReader(tt.in, Limits{}))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

type empty struct{}

func (empty) Read([]byte) (int, error) { return 0, nil }

// Who leaves the loop may go on with another one: nothing between is lost.
func TestReaderGoesOn(t *testing.T) {
	r := NewReader(strings.NewReader("Event: A\r\n\r\nEvent: B\r\n\r\nEvent: C\r\n\r\n"), Limits{})
	var got []string
	for range 4 {
		for m := range r.All() {
			got = append(got, m.Name())
			break
		}
	}
	if diff := cmp.Diff([]string{"A", "B", "C"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A limit is honoured as it is, or refused: nothing is cut down in silence.
func TestLimitsCheck(t *testing.T) {
	for name, tt := range map[string]struct {
		limits Limits
		ok     bool
	}{
		"none":             {Limits{}, true},
		"the defaults":     {Limits{Banner: DefaultBanner, Line: DefaultLine, Headers: DefaultHeaders, Packet: DefaultPacket, Answer: DefaultAnswer}, true},
		"the smallest":     {Limits{Banner: 1, Line: 1, Headers: 1, Packet: 1, Answer: 1}, true},
		"the largest":      {Limits{Banner: 8 << 20, Line: 8 << 20, Headers: 4 << 20, Packet: 8 << 20, Answer: 16 << 20}, true},
		"Banner too large": {Limits{Banner: 8<<20 + 1}, false},
		"Line too large":   {Limits{Line: 8<<20 + 1}, false},
		"Headers too many": {Limits{Headers: 4<<20 + 1}, false},
		"Packet too large": {Limits{Packet: 8<<20 + 1}, false},
		"Answer too large": {Limits{Answer: 16<<20 + 1}, false},
		"negative":         {Limits{Headers: -1}, false},
	} {
		err := tt.limits.Check()
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
		d := NewDecoder(tt.limits)
		d.Feed([]byte("Event: A\r\n\r\n"))
		if _, next := d.Next(); err != nil && !errors.Is(next, err) && next.Error() != err.Error() {
			t.Errorf("%s: a decoder says %v", name, next)
		}
	}
}

// The largest packet that the limits allow is decoded, and every line of it is found.
func TestLargestPacket(t *testing.T) {
	line := "Output: " + strings.Repeat("x", 1<<20-10) + "\r\n"
	text := "Response: Success\r\nA: " + strings.Repeat("a", 8<<20-100) + "\r\n" + strings.Repeat(line, 7) + "Z: end\r\n\r\n"
	d := NewDecoder(Limits{Line: 8 << 20, Packet: 8 << 20, Answer: 16 << 20})
	d.Feed([]byte(text))
	m, err := d.Next()
	if err != nil || m.Text() != text || m.Len() != 10 || m.Get("Z") != "end" || len(m.Get("A")) != 8<<20-100 {
		t.Fatalf("%v, %d lines in %d bytes of %d", err, m.Len(), len(m.Text()), len(text))
	}
	for value := range m.Values("Output") {
		if len(value) != 1<<20-10 {
			t.Fatalf("a line of %d bytes", len(value))
		}
	}
}
