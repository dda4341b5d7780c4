package dial

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
)

// numberColumn is the column that every list has.
const numberColumn = "number"

// mostList bounds a list, in bytes: a quote that is never closed takes all that follows.
const mostList = 256 << 20

// A list is what is to be called: rows of named values, one of them the number.
type list struct {
	name    string // as messages call it
	columns []string
	rows    []row
	twice   int // rows whose number an earlier row had, which are left out
}

// A row is one number and what belongs to it.
type row struct {
	line   int
	values []string // of the list's columns
	at     []place  // where each stands
}

// A place is a line and the byte in it, from 1.
type place struct{ line, column int }

// readList reads CSV with a header, or JSON lines. Whatever is wrong is an error that names the place.
func readList(r *run.Run, name string) (*list, error) {
	l := &list{name: name}
	if name == "-" {
		l.name = "standard input"
	}
	file, err := r.Open(name, "dial "+name)
	if err != nil && strings.Trim(name, "+0123456789") == "" {
		return nil, fail.Usage("one call is `amictl originate --channel Local/"+name+"@default --exten 200`; a list has a first line with names, such as number", "dial reads numbers from a file, and %s is none", name)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	limited := &io.LimitedReader{R: file, N: mostList + 1}
	in := bufio.NewReaderSize(limited, 64<<10)
	if mark, _ := in.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) { // as spreadsheets write it
		_, _ = in.Discard(3)
	}
	if isJSON(in) {
		err = l.readJSON(in, l.object)
	} else {
		err = l.readCSV(in)
	}
	switch {
	case limited.N == 0:
		return nil, l.tooLarge()
	case err != nil:
		return nil, err
	}
	return l, l.settle()
}

// isJSON reports whether the first character that is no space begins an object.
func isJSON(in *bufio.Reader) bool {
	for n := 64; ; n *= 2 {
		head, err := in.Peek(n)
		if text := bytes.TrimLeft(head, " \t\r\n"); len(text) > 0 {
			return text[0] == '{'
		}
		if err != nil {
			return false
		}
	}
}

// wrong is the error of a place in the list.
func (l *list) wrong(at place, hint, format string, args ...any) error {
	return fail.Input(hint, "%s, line %d, column %d: %s", l.name, at.line, at.column, fmt.Sprintf(format, args...))
}

const csvForm = "the first line names the columns, one of them number; a value with a comma, a quote or a line break is quoted, and a quote in it doubled"

func (l *list) readCSV(in io.Reader) error {
	c := csv.NewReader(in)
	c.FieldsPerRecord = -1
	for {
		values, err := c.Read()
		var broken *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			if l.columns == nil {
				return fail.Input(csvForm, "%s is empty", l.name)
			}
			return nil
		case errors.As(err, &broken):
			return l.wrong(place{broken.Line, broken.Column}, csvForm, "%v", broken.Err)
		case err != nil:
			return fail.Input(fail.ReadHint, "%s cannot be read: %v", l.name, err)
		}
		at := make([]place, len(values))
		for i := range values {
			at[i].line, at[i].column = c.FieldPos(i)
		}
		if l.columns == nil {
			if err := l.header(values, at); err != nil {
				return err
			}
			continue
		}
		if len(values) != len(l.columns) {
			return l.wrong(at[min(len(values), len(l.columns))-1], csvForm, "the line has %s, and the header names %s", fail.Count(len(values), "value"), fail.Count(len(l.columns), "column"))
		}
		l.rows = append(l.rows, row{at[0].line, values, at})
	}
}

// header takes the first line of CSV.
func (l *list) header(names []string, at []place) error {
	for i, name := range names {
		names[i] = strings.TrimSpace(name)
		switch {
		case names[i] == "":
			return l.wrong(at[i], csvForm, "a column without a name")
		case slices.Contains(names[:i], names[i]):
			return l.wrong(at[i], csvForm, "two columns are called %q", names[i])
		}
	}
	if !slices.Contains(names, numberColumn) {
		hint := csvForm
		if len(names) == 1 && strings.ContainsAny(names[0], ";\t") {
			hint = "columns are separated by commas"
		}
		return l.wrong(at[0], hint, "no column is called %s", numberColumn)
	}
	l.columns = names
	return nil
}

const jsonForm = `a line is {"number":"100","name":"Ann"}; every one has the same keys`

// readJSON hands on each line that is an object.
func (l *list) readJSON(in *bufio.Reader, take func(line int, text string) error) error {
	for line := 1; ; line++ {
		text, err := run.ReadLine(in)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, run.ErrLongLine):
			return l.wrong(place{line, 1}, jsonForm, "%v", err)
		case err != nil:
			return fail.Input(fail.ReadHint, "%s cannot be read: %v", l.name, err)
		case strings.TrimSpace(text) == "":
			continue
		case !gjson.Valid(text) || !gjson.Parse(text).IsObject():
			return l.wrong(place{line, 1}, jsonForm, "it is not a JSON object")
		}
		if err := take(line, text); err != nil {
			return err
		}
	}
}

