package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

const (
	defaultParallel = 2000
	longestLine     = 1 << 20 // bytes of one line of input
)

// A lineSender is one run of `send -`: the input is read and spread over lanes, each with a goroutine that submits
// and waits for room on its own, so that a node that is away holds up its own lines only; a single lane needs none. The
// answers are gathered in one batch and printed as they come.
type lineSender struct {
	app     *app
	flags   *sendFlags
	timeout time.Duration // of a line that names none
	cluster *ami.Cluster
	batch   ami.Batch[sentLine]
	lanes   map[string]*lane // by node
	route   *lane            // for lines that name no node, with --route or one node
	queues  []*lane          // those that have a queue

	protected string             // the protected context that is in play, "" none
	warned    map[[2]string]bool // the reader's own: actions and headers that were looked up
	stop      context.CancelFunc

	mu    sync.Mutex // guards what is in flight in the lanes
	ended []*lane    // the collector's own: those of what was printed, to be released

	printing sync.Mutex // guards all below
	out      *output.Printer
	tally    tally
	failures int // lines, of which only the first is told of on standard error
}

// mostWarned bounds how many different headers are looked up in the catalogue.
const mostWarned = 1000

// sendLines reads actions from standard input and prints their answers.
func (a *app) sendLines(ctx context.Context, f *sendFlags) error {
	favourStreams()
	nodes, err := a.targets()
	if err != nil {
		return err
	}
	if f.all || f.route != "" {
		if err := f.check(len(nodes)); err != nil {
			return err
		}
	}
	kind := answers
	if f.dryRun {
		kind = commandText
	}
	p, err := a.printer(kind, len(nodes) > 1, true)
	if err != nil {
		return err
	}
	in, err := a.claimStdin("send -")
	if err != nil {
		return err
	}
	if f.dryRun {
		return a.dryLines(ctx, f, newStoppable(in, a.stopped), nodes, p)
	}
	c, err := a.cluster(nodes)
	if err != nil {
		return err
	}
	defer finish(ctx, c)
	if err := a.await(ctx, c, 1); err != nil {
		return err
	}
	s := &lineSender{
		app: a, flags: f, timeout: a.timeout(), cluster: c, out: p, batch: ami.Batch[sentLine]{Items: f.items},
		lanes: make(map[string]*lane), protected: a.protectedBy(nodes), warned: make(map[[2]string]bool),
	}
	return s.run(ctx, in, nodes)
}

func (s *lineSender) run(ctx context.Context, in io.Reader, nodes []ami.Config) error {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	s.stop = stop
	var lanes sync.WaitGroup
	s.addLanes(nodes)
	for _, l := range s.queues {
		lanes.Go(func() { s.drive(reading, l) })
	}
	done, submitted := context.WithCancel(ctx)
	go func() {
		s.read(reading, newStoppable(in, reading.Done())) // a failure ends it even while nothing comes
		for _, l := range s.queues {
			close(l.queue)
		}
		lanes.Wait()
		submitted()
	}()
	defer s.app.progress(func() string {
		s.printing.Lock()
		defer s.printing.Unlock()
		return strconv.Itoa(s.tally.ended) + " answered, " + strconv.Itoa(s.failures) + " of them failures"
	})()
	err := s.collect(ctx, done)
	s.printing.Lock()
	defer s.printing.Unlock()
	if err != nil && !bySignal(ctx) && s.out.Flush() == nil {
		s.giveUp()
	}
	if closed := s.out.Close(); err != nil || closed != nil {
		return errors.Join(err, closed)
	}
	return s.tally.err()
}

// giveUp prints an error for each line that is in flight when --deadline is over: nobody will know how it ended. Called
// under printing.
func (s *lineSender) giveUp() {
	for line := range s.batch.Values() {
		f := failure{
			Code: codeTimeout, Exit: exitTimeout, Sent: ami.SentMaybe.String(), Hint: hintOf[codeTimeout],
			Message: "line " + strconv.Itoa(line.origin.Line) + ": no answer before the --deadline was over",
		}
		_ = s.out.Failure(jsonFailure(f, line.lane.node, line.origin)) // it keeps its error
	}
}

// read takes the input line by line and puts each in its lane, at the rate asked for.
func (s *lineSender) read(ctx context.Context, in io.Reader) {
	lines := bufio.NewReaderSize(in, 64<<10)
	var pace pacer
	if s.flags.rate.set {
		pace.every = time.Second / time.Duration(s.flags.rate.n)
	}
	for number := 1; ctx.Err() == nil; number++ {
		text, err := readLine(lines)
		if errors.Is(err, io.EOF) || ctx.Err() != nil {
			return
		}
		if err == nil && strings.TrimSpace(text) == "" {
			continue
		}
		if err != nil && !errors.Is(err, errLongLine) {
			s.refuse(lineRequest{line: number}, "", unreadable(err))
			return
		}
		r := lineRequest{line: number}
		if err != nil {
			r.err = inputError(lineForm, "line %d: %v", number, err)
		} else {
			r = parseLine(number, text)
		}
		pace.wait(ctx)
		s.place(ctx, r)
	}
}

