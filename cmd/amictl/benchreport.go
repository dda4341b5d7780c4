package main

import (
	"encoding/json"

	"github.com/apntalk/amictl/pkg/bench"
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
		res, err := bench.ReadResultFile(name)
		if err != nil {
			return inputError("`amictl bench --out FILE` writes one", "%s", cause(err))
		}
		results[i] = res
	}
	if f.merge {
		res, err := bench.Merge(results)
		if err != nil {
			return benchUsage(err)
		}
		results = []*bench.Result{res}
	}
	for i, res := range results {
		if err := a.benchShow(f, res, i); err != nil {
			return err
		}
	}
	return nil
}

// benchShow writes one result.
func (a *app) benchShow(f *benchFlags, res *bench.Result, i int) error {
	if f.html == "-" {
		return res.WriteHTML(a.stdout)
	}
	if f.html != "" {
		return res.WriteHTMLFile(f.html)
	}
	switch a.settings.get("output") {
	case "none":
		return nil
	case "json":
		return res.Write(a.stdout)
	case "jsonl":
		return writeBenchLine(a.stdout, "result", res)
	}
	if f.markdown {
		return res.WriteMarkdown(a.stdout)
	}
	if i > 0 {
		if _, err := a.stdout.WriteString("\n"); err != nil {
			return err
		}
	}
	return res.WriteTable(a.stdout, a.columns())
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
	var pair [2]*bench.Result
	for i, name := range files {
		if pair[i], err = bench.ReadResultFile(name); err != nil {
			return inputError("`amictl bench --out FILE` writes one", "%s", cause(err))
		}
	}
	c, err := bench.Compare(pair[0], pair[1], thresholds, f.force)
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
