package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// allowed are the licences, by their SPDX identifiers, under which what is linked in may be given away with an Apache-2.0 program.
var allowed = []string{"Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Unlicense", "CC0-1.0"}

// sure is how much of a licence's text, in percent, has to be known.
const sure = 75

// A module is one that is linked in; Dir is where its source is.
type module struct{ Path, Version, Dir string }

// licences writes the licences of Go and of all modules that are linked into any of the binaries. One without a licence, or with
// one that is not allowed, is an error.
func licences(out string, binaries []string) error {
	all, err := linked(binaries)
	if err != nil {
		return err
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return err
	}
	all = append([]module{{Path: "Go", Dir: strings.TrimSpace(string(goroot))}}, all...)
	var b bytes.Buffer
	b.WriteString("amictl has these in it, under these licences.\n")
	var wrong []string
	for _, m := range all {
		kinds, texts, err := licencesOf(m)
		if err != nil {
			wrong = append(wrong, err.Error())
			continue
		}
		title := strings.TrimSpace(m.Path + " " + m.Version)
		fmt.Fprintf(&b, "\n%s\n%s\n%s\n", strings.Repeat("=", 79), title, strings.Join(kinds, ", "))
		for _, text := range texts {
			fmt.Fprintf(&b, "\n%s\n", bytes.TrimSpace(text))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("licences:\n%s", strings.Join(wrong, "\n"))
	}
	return os.WriteFile(out, b.Bytes(), 0o644)
}

// linked are the modules of the binaries, in order.
func linked(binaries []string) ([]module, error) {
	versions := make(map[string]string)
	for _, file := range binaries {
		info, err := buildinfo.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, m := range info.Deps {
			if m.Replace != nil {
				return nil, fmt.Errorf("%s: %s is replaced", file, m.Path)
			}
			versions[m.Path] = m.Version
		}
	}
	var all []module
	for _, path := range slices.Sorted(maps.Keys(versions)) {
		text, err := exec.Command("go", "mod", "download", "-json", path+"@"+versions[path]).Output()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		var m module
		if err := json.Unmarshal(text, &m); err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

var (
	licenceName = regexp.MustCompile(`(?i)^(un)?licen[cs]e|^copying`)
	otherName   = regexp.MustCompile(`(?i)\.(go|docs)$`) // source, and the licence of documentation alone
	noticeName  = regexp.MustCompile(`(?i)^notice|^patents`)
)

// licencesOf returns the texts at the top of a module's source, and what licences they are.
func licencesOf(m module) (kinds []string, texts [][]byte, err error) {
	files, err := os.ReadDir(m.Dir)
	if err != nil {
		return nil, nil, err
	}
	found := make(map[string]bool)
	for _, f := range files {
		isLicence := licenceName.MatchString(f.Name())
		if f.IsDir() || otherName.MatchString(f.Name()) || !isLicence && !noticeName.MatchString(f.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(m.Dir, f.Name()))
		if err != nil {
			return nil, nil, err
		}
		texts = append(texts, text)
		if !isLicence {
			continue
		}
		known := licensecheck.Scan(text)
		if known.Percent < sure {
			return nil, nil, fmt.Errorf("%s %s: %s is no licence that is known (%.0f %% of it are)", m.Path, m.Version, f.Name(), known.Percent)
		}
		for _, match := range known.Match {
			if !match.IsURL {
				found[match.ID] = true
			}
		}
	}
	kinds = slices.Sorted(maps.Keys(found))
	if len(kinds) == 0 {
		return nil, nil, fmt.Errorf("%s %s: no licence was found", m.Path, m.Version)
	}
	for _, k := range kinds {
		if !slices.Contains(allowed, k) {
			return nil, nil, fmt.Errorf("%s %s: the licence %s is not allowed", m.Path, m.Version, k)
		}
	}
	return kinds, texts, nil
}