// object takes a line of JSON. The keys of the first are the columns.
func (l *list) object(line int, text string) (err error) {
	first := l.columns == nil
	r := row{line: line, values: make([]string, len(l.columns)), at: make([]place, len(l.columns))}
	seen := make(map[string]bool, len(l.columns))
	gjson.Parse(text).ForEach(func(key, v gjson.Result) bool {
		at := place{line, v.Index + 1}
		i := slices.Index(l.columns, key.Str)
		var value string
		switch v.Type {
		case gjson.String:
			value = v.Str
		case gjson.Number, gjson.True, gjson.False:
			value = v.Raw
		default:
			err = l.wrong(at, jsonForm, "%q is neither a string nor a number", key.Str)
		}
		switch {
		case err != nil:
		case seen[key.Str]:
			err = l.wrong(at, jsonForm, "the key %q repeats", key.Str)
		case i < 0 && !first:
			err = l.wrong(at, jsonForm, "the key %q is not in the lines before", key.Str)
		case i < 0:
			l.columns, r.values, r.at = append(l.columns, key.Str), append(r.values, value), append(r.at, at)
		default:
			r.values[i], r.at[i] = value, at
		}
		seen[key.Str] = true
		return err == nil
	})
	if err != nil {
		return err
	}
	for _, name := range append([]string{numberColumn}, l.columns...) {
		if !seen[name] {
			return l.wrong(place{line, 1}, jsonForm, "there is no key %q", name)
		}
	}
	l.rows = append(l.rows, r)
	return nil
}

// settle checks the numbers, and leaves out rows whose number an earlier one has.
func (l *list) settle() error {
	column := slices.Index(l.columns, numberColumn)
	known := make(map[string]bool, len(l.rows))
	kept := l.rows[:0]
	for _, r := range l.rows {
		r.values[column] = strings.TrimSpace(r.values[column])
		number := r.values[column]
		switch {
		case number == "":
			return l.wrong(r.at[column], csvForm, "the number is empty")
		case control(number) >= 0:
			return l.wrong(r.at[column], "a number has no line breaks, tabs or other control characters", "the number has the control character %q", number[control(number)])
		case known[number]:
			l.twice++
			continue
		}
		known[number] = true
		kept = append(kept, r)
	}
	l.rows = kept
	return nil
}

// control returns where the first control character is, -1 if there is none.
func control(s string) int {
	return strings.IndexFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f })
}

// number returns the number of a row.
func (l *list) number(i int) string {
	return l.rows[i].values[slices.Index(l.columns, numberColumn)]
}

// readNumbers reads the numbers of --skip: a list, the results of another run, or plain text with a number a line.
func readNumbers(r *run.Run, name string) (map[string]bool, error) {
	file, err := r.Open(name, "--skip "+name)
	if err != nil {
		return nil, err
	}
	limited := &io.LimitedReader{R: file, N: mostList + 1}
	text, err := io.ReadAll(limited)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fail.Usage(fail.ReadHint, "--skip %s: %v", name, err)
	}
	l := &list{name: "--skip " + name}
	if limited.N == 0 {
		return nil, l.tooLarge()
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	in := bufio.NewReader(bytes.NewReader(text))
	head, _, _ := bytes.Cut(text, []byte("\n"))
	numbers := make(map[string]bool)
	switch {
	case isJSON(in):
		err = l.readJSON(in, func(line int, text string) error {
			number := gjson.Get(text, numberColumn) // the other keys of results differ from line to line
			if number.Type != gjson.String && number.Type != gjson.Number {
				return l.wrong(place{line, 1}, jsonForm, "there is no key %q with a string or a number", numberColumn)
			}
			numbers[strings.TrimSpace(number.String())] = true
			return nil
		})
	case slices.Contains(strings.FieldsFunc(string(head), func(c rune) bool { return strings.ContainsRune(", \t\r\"", c) }), numberColumn):
		err = l.readCSV(in)
		for i := range l.rows {
			numbers[strings.TrimSpace(l.number(i))] = true
		}
	default:
		err = l.readPlain(string(text), numbers)
	}
	return numbers, err
}

// readPlain takes a number a line. What looks like a table is none: no number would be found in it again.
func (l *list) readPlain(text string, numbers map[string]bool) error {
	at := 0
	for line := range strings.Lines(text) {
		at++
		number := strings.TrimSpace(line)
		if bad := strings.IndexAny(number, ",;\t\""); bad >= 0 {
			column := strings.Index(line, number) + bad + 1
			return l.wrong(place{at, column}, "plain text has a number a line; of CSV "+csvForm, "a number does not have the character %q", number[bad])
		}
		if number != "" {
			numbers[number] = true
		}
	}
	return nil
}

// tooLarge is the error of a file that is over mostList.
func (l *list) tooLarge() error {
	return fail.Input("split it; or a quote is opened and never closed", "%s is larger than %d MiB", l.name, mostList>>20)
}
