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
	tag, err := lastRelease(dir)
	if err != nil {
		return err
	}
	if tag == "" {
		fmt.Fprintln(out, "#### PROMISES NOT COMPARED: there is no release before this one ####")
		return nil
	}
	old, err := os.MkdirTemp("", "compat")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(old) }()
	if _, err := output(dir, "git", "clone", "-q", "-c", "advice.detachedHead=false", "--branch", tag, ".", old); err != nil {
		return err
	}
	changes, err := compare(old, dir, apidiff)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(dir, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	news := newsSince(string(text), strings.TrimPrefix(tag, "v"))
	for _, c := range changes {
		fmt.Fprintln(out, c)
	}
	wrong := judge(changes, news, tag)
	fmt.Fprintf(out, "since %s: %d changes, the next version is at least %s\n", tag, len(changes), least(changes, tag))
	if len(wrong) > 0 {
		return errors.New(strings.Join(wrong, "\n        "))
	}
	return nil
}

// lastRelease is the tag of the release before what is here now, or nothing.
func lastRelease(dir string) (string, error) {
	const match = "--match=v[0-9]*"
	from := "HEAD"
	// A commit that is a release itself, and nothing more, is compared with the one before.
	_, err := output(dir, "git", "describe", "--tags", "--exact-match", match)
	if err == nil {
		status, err := output(dir, "git", "status", "--porcelain", "--untracked-files=no")
		if err != nil {
			return "", err
		}
		if status == "" {
			from = "HEAD^"
		}
	}
	tags, err := output(dir, "git", "tag", "--list", "v[0-9]*", "--merged", from)
	if err != nil || tags == "" {
		if from == "HEAD" {
			return "", err
		}
		return "", nil // the release is the first commit
	}
	return output(dir, "git", "describe", "--tags", "--abbrev=0", match, from)
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
