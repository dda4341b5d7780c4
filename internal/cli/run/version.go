package run

import (
	"cmp"
	"runtime/debug"
)

// Version is set by the release build.
var Version = ""

// BuildVersion returns the release, or what the Go toolchain wrote into the binary.
func BuildVersion() (v, commit string) {
	v = Version
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return cmp.Or(v, "unknown"), ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			commit = s.Value
		}
	}
	return cmp.Or(v, info.Main.Version, "(devel)"), commit
}
