// Command compat compares what amictl promises with what it promised in the last release: the Go API, the JSON Schemas, flags,
// variables and exit statuses. It wants the changelog to tell what is different, and the version's number to say so.
// scripts/api runs it; docs/versions.md has the promises.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	apidiff := flag.String("apidiff", "apidiff", "the program that compares Go APIs")
	flag.Parse()
	if err := run(".", *apidiff, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "compat:", err)
		os.Exit(1)
	}
}

// run compares the repository in dir, as its files are now, with its last release.
func run(dir, apidiff string, out io.Writer) error {
	this, last, err := releases(dir)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(dir, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	news := newsSince(string(text), strings.TrimPrefix(last, "v"))
	var wrong []string
	if this != "" && news.version != strings.TrimPrefix(this, "v") {
		wrong = append(wrong, fmt.Sprintf("this is the release %s, and the changelog does not begin with it", this))
	}
	if last == "" {
		fmt.Fprintln(out, "#### PROMISES NOT COMPARED: there is no release before this one ####")
	} else {
		changes, err := changesSince(dir, last, apidiff)
		if err != nil {
			return err
		}
		for _, c := range changes {
			fmt.Fprintln(out, c)
		}
		fmt.Fprintf(out, "since %s: %d changes, the next version is at least %s\n", last, len(changes), least(changes, last))
		wrong = append(wrong, judge(changes, news, last)...)
	}
	if len(wrong) > 0 {
		return errors.New(strings.Join(wrong, "\n        "))
	}
	return nil
}

// releases are the tags of the release that is here, if it is one and nothing more, and of the last one before.
func releases(dir string) (this, last string, err error) {
	const pattern = "v[0-9]*"
	from := "HEAD"
	if tag, err := output(dir, "git", "describe", "--tags", "--exact-match", "--match", pattern); err == nil {
		status, err := output(dir, "git", "status", "--porcelain", "--untracked-files=no")
		if err != nil {
			return "", "", err
		}
		if status == "" {
			this, from = tag, "HEAD^"
		}
	}
	if parents, err := output(dir, "git", "rev-list", "--parents", "-n", "1", "HEAD"); err != nil || from != "HEAD" && !strings.Contains(parents, " ") {
		return this, "", err // the release is the first commit
	}
	tags, err := output(dir, "git", "tag", "--list", pattern, "--merged", from)
	if err != nil || tags == "" {
		return this, "", err
	}
	last, err = output(dir, "git", "describe", "--tags", "--abbrev=0", "--match", pattern, from)
	return this, last, err
}

// changesSince lists what is different since a tag.
func changesSince(dir, tag, apidiff string) ([]change, error) {
	old, err := os.MkdirTemp("", "compat")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(old) }()
	if _, err := output(dir, "git", "clone", "-q", "-c", "advice.detachedHead=false", "--branch", tag, ".", old); err != nil {
		return nil, err
	}
	return compare(old, dir, apidiff)
}

// compare lists what is different between two trees.
func compare(old, now, apidiff string) (all []change, err error) {
	for _, of := range []func(old, now string) ([]change, error){
		func(old, now string) ([]change, error) { return apiChanges(old, now, apidiff) }, schemaChanges, referenceChanges,
	} {
		changes, err := of(old, now)
		if err != nil {
			return nil, err
		}
		all = append(all, changes...)
	}
	return all, nil
}

// output runs a program in a folder and returns what it prints, without the last line's end.
func output(dir string, name string, args ...string) (string, error) {
	c := exec.Command(name, args...)
	c.Dir = dir
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", c, err, stderr.String())
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}
