package sim

import (
	"context"
	"fmt"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/scenario"
	"github.com/apntalk/amictl/pkg/output"
)

// runFiles runs scenario files through the engine on real sockets. It exits 0 if all were as they say, 1 if one was
// not, and 2 if one cannot be read or run: none of those is run by halves.
func runFiles(ctx context.Context, r *run.Run, files []string) error {
	if len(files) == 0 {
		return fail.Usage("such as `amictl sim check testdata/scenarios/*.toml`", "sim check needs scenario files")
	}
	if r.HasTo {
		return fail.Usage("`amictl sim --scenario FILE -- COMMAND` does", "sim check runs no command")
	}
	var all []*scenario.Scenario
	for _, file := range files {
		s, err := scenario.Load(file)
		if err == nil && s.Expects() == 0 {
			err = fmt.Errorf("scenario %s: nothing is expected, so nothing can fail", s.Name)
		}
		if err != nil {
			return fail.Input("an expectation that is never checked is an error too", "%v", err)
		}
		all = append(all, s)
	}
	p, err := r.Printer(run.Records, false, len(all) > 1)
	if err != nil {
		return err
	}
	failed := false
	for _, s := range all {
		rep, err := s.Run(ctx, nil)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			rep = &scenario.Report{Name: s.Name, About: s.About, Failures: []scenario.Failure{{Where: "the run", What: "begins", Want: "that it does", Got: err.Error()}}}
		}
		failed = failed || !rep.OK()
		if err := p.Record(verdict(rep)); err != nil {
			return err
		}
		if err := p.Flush(); err != nil {
			return err
		}
	}
	if err := p.Close(); err != nil {
		return err
	}
	if failed {
		return fail.Silent(fail.ExitFailed)
	}
	return nil
}

// verdict is a report as an object.
func verdict(r *scenario.Report) output.Record {
	result, first := "pass", "none"
	failures := make([]string, 0, len(r.Failures))
	for i := range r.Failures {
		failures = append(failures, r.Failures[i].String())
	}
	if len(failures) > 0 {
		result, first = "fail", failures[0]
		if more := len(failures) - 1; more > 0 {
			first += fmt.Sprintf(" (and %d more)", more)
		}
	}
	return output.Record{
		{Key: "type", Value: "scenario"},
		{Key: "name", Value: r.Name},
		{Key: "result", Value: result, Tone: run.GoodIf(len(failures) == 0)},
		{Key: "checks", Value: r.Checks},
		{Key: "actions", Value: r.Actions},
		{Key: "events", Value: r.Events},
		{Key: "took_us", Value: r.Took.Microseconds(), Text: output.Duration(r.Took)},
		{Key: "failures", Value: failures, Text: first, Look: output.Prose},
	}
}
