package run

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

const longestLine = 1 << 20 // bytes of one line of input

// ErrLongLine is of a line that was skipped; the next one can be read.
var ErrLongLine = errors.New("it is longer than 1 MiB")

// ReadLine reads one line without its end. A line that is too long is ErrLongLine and is skipped; the error at the end is
// io.EOF, and any other one the input's: what it left of a line is dropped.
func ReadLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadSlice('\n')
	if err == nil {
		return string(line[:len(line)-1]), nil
	}
	var long []byte
	for errors.Is(err, bufio.ErrBufferFull) {
		if len(long) <= longestLine {
			long = append(long, line...)
		}
		line, err = in.ReadSlice('\n')
	}
	long = append(long, line...)
	text := strings.TrimSuffix(string(long), "\n")
	if len(text) > longestLine {
		return "", ErrLongLine
	}
	if err != nil && (text == "" || !errors.Is(err, io.EOF)) {
		return "", err
	}
	return text, nil
}
