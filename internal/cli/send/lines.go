package send

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/actionline"
	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

const defaultParallel = 2000

// A lineSender is one run of `send -`: the input is read and spread over lanes. The answers are gathered in one batch and
// printed as they come.
type lineSender struct {
	run     *run.Run
	options *options
	timeout time.Duration // of a line that names none
	cluster *ami.Cluster
	batch   ami.Batch[sentLine]
	calls   *callWatch       // with --wait hangup
	lanes   map[string]*lane // by node
	route   *lane            // for lines that name no node, with --route or one node
	all     []*lane          // each once

	protected *act.Protection    // of the nodes
	warned    map[[2]string]bool // the reader's own: actions and headers that were looked up
	stop      context.CancelFunc

	mu    sync.Mutex // guards what waits and flies in the lanes
	ended []sentLine // the collector's own: what was printed, to be released

	printing sync.Mutex // guards all below
	over     bool       // nothing is printed any more
	out      *output.Printer
	tally    target.Tally
	hint     string // that was told last
	failures int    // lines
}

// mostWarned bounds how many different headers are looked up in the catalogue.
const mostWarned = 1000

// sendLines reads actions from standard input and prints their answers.
func sendLines(ctx context.Context, r *run.Run, o *options) error {
	run.FavourStreams()
	nodes, err := o.bus.Servers(ctx, r)
	if err != nil {
		return err
	}
	if o.All || o.Route != "" {
		if err := o.Check(len(nodes)); err != nil {
			return err
		}
	}
	kind := run.ManyAnswers
	if o.DryRun {
		kind = run.CommandText
	}
	p, err := r.Printer(kind, len(nodes) > 1, true)
	if err != nil {
		return err
	}
	in, err := r.ClaimStdin("send -")
	if err != nil {
		return err
	}
	if o.DryRun {
		return dryLines(ctx, r, o, run.NewStoppable(in, r.Stopped), nodes, p)
	}
	if o.wait == actionline.WaitHangup && o.Route != "" && len(nodes) > 1 {
		return fail.Usage("name the node of each line, or leave --route out", "--wait hangup follows calls on nodes that are known, and --route chooses them")
	}
	if o.wait == actionline.WaitHangup {
		if err := o.bus.NeedsServers("--wait hangup"); err != nil {
			return err
		}
	}
	if o.wait != "" && o.wait != actionline.WaitNot {
		for i := range nodes {
			nodes[i].Events = "call"
		}
	}
	c, err := target.Cluster(r, nodes)
	if err != nil {
		return err
	}
	defer target.Finish(ctx, c)
	if err := target.Await(ctx, r, c, 1); err != nil {
		return err
	}
	s := &lineSender{
		run: r, options: o, timeout: r.Settings.Timeout, cluster: c, out: p, batch: ami.Batch[sentLine]{Items: o.items},
		lanes: make(map[string]*lane), warned: make(map[[2]string]bool),
	}
	if !o.Yes {
		s.protected = act.ProtectedBy(r, nodes)
	}
	return s.sendAll(ctx, in, nodes)
}

func (s *lineSender) sendAll(ctx context.Context, in io.Reader, nodes []ami.Config) error {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	s.stop = stop
	var drivers sync.WaitGroup
	s.addLanes(nodes)
	if s.options.wait == actionline.WaitHangup {
		if err := s.watchCalls(ctx); err != nil {
			return err
		}
		defer s.calls.sub.Close()
	}
	for _, l := range s.all {
		drivers.Go(func() { s.drive(reading, l) })
	}
	done, submitted := context.WithCancel(ctx)
	go func() {
		s.read(reading, run.NewStoppable(in, reading.Done())) // a failure ends it even while nothing comes
		for _, l := range s.all {
			s.close(l)
		}
		drivers.Wait()
		submitted()
	}()
	defer s.run.Progress(func() string {
		s.printing.Lock()
		defer s.printing.Unlock()
		return strconv.Itoa(s.tally.Ended) + " answered, " + strconv.Itoa(s.failures) + " of them failures"
	})()
	err := s.collect(ctx, done)
	if err == nil && s.calls != nil {
		err = s.calls.wait(ctx)
	}
	s.printing.Lock()
	defer s.printing.Unlock()
	if err != nil && !run.BySignal(ctx) && s.out.Flush() == nil {
		s.giveUp()
	}
	s.over = true
	if closed := s.out.Close(); err != nil || closed != nil {
		return errors.Join(err, closed)
	}
	return s.tally.Err()
}

