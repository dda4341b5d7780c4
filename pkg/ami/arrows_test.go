package ami_test

import (
	"os/exec"
	"strings"
	"testing"
)

// The house's arrows point down only: cmd → bench, output → ami → redact, catalog → wire; amiprom → ami; amitest → wire.
func TestImportArrows(t *testing.T) {
	const module = "github.com/apntalk/amictl/"
	allowed := map[string]string{ // package → what of the module it may import
		"pkg/ami/wire":     "",
		"pkg/ami/redact":   "pkg/ami/wire",
		"pkg/ami/catalog":  "pkg/ami/wire",
		"pkg/ami":          "pkg/ami/wire pkg/ami/redact pkg/ami/catalog",
		"pkg/ami/amitest":  "pkg/ami/wire",
		"internal/metrics": "pkg/ami",
		"pkg/ami/amiprom":  "pkg/ami internal/metrics",
		"pkg/output":       "pkg/ami pkg/ami/wire",
		"pkg/scenario":     "pkg/ami pkg/ami/wire pkg/ami/amitest",
		"pkg/bench":        "pkg/ami pkg/ami/wire pkg/ami/amitest",
		"cmd/amictl":       "pkg/ami pkg/ami/wire pkg/ami/redact pkg/ami/catalog pkg/ami/amitest pkg/output pkg/bench pkg/scenario internal/metrics",
	}
	// The library stands on the standard library and golang.org/x alone.
	pure := map[string]bool{"pkg/ami/wire": true, "pkg/ami/redact": true, "pkg/ami/catalog": true, "pkg/ami": true, "pkg/ami/amitest": true}
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		from := strings.TrimPrefix(f[0], module)
		may, ok := allowed[from]
		if !ok {
			continue
		}
		seen++
		for _, to := range f[1:] {
			if own, isOwn := strings.CutPrefix(to, module); isOwn {
				if !strings.Contains(" "+may+" ", " "+own+" ") {
					t.Errorf("%s imports %s, against the arrows", from, own)
				}
			} else if host, _, _ := strings.Cut(to, "/"); pure[from] && strings.Contains(host, ".") && host != "golang.org" {
				t.Errorf("%s imports %s: the library has no dependencies", from, to)
			}
		}
	}
	if seen < len(allowed) {
		t.Errorf("only %d packages were looked at", seen)
	}
}

// Shells start amictl thousands of times: Prometheus' client is for the programs that embed the engine.
func TestTheCommandLineIsLean(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "github.com/apntalk/amictl/cmd/amictl").Output()
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range strings.Lines(string(out)) {
		if strings.Contains(pkg, "prometheus") || strings.Contains(pkg, "protobuf") {
			t.Errorf("amictl links %s", strings.TrimSpace(pkg))
		}
	}
	if !strings.Contains(string(out), "/pkg/ami\n") {
		t.Error("the list is not the program's")
	}
}
