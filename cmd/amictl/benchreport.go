package main

import (
	"encoding/json"
	"io"

	"github.com/apntalk/amictl/internal/bench"
	"github.com/apntalk/amictl/internal/bench/report"
)

// benchReport shows results again: as a table, as Markdown, as JSON, as a page.
func (a *app) benchReport(f *benchFlags, files []string) error {
	if len(files) == 0 {
		return usageError("such as `amictl bench report new.json`", "bench report needs a FILE")
	}
	if f.html != "" && len(files) > 1 && !f.merge {
		return usageError("--merge makes one result of them", "--html shows one result, and there are %d files", len(files))
	}
	results := make([]*bench.Result, len(files))
	for i, name := range files {
		r, err := bench.ReadResultFile(name)
		if err != nil {
			return inputError("`amictl bench --out FILE` writes one", "%s", cause(err))
		}
		results[i] = r
	}
	if f.merge {
		r, err := report.Merge(results)
		if err != nil {
			return benchUsage(err)
		}
		results = []*bench.Result{r}
	}
	for i, r := range results {
		if err := a.benchShow(f, r, i); err != nil {
			return err
		}
	}
	return nil
}

// benchShow writes one result.
func (a *app) benchShow(f *benchFlags, r *bench.Result, i int) error {
	if f.html == "-" {
		return report.HTML(a.stdout, r)
	}
	if f.html != "" {
		return bench.WriteFile(f.html, func(w io.Writer) error { return report.HTML(w, r) })
	}
	switch a.settings.get("output") {
	case "none":
		return nil
	case "json":
		return r.Write(a.stdout)
	case "jsonl":
		return writeBenchLine(a.stdout, "result", r)
	}
	if f.markdown {
		return report.Markdown(a.stdout, r)
	}
	if i > 0 {
		if _, err := a.stdout.WriteString("\n"); err != nil {
			return err
		}
	}
	return report.Table(a.stdout, r, a.columns())
}

// benchCompare holds a result against another.
func (a *app) benchCompare(f *benchFlags, files []string) error {
	if len(files) != 2 {
		return usageError("such as `amictl bench compare base.json new.json --fail-if 'p99>+10%'`", "bench compare needs two files, and got %d", len(files))
	}
	thresholds, err := bench.ParseThresholds(f.failIf, true)
	if err != nil {
		return benchUsage(err)
	}
	var r [2]*bench.Result
	for i, name := range files {
		if r[i], err = bench.ReadResultFile(name); err != nil {
			return inputError("`amictl bench --out FILE` writes one", "%s", cause(err))
		}
	}
	c, err := report.Compare(r[0], r[1], thresholds, f.force)
	if err != nil {
		return benchUsage(err)
	}
	switch a.settings.get("output") {
	case "none":
	case "json":
		e := json.NewEncoder(a.stdout)
		e.SetIndent("", "  ")
		err = e.Encode(c)
	case "jsonl":
		err = writeBenchLine(a.stdout, "comparison", c)
	default:
		err = c.WriteTable(a.stdout)
	}
	if err != nil {
		return err
	}
	return benchVerdict(c.Verdict)
}