// giveUp prints an error for each line that is in flight or waits when --deadline is over. Called under printing.
func (s *lineSender) giveUp() {
	for line := range s.batch.Values() {
		f := fail.Failure{
			Code: fail.CodeTimeout, Exit: fail.ExitTimeout, Sent: ami.SentMaybe.String(), Hint: fail.HintOf[fail.CodeTimeout],
			Message: "line " + strconv.Itoa(line.origin.Line) + ": no answer before the --deadline passed",
		}
		_ = s.tell(f, line.lane.node, line.origin) // the printer keeps its error
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.all {
		for e, ok := l.queue.pop(); ok; e, ok = l.queue.pop() {
			f := fail.Failure{
				Code: fail.CodeUnsent, Exit: fail.ExitConnect, Sent: ami.SentNo.String(), Hint: fail.HintOf[fail.CodeUnsent],
				Message: "line " + strconv.Itoa(e.line) + ": not sent before the --deadline passed",
			}
			_ = s.tell(f, l.node, e.origin())
		}
	}
}

// read takes the input line by line and puts each in its lane, at the rate asked for.
func (s *lineSender) read(ctx context.Context, in io.Reader) {
	lines := bufio.NewReaderSize(in, 64<<10)
	var pace run.Pacer
	if s.options.rate.Given {
		pace = run.NewPacer(s.options.rate.Value)
	}
	for number := 1; ctx.Err() == nil; number++ {
		text, err := run.ReadLine(lines)
		if errors.Is(err, io.EOF) || ctx.Err() != nil {
			return
		}
		if err == nil && strings.TrimSpace(text) == "" {
			continue
		}
		if err != nil && !errors.Is(err, run.ErrLongLine) {
			s.refuse(lineRequest{line: number}, "", unreadable(err))
			return
		}
		r := lineRequest{line: number}
		if err != nil {
			r.err = fail.Input(lineForm, "line %d: %v", number, err)
		} else {
			r = parseLine(number, text)
		}
		pace.Wait(ctx)
		s.place(ctx, r)
	}
}

// unreadable is the error of an input that broke off: nobody knows how much of it there was to come.
func unreadable(err error) error {
	return fail.Input("the lines before that were taken, the rest was not read", "standard input cannot be read: %v", err)
}

// place finds the lanes of a line.
func (s *lineSender) place(ctx context.Context, r lineRequest) {
	if r.err != nil {
		s.refuse(r, "", r.err)
		return
	}
	if !s.options.Yes {
		if err := s.protected.Refusal(s.run, &r.action, r.node); err != nil {
			s.refuse(r, r.node, err)
			return
		}
	}
	s.warn(&r.action)
	if r.action.Timeout == 0 {
		r.action.Timeout = s.timeout
	}
	if r.wait == "" {
		r.wait = s.options.wait
	}
	if err := s.prepareCall(&r); err != nil {
		s.refuse(r, r.node, err)
		return
	}
	var lanes []*lane
	switch {
	case r.node != "":
		l := s.lanes[r.node]
		if l == nil {
			s.refuse(r, r.node, fail.Input("a line's node must be one of those selected", "line %d: there is no node %q", r.line, r.node))
			return
		}
		lanes = []*lane{l}
	case s.options.All:
		for _, l := range s.lanes {
			lanes = append(lanes, l)
		}
	case s.route != nil:
		lanes = []*lane{s.route}
	default:
		s.refuse(r, "", fail.Input(`--all, --route HOW, or "node" in the line`, "line %d names no node, and %d are selected", r.line, len(s.lanes)))
		return
	}
	for _, l := range lanes {
		s.offer(ctx, l, r)
	}
}

// prepareCall makes an Originate one that is waited for, as --wait or the line says.
func (s *lineSender) prepareCall(r *lineRequest) error {
	if r.wait != "" && r.wait != actionline.WaitNot && (s.options.wait == "" || r.wait == actionline.WaitHangup && s.calls == nil) {
		return fail.Input("`amictl send - --wait "+r.wait+"` asks the servers for the events that report it", "line %d waits for %s, but no events are asked for", r.line, r.wait)
	}
	if err := awaitCall(&r.action, r.wait); err != nil {
		return fail.Input(lineForm, "line %d: %v", r.line, err)
	}
	return nil
}

// warn tells once for each action of headers that the catalogue does not know.
func (s *lineSender) warn(action *ami.Action) {
	for i := range action.Fields {
		key := [2]string{action.Name, action.Fields[i].Name}
		if s.warned[key] || len(s.warned) >= mostWarned {
			continue
		}
		s.warned[key] = true
		act.WarnUnknown(s.run, &ami.Action{Name: action.Name, Fields: action.Fields[i : i+1]})
	}
}

// refuse prints the failure of a line that was never in flight, at once: whoever wrote the line may wait for it.
func (s *lineSender) refuse(r lineRequest, node string, err error) {
	s.show(func() { s.fail(fail.Classify(err), node, r.origin()) })
}

// show prints, at once. What comes when the run has ended, as it may by a signal, is not printed any more.
func (s *lineSender) show(write func()) {
	s.printing.Lock()
	defer s.printing.Unlock()
	if s.over {
		return
	}
	write()
	s.flush()
}

// flush writes what is printed; the collector finds a failure again at its next write. Called under printing.
func (s *lineSender) flush() {
	if err := s.out.Flush(); err != nil {
		s.stop()
	}
}

// fail prints a failure; without --keep-going no further line is read. Called under printing.
func (s *lineSender) fail(f fail.Failure, node string, origin output.Origin) {
	s.tally.Add(f.Exit)
	s.failures++
	if err := s.tell(f, node, origin); err != nil {
		s.stop()
	}
	if s.failures == 1 && s.objects() { // whoever watches learns of the others by their objects
		s.run.Complain(ofLine(f, origin.Line))
	}
	if !s.options.keepGoing {
		s.stop()
	}
}

// tell prints a failure where it has a place: as an object, or else on standard error, with a hint that several in a row share
// behind the first. Called under printing.
func (s *lineSender) tell(f fail.Failure, node string, origin output.Origin) error {
	if s.objects() {
		return s.out.Failure(target.FailureObject(f, node, origin))
	}
	hint := f.Hint
	if hint == s.hint {
		f.Hint = ""
	}
	s.hint = hint
	s.run.Complain(ofLine(f, origin.Line))
	return nil
}

// objects reports whether a failure has a place on standard output: only JSON has one, and a query may not find it.
func (s *lineSender) objects() bool {
	o := s.out.Options()
	return o.Query == "" && (o.Format == output.JSONLines || o.Format == output.JSONDocument)
}

// ofLine says in a failure's message of which line it is.
func ofLine(f fail.Failure, line int) fail.Failure {
	if !strings.HasPrefix(f.Message, "line ") {
		f.Message = fmt.Sprintf("line %d: %s", line, f.Message)
	}
	return f
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
			s.printing.Lock()
			err := s.out.Flush() // at the end too: the calls of what was answered may go on for long
			s.printing.Unlock()
			if err != nil {
				return err
			}
			if submitted.Err() != nil {
				wait = ctx
				if s.batch.Outstanding() == 0 {
					return ctx.Err()
				}
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
		if c := r.Value.call; c != nil && r.Item == nil {
			s.answered(c, r.Reply, r.Err)
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
	r.Value.answered = r.Reply != nil
	if r.Reply != nil && s.batch.Items {
		origin.Items = r.Reply.Items
	}
	s.ended = append(s.ended, r.Value)
	err := r.Err
	if err == nil {
		var note string
		if note, err = target.Incomplete(r.Reply, origin.Action); note != "" {
			s.run.Note("line %d: %s", origin.Line, note)
		}
	}
	if r.Reply != nil && r.Reply.Incomplete && err != nil { // what came is data
		if err := s.out.Reply(r.Reply, origin); err != nil {
			return err
		}
	}
	if err != nil {
		s.fail(fail.Classify(err), r.Node, *origin)
		return nil
	}
	s.tally.Add(fail.ExitOK)
	return s.out.Reply(r.Reply, origin)
}
