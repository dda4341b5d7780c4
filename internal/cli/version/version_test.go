package version

import (
	"runtime"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
)

func TestVersion(t *testing.T) {
	r := runtest.New(t, runtest.Setup{})
	if err := version(r.Run); err != nil {
		t.Fatal(err)
	}
	got := gjson.Parse(r.Out.String())
	if b := run.ThisBuild(); got.Get("version").Str != b.Version || got.Get("go").Str != runtime.Version() || got.Get("modules.#").Int() != int64(len(b.Modules)) {
		t.Errorf("version, Go and modules are not those of this build: %s", got)
	}
}

// What the release build sets is what is told.
func TestVersionOfARelease(t *testing.T) {
	defer func(v, c, d string) { run.Version, run.Commit, run.Date = v, c, d }(run.Version, run.Commit, run.Date)
	run.Version, run.Commit, run.Date = "v1.2.3-rc.1", "0123abcd", "2026-11-28T09:23:40Z"
	r := runtest.New(t, runtest.Setup{Flags: run.Globals{Query: "[version,commit,date]"}})
	if err := version(r.Run); err != nil {
		t.Fatal(err)
	}
	if got, want := r.Out.String(), `["v1.2.3-rc.1","0123abcd","2026-11-28T09:23:40Z"]`+"\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// It is an object: the wire's form is no form for it.
func TestVersionRefusesRaw(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Flags: run.Globals{Output: "raw"}})
	runtest.Refused(t, version(r.Run), fail.CodeUsage, "-o raw")
}
