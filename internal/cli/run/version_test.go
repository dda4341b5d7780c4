package run

import (
	"runtime/debug"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What the release build says wins over what the toolchain knows, value by value.
func TestBuild(t *testing.T) {
	written := &debug.BuildInfo{
		Main: debug.Module{Version: "v1.2.3"},
		Settings: []debug.BuildSetting{
			{Key: "vcs", Value: "git"},
			{Key: "vcs.revision", Value: "abc"},
			{Key: "vcs.time", Value: "2026-11-23T12:00:00Z"},
			{Key: "vcs.modified", Value: "true"},
		},
		Deps: []*debug.Module{
			{Path: "example.org/a", Version: "v1.0.0", Sum: "h1:a"},
			{Path: "example.org/b", Version: "v1.0.0", Sum: "h1:b", Replace: &debug.Module{Path: "example.org/c", Version: "v2.0.0", Sum: "h1:c"}},
		},
	}
	modules := []Module{{"example.org/a", "v1.0.0", "h1:a"}, {"example.org/c", "v2.0.0", "h1:c"}}
	defer func(v, c, d string) { Version, Commit, Date = v, c, d }(Version, Commit, Date)
	for name, tt := range map[string]struct {
		version, commit, date string // of the release build
		info                  *debug.BuildInfo
		want                  Build
	}{
		"toolchain":   {"", "", "", written, Build{"v1.2.3", "abc", "2026-11-23T12:00:00Z", modules}},
		"release":     {"1.0", "def", "2026-01-01T00:00:00Z", written, Build{"1.0", "def", "2026-01-01T00:00:00Z", modules}},
		"a folder":    {"", "", "", &debug.BuildInfo{}, Build{Version: "(devel)"}},
		"nobody":      {"", "", "", nil, Build{Version: "unknown"}},
		"release too": {"1.0", "def", "", nil, Build{Version: "1.0", Commit: "def"}},
	} {
		Version, Commit, Date = tt.version, tt.commit, tt.date
		if diff := cmp.Diff(tt.want, buildOf(tt.info, tt.info != nil)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestThisBuild(t *testing.T) {
	if b := ThisBuild(); b.Version != "(devel)" { // as go says it of a test
		t.Errorf("it is not made of what it is: %+v", b)
	}
}
