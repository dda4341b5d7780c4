// Package report turns results of the load generator into what people read: tables, Markdown, a page with plots, a
// comparison of two. It also makes one result of several: of repeats, or of runs on several machines.
package report