// unreadable is the error of an input that broke off: nobody knows how much of it there was to come.
func unreadable(err error) error {
	return inputError("the lines before it were taken, and what is behind it was not read", "standard input cannot be read: %v", err)
}

// place finds the lanes of a line.
func (s *lineSender) place(ctx context.Context, r lineRequest) {
	if r.err != nil {
		s.refuse(r, "", r.err)
		return
	}
	if s.protected != "" && !s.flags.yes && !onlyReads(&r.action) {
		s.refuse(r, r.node, protectedError(s.protected, &r.action))
		return
	}
	s.warn(&r.action)
	if r.action.Timeout == 0 {
		r.action.Timeout = s.timeout
	}
	r.action.WaitReady = true
	r.action.AwaitOriginate = false
	var lanes []*lane
	switch {
	case r.node != "":
		l := s.lanes[r.node]
		if l == nil {
			s.refuse(r, r.node, inputError("a line's node must be one of those selected", "line %d: there is no node %q", r.line, r.node))
			return
		}
		lanes = []*lane{l}
	case s.flags.all:
		for _, l := range s.lanes {
			lanes = append(lanes, l)
		}
	case s.route != nil:
		lanes = []*lane{s.route}
	default:
		s.refuse(r, "", inputError(`--all, --route HOW, or "node" in the line`, "line %d names no node and %d are selected", r.line, len(s.lanes)))
		return
	}
	for _, l := range lanes {
		if l.queue == nil {
			s.submit(ctx, l, r)
			continue
		}
		select {
		case l.queue <- r:
		case <-ctx.Done():
		}
	}
}

// warn tells once for each action of headers that the catalogue does not know.
func (s *lineSender) warn(action *ami.Action) {
	for i := range action.Fields {
		key := [2]string{action.Name, action.Fields[i].Name}
		if s.warned[key] || len(s.warned) >= mostWarned {
			continue
		}
		s.warned[key] = true
		s.app.warnUnknown(&ami.Action{Name: action.Name, Fields: action.Fields[i : i+1]})
	}
}

// refuse prints the failure of a line that was never in flight.
func (s *lineSender) refuse(r lineRequest, node string, err error) {
	s.printing.Lock()
	defer s.printing.Unlock()
	s.fail(classify(err), node, output.Origin{Action: r.action.Name, ID: r.id, Line: r.line})
}

// fail prints a failure; without --keep-going no further line is read. Called under printing.
func (s *lineSender) fail(f failure, node string, origin output.Origin) {
	s.tally.add(f.Exit)
	s.failures++
	if err := s.out.Failure(jsonFailure(f, node, origin)); err != nil {
		s.stop()
	}
	if s.failures == 1 {
		s.app.complain(f)
	}
	if !s.flags.keepGoing {
		s.stop()
	}
}

// releaseAt is how many lines end before their lanes have room again, unless there is a pause: a lane that waits is not
// woken for each.
const releaseAt = 64

// collect prints answers until everything that was submitted has ended.
func (s *lineSender) collect(ctx, submitted context.Context) error {
	wait := submitted
	for {
		r, ok := s.batch.PollBorrowed()
		if !ok || len(s.ended) >= releaseAt {
			s.release(s.ended...)
			s.ended = s.ended[:0]
		}
		if !ok {
			if submitted.Err() != nil {
				wait = ctx
				if s.batch.Outstanding() == 0 {
					return ctx.Err()
				}
			}
			s.printing.Lock()
			err := s.out.Flush()
			s.printing.Unlock()
			if err != nil {
				return err
			}
			if r, err = s.batch.NextBorrowed(wait); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				continue
			}
		}
		if err := s.print(r); err != nil {
			return err
		}
	}
}

func (s *lineSender) print(r *ami.Result[sentLine]) error {
	origin := &r.Value.origin
	s.printing.Lock()
	defer s.printing.Unlock()
	if r.Item != nil {
		return s.out.Item(r.Item, origin)
	}
	s.ended = append(s.ended, r.Value.lane)
	if r.Err != nil {
		s.fail(classify(r.Err), r.Node, *origin)
		return nil
	}
	s.tally.add(exitOK)
	return s.out.Reply(r.Reply, origin)
}

// errLongLine is of a line that was skipped; the next one can be read.
var errLongLine = errors.New("it is longer than 1 MiB")

// readLine reads one line without its end. A line that is too long is errLongLine and is skipped; the error at the end is
// io.EOF, and any other one the input's: what it left of a line is dropped.
func readLine(in *bufio.Reader) (string, error) {
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
	if len(long) > longestLine {
		return "", errLongLine
	}
	long = append(long, line...)
	if err != nil && (len(long) == 0 || !errors.Is(err, io.EOF)) {
		return "", err
	}
	return strings.TrimSuffix(string(long), "\n"), nil
}
