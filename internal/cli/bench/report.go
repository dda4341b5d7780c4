package bench

import (
	"encoding/json"
	"io"

	"github.com/apntalk/amictl/internal/atomicfile"
	"github.com/apntalk/amictl/internal/bench"
	"github.com/apntalk/amictl/internal/bench/report"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
)

// reportFiles shows results again: as a table, as Markdown, as JSON, as a page.
func reportFiles(r *run.Run, o *options) error {
	files := o.files
	if len(files) == 0 {
		return fail.Usage("such as `amictl bench report new.json`", "bench report needs a FILE")
	}
	if o.html != "" && len(files) > 1 && !o.merge {
		return fail.Usage("--merge makes one result of them", "--html shows one result, and there are %d files", len(files))
	}
	results := make([]*bench.Result, len(files))
	for i, name := range files {
		res, err := bench.ReadResultFile(name)
		if err != nil {
			return fail.Input("`amictl bench --out FILE` writes one", "%s", fail.Cause(err))
		}
		results[i] = res
	}
	if o.merge {
		res, err := report.Merge(results)
		if err != nil {
			return notMerged(err)
		}
		results = []*bench.Result{res}
	}
	for i, res := range results {
		if err := show(r, o, res, i); err != nil {
			return err
		}
	}
	return nil
}

// notMerged is the error of results that do not go together.
func notMerged(err error) error {
	if known := usage(err); known != err { //nolint:errorlint // it is the same error or another one
		return known
	}
	return fail.Input("each file must be the result of another run of the same load", "%s", fail.Cause(err))
}

// show writes one result.
func show(r *run.Run, o *options, res *bench.Result, i int) error {
	if o.html == "-" {
		return report.HTML(r.Stdout, res)
	}
	if o.html != "" {
		return atomicfile.Write(o.html, atomicfile.Public, func(w io.Writer) error { return report.HTML(w, res) })
	}
	switch r.Settings.Output {
	case run.OutputNone:
		return nil
	case run.OutputJSON:
		return res.Write(r.Stdout)
	case run.OutputJSONLines:
		return writeLine(r.Stdout, "result", res)
	}
	if o.markdown {
		return report.Markdown(r.Stdout, res)
	}
	if i > 0 {
		if _, err := io.WriteString(r.Stdout, "\n"); err != nil {
			return err
		}
	}
	return report.Table(r.Stdout, res, r.Columns(), r.Colors())
}

// compare holds a result against another.
func compare(r *run.Run, o *options) error {
	files := o.files
	if len(files) != 2 {
		return fail.Usage("such as `amictl bench compare base.json new.json --fail-if 'p99>+10%'`", "bench compare needs two files, but got %d", len(files))
	}
	thresholds, err := bench.ParseThresholds(o.failIf, true)
	if err != nil {
		return usage(err)
	}
	var pair [2]*bench.Result
	for i, name := range files {
		if pair[i], err = bench.ReadResultFile(name); err != nil {
			return fail.Input("`amictl bench --out FILE` writes one", "%s", fail.Cause(err))
		}
	}
	c, err := report.Compare(pair[0], pair[1], thresholds, o.force)
	if err != nil {
		return usage(err)
	}
	switch r.Settings.Output {
	case run.OutputNone:
	case run.OutputJSON:
		e := json.NewEncoder(r.Stdout)
		e.SetIndent("", "  ")
		err = e.Encode(c)
	case run.OutputJSONLines:
		err = writeLine(r.Stdout, "comparison", c)
	default:
		err = c.WriteTable(r.Stdout, r.Colors())
	}
	if err != nil {
		return err
	}
	return verdictError(c.Verdict)
}
