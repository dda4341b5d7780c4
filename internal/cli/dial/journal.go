package dial

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/filelock"
	"github.com/apntalk/amictl/pkg/ami"
)

// A journal is the file of --out: CSV with a header of ours, to which a row is added for each step of a number. A row that
// says that a call is about to be made is on the disk before the Originate is sent, so that neither a kill nor a loss of
// power makes a number be called twice. Rows of what came of a call are written at once and reach the disk with the next
// such row, or at the end: a loss of power may cost the last of them, and their calls are unknown then.
type journal struct {
	path   string
	file   *os.File
	device bool  // it is no file that could be read again
	size   int64 // bytes of whole rows
}

// A step is one row of the journal.
type step struct {
	at      time.Time
	number  string
	state   stepState
	attempt int
	node    string
	id      string // ChannelId
	outcome ami.Outcome
	cause   string
	ring    time.Duration // until it was answered, or failed; unmeasured: not known
	talk    time.Duration // the same
}

// A stepState says what a row tells.
type stepState string

const (
	stepCalling  stepState = "calling"  // an attempt is about to be sent
	stepUnsent   stepState = "unsent"   // nothing of it was sent: it does not count
	stepAnswered stepState = "answered" // the call is up
	stepAgain    stepState = "again"    // the attempt is over, and another one is to come
	stepUnknown  stepState = "unknown"  // nobody knows how the attempt ended
	stepFinal    stepState = "final"    // the number is done
)

var stepStates = []stepState{stepCalling, stepUnsent, stepAnswered, stepAgain, stepUnknown, stepFinal}

// journalHeader begins a journal.
var journalHeader = []string{"time", "number", "state", "attempt", "node", "channel_id", "outcome", "cause", "ring_us", "talk_us"}

// openJournal opens a journal, or begins one, and returns the steps that it holds. What a kill left of a row is cut off.
// The error is a refusal, but for a journal that cannot be written.
func openJournal(path string) (*journal, []step, error) {
	if path == "-" {
		return nil, nil, fail.Usage("without --out the results go there", "--out is a journal, and not standard output")
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, fail.Usage(fail.WriteHint, "--out: %v", err)
	}
	j := &journal{path: path, file: file}
	steps, err := j.begin()
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return j, steps, nil
}

func (j *journal) begin() ([]step, error) {
	info, err := j.file.Stat()
	if err != nil {
		return nil, fail.Usage(fail.WriteHint, "--out: %v", err)
	}
	if j.device = !info.Mode().IsRegular(); j.device {
		return nil, j.append([][]string{journalHeader}, false)
	}
	if err := filelock.Try(j.file); err != nil {
		return nil, fail.Usage("wait until it is over, or give this one another file", "--out: another dial writes %s: %v", j.path, err)
	}
	text, err := io.ReadAll(j.file)
	if err != nil {
		return nil, fail.Usage(fail.ReadHint, "--out: %v", err)
	}
	whole, err := wholeRows(j.path, text)
	if err != nil {
		return nil, err
	}
	if j.size = int64(len(whole)); len(whole) < len(text) {
		if err := j.file.Truncate(j.size); err != nil {
			return nil, err
		}
	}
	if len(whole) == 0 {
		return nil, errors.Join(j.append([][]string{journalHeader}, true), j.syncFolder())
	}
	steps, err := readSteps(j.path, whole)
	if err != nil {
		return nil, err
	}
	return steps, j.syncFolder() // the run that made the file may have been killed before it did that
}

// syncFolder brings the file's name to the disk: what is in a file is lost with its name.
func (j *journal) syncFolder() error {
	path, err := filepath.EvalSymlinks(j.path)
	if err != nil || runtime.GOOS == "windows" { // which does not sync folders
		return nil //nolint:nilerr // the file is open, whatever its name has become
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil //nolint:nilerr // one may be allowed to make a file there, and not to look
	}
	err = errors.Join(folder.Sync(), folder.Close())
	if err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) { // as of file systems that are elsewhere
		return j.failed(err)
	}
	return nil
}

// wholeRows cuts off what a kill left of a row, and refuses what is no journal. What is empty is one that has not begun.
func wholeRows(path string, text []byte) ([]byte, error) {
	whole := text[:bytes.LastIndexByte(text, '\n')+1]
	head := []byte(strings.Join(journalHeader, ",") + "\n")
	if !bytes.HasPrefix(whole, head) && (len(whole) > 0 || !bytes.HasPrefix(head, text)) {
		return nil, fail.Usage("give a new file, or the journal of an earlier dial", "--out: %s holds something else", path)
	}
	return whole, nil
}

