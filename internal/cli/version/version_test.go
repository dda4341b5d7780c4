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
	if v, _ := run.BuildVersion(); got.Get("version").Str != v || got.Get("go").Str != runtime.Version() {
		t.Errorf("version and Go are not those of this build: %s", got)
	}
}

// It is an object: the wire's form is no form for it.
func TestVersionRefusesRaw(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Flags: run.Globals{Output: "raw"}})
	runtest.Refused(t, version(r.Run), fail.CodeUsage, "-o raw")
}
