package run

import (
	"cmp"
	"runtime/debug"
)

// Version, Commit and Date are set by the release build: the release, its commit, and the time of that commit (RFC 3339, UTC).
var Version, Commit, Date string

// A Build is what this program was built from. What is not known is empty.
type Build struct {
	Version, Commit, Date string
	Modules               []Module
}

// A Module is a dependency that is linked into the program, with its hash as in go.sum.
type Module struct{ Path, Version, Sum string }

// ThisBuild tells what the release build set, or else what the Go toolchain wrote into the binary.
func ThisBuild() Build {
	info, ok := debug.ReadBuildInfo()
	return buildOf(info, ok)
}

// buildOf is ThisBuild of what the toolchain wrote, if it did.
func buildOf(info *debug.BuildInfo, ok bool) Build {
	b := Build{Version: Version, Commit: Commit, Date: Date}
	if !ok {
		b.Version = cmp.Or(b.Version, "unknown")
		return b
	}
	b.Version = cmp.Or(b.Version, info.Main.Version, "(devel)")
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = cmp.Or(b.Commit, s.Value)
		case "vcs.time":
			b.Date = cmp.Or(b.Date, s.Value)
		}
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		b.Modules = append(b.Modules, Module{Path: m.Path, Version: m.Version, Sum: m.Sum})
	}
	return b
}