// peekJournal returns the steps of a journal, which may be written meanwhile and is left as it is.
func peekJournal(path string) ([]step, error) {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil, nil //nolint:nilerr // there is none yet
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fail.Usage(fail.ReadHint, "--out: %v", err)
	}
	whole, err := wholeRows(path, text)
	if err != nil || len(whole) == 0 {
		return nil, err
	}
	return readSteps(path, whole)
}

// readSteps reads the rows of a journal.
func readSteps(path string, text []byte) (steps []step, err error) {
	c := csv.NewReader(bytes.NewReader(text))
	c.FieldsPerRecord, c.ReuseRecord = len(journalHeader), true
	_, _ = c.Read()
	for {
		values, err := c.Read()
		if errors.Is(err, io.EOF) {
			return steps, nil
		}
		s, line, ok := step{}, 0, false
		if broken := (*csv.ParseError)(nil); errors.As(err, &broken) {
			line = broken.Line
		} else if err == nil {
			s, ok = parseStep(values)
			line, _ = c.FieldPos(0)
		}
		if !ok {
			return nil, fail.Usage("it was changed since; give another file, and --skip this one's numbers", "--out: %s, line %d is no row of a journal", path, line)
		}
		steps = append(steps, s)
	}
}

// parseStep reads one row.
func parseStep(v []string) (s step, ok bool) {
	at, err := time.Parse(time.RFC3339Nano, v[0])
	attempt, err2 := strconv.Atoi(v[3])
	outcome, known := outcomeOf(v[6])
	ring, err3 := parseMicros(v[8])
	talk, err4 := parseMicros(v[9])
	s = step{at, strings.Clone(v[1]), stepState(v[2]), attempt, strings.Clone(v[4]), strings.Clone(v[5]), outcome, strings.Clone(v[7]), ring, talk}
	return s, errors.Join(err, err2, err3, err4) == nil && (known || v[6] == "") && slices.Contains(stepStates, s.state) && v[1] != ""
}

func parseMicros(s string) (time.Duration, error) {
	if s == "" {
		return unmeasured, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return time.Duration(n) * time.Microsecond, err
}

// row is a step as the file has it.
func (s *step) row() []string {
	outcome := ""
	if s.state != stepCalling && s.state != stepUnsent {
		outcome = word(s.outcome)
	}
	return []string{
		s.at.UTC().Format("2006-01-02T15:04:05.000000Z"), s.number, string(s.state), strconv.Itoa(s.attempt), s.node, s.id, outcome, s.cause, micros(s.ring), micros(s.talk),
	}
}

func micros(d time.Duration) string {
	if d < 0 {
		return ""
	}
	return strconv.FormatInt(d.Microseconds(), 10)
}

// write adds steps, all of them or none. With sync they are on the disk when it returns. A nil journal keeps nothing.
func (j *journal) write(sync bool, steps ...step) error {
	if j == nil {
		return nil
	}
	rows := make([][]string, len(steps))
	for i := range steps {
		rows[i] = steps[i].row()
	}
	return j.append(rows, sync)
}

func (j *journal) append(rows [][]string, sync bool) error {
	var b bytes.Buffer
	if err := csv.NewWriter(&b).WriteAll(rows); err != nil {
		return j.failed(err)
	}
	n, err := j.file.Write(b.Bytes())
	if err == nil && sync {
		err = j.sync()
	}
	if err != nil {
		if n > 0 && !j.device { // what is left of a row would spoil the next
			err = errors.Join(err, j.file.Truncate(j.size))
		}
		return j.failed(err)
	}
	j.size += int64(n)
	return nil
}

func (j *journal) sync() error {
	err := j.file.Sync()
	if j.device && errors.Is(err, syscall.EINVAL) {
		return nil // there is no disk under it
	}
	return err
}

// failed is the error of a journal that cannot be written.
func (j *journal) failed(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		err = of.Err
	}
	return &fs.PathError{Op: "write", Path: j.path, Err: err}
}

// close brings what is left to the disk.
func (j *journal) close() error {
	if j == nil {
		return nil
	}
	if err := errors.Join(j.sync(), j.file.Close()); err != nil {
		return j.failed(err)
	}
	return nil
}

// String names the step, for tests and messages.
func (s *step) String() string {
	return fmt.Sprintf("%s %s %d %s", s.number, s.state, s.attempt, word(s.outcome))
}
