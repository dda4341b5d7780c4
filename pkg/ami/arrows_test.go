package ami_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/apntalk/amictl/"

// arrows say what of the module each package may import; a name stands for the package alone. Whatever is not listed fails:
// a new package finds its place here first. Tests' own imports are free.
var arrows = map[string]string{
	"internal/packet":        "",
	"internal/pattern":       "",
	"internal/packet/inside": "internal/packet pkg/ami/wire",

	"pkg/ami/wire":     "internal/packet",
	"pkg/ami/redact":   "pkg/ami/wire internal/packet/inside",
	"pkg/ami/catalog":  "pkg/ami/wire",
	"pkg/ami":          "internal/packet internal/packet/inside internal/pattern pkg/ami/wire pkg/ami/redact pkg/ami/catalog",
	"pkg/ami/simtest":  "",
	"internal/manager": "internal/pattern",
	"pkg/ami/amitest":  "internal/manager pkg/ami/wire internal/capture internal/packet/inside",
	"pkg/ami/state":    "pkg/ami pkg/ami/wire",
	"pkg/ami/amiprom":  "pkg/ami internal/metrics internal/metrics/prom",
	"pkg/output":       "pkg/ami pkg/ami/wire pkg/ami/redact pkg/ami/catalog internal/query internal/packet/inside",

	"internal/metrics":      "pkg/ami",
	"internal/packed":       "pkg/ami internal/packet internal/packet/inside",
	"internal/metrics/prom": "internal/metrics",
	"internal/query":        "pkg/ami",
	"internal/cond":         "pkg/ami pkg/ami/wire",
	"internal/atomicfile":   "",
	"internal/canary":       "",
	"internal/skip":         "", // only tests import it
	"internal/pty":          "", // as well
	"internal/tomlfile":     "",
	"internal/testreport":   "",
	"internal/shapes":       "",
	"internal/duration":     "",
	"internal/actionline":   "internal/duration pkg/ami pkg/ami/wire",
	"internal/capture":      "pkg/ami/wire internal/packet internal/packet/inside",
	"internal/unpack":       "",
	"internal/spool":        "",
	"internal/backlog":      "internal/packed internal/spool pkg/ami",
	"internal/scenario":     "internal/tomlfile pkg/ami pkg/ami/wire pkg/ami/amitest",
	"internal/bench":        "internal/atomicfile pkg/ami pkg/ami/wire pkg/ami/amitest",
	"internal/bench/report": "internal/bench pkg/output",
	"internal/bench/fleet":  "internal/bench internal/bench/report",
	"internal/loopback":     "",
	"internal/objects":      "pkg/ami pkg/ami/state pkg/output",

	"internal/filelock":    "",
	"internal/natsserver":  "internal/filelock",
	"internal/bus/subject": "",
	"internal/bus/batch":   "pkg/ami pkg/ami/wire",
	"internal/bus/proof":   "", // only tests
	"internal/bus":         "internal/bus/subject internal/bus/batch internal/backlog internal/manager internal/spool pkg/ami pkg/ami/wire",

	"internal/bench/fleet/proof":   "", // only tests
	"internal/bench/fleet/natsbus": "internal/bench/fleet internal/natsserver",

	"internal/serve/users/spec": "",
	"internal/serve/users":      "internal/serve/users/spec pkg/ami pkg/ami/wire pkg/ami/redact pkg/ami/state",
	"internal/serve/stream":     "pkg/ami pkg/output",
	"internal/serve/upstream":   "internal/serve/users internal/serve/stream internal/manager pkg/ami pkg/ami/wire pkg/ami/redact pkg/ami/state",
	"internal/serve/web":        door + " internal/actionline internal/objects internal/loopback internal/metrics internal/metrics/prom pkg/ami/amiprom",
	"internal/serve/relay":      "internal/serve/upstream internal/serve/users internal/manager pkg/ami pkg/ami/wire",
	"internal/serve/amidoor":    door + " internal/serve/relay internal/manager",
	"internal/serve/busdoor":    "internal/serve/relay internal/serve/upstream internal/serve/users internal/bus internal/manager pkg/ami/wire",
	"internal/serve/proof":      "", // only tests
	"internal/serve":            "internal/serve/upstream internal/serve/users pkg/ami pkg/ami/redact",

	"internal/cli/fail":     "internal/cond pkg/ami pkg/ami/wire pkg/ami/catalog pkg/output",
	"internal/cli/flags":    "internal/duration",
	"internal/cli/config":   "internal/atomicfile internal/tomlfile internal/serve/users/spec internal/cli/fail pkg/ami pkg/ami/redact pkg/output",
	"internal/cli/run":      "internal/atomicfile internal/cli/config internal/cli/flags internal/cli/fail pkg/ami pkg/ami/redact pkg/output",
	"internal/cli/target":   floor + " internal/loopback internal/spool pkg/ami/redact",
	"internal/cli/act":      floor + " internal/cli/target internal/cond pkg/ami/catalog",
	"internal/cli/call":     floor + " internal/cli/target internal/cli/act",
	"internal/cli/tail":     subcommand + " internal/spool internal/backlog",
	"internal/cli/replay":   floor + " internal/capture internal/unpack",
	"internal/cli/timeline": "pkg/ami pkg/ami/wire pkg/output",
	"internal/cli/held":     floor + " internal/cli/target internal/cli/act internal/cond internal/objects pkg/ami/state",
	"internal/cli/nagios":   "internal/cli/run internal/cli/fail pkg/output",
	"internal/cli":          "", // see mayImport

	"internal/cli/runtest": "internal/cli/run internal/cli/config internal/cli/fail internal/pty pkg/ami/amitest", // only tests import it

	"internal/cli/bus":   floor + " internal/cli/target internal/bus",
	"internal/cli/serve": floor + " internal/cli/act internal/bus internal/natsserver internal/cli/target internal/loopback internal/serve internal/serve/upstream internal/serve/users internal/serve/web internal/serve/amidoor internal/serve/busdoor internal/spool pkg/ami/redact pkg/ami/amitest",

	"examples/each":   "",
	"cmd/amictl":      "internal/cli",
	"cmd/amictld":     "internal/cli internal/cli/bus internal/cli/serve internal/cli/top internal/cli/bench internal/bench/fleet/natsbus",
	"scripts/compat":  "",
	"scripts/mutate":  "",
	"scripts/restart": "",
}

// floor is what everything on the command line stands on.
const floor = "internal/cli/run internal/cli/config internal/cli/flags internal/cli/fail pkg/ami pkg/ami/wire pkg/output"

// door is what a door of the daemon stands on.
const door = "internal/serve/upstream internal/serve/users internal/serve/stream pkg/ami pkg/ami/wire pkg/ami/redact pkg/ami/state pkg/output"

// A subcommand imports no other; what two need is further down.
const subcommand = floor + " internal/filelock internal/cli/target internal/cli/act internal/cli/call internal/cli/nagios internal/cli/replay internal/cli/held internal/cli/timeline internal/objects pkg/ami/state pkg/ami/redact pkg/ami/catalog pkg/ami/amitest" +
	" internal/actionline internal/loopback internal/atomicfile internal/tomlfile internal/capture internal/unpack internal/cond internal/query internal/metrics internal/bench internal/bench/report internal/bench/fleet internal/scenario internal/testreport"

// mayImport returns what a package may import of the module.
func mayImport(from string) (packages []string, known bool) {
	list, known := arrows[from]
	if sub, ok := strings.CutPrefix(from, "internal/cli/"); ok && !known && !strings.Contains(sub, "/") {
		list, known = subcommand, true
	}
	return strings.Fields(list), known
}

// The house's arrows point down only, and the library stands on the standard library and golang.org/x alone.
func TestImportArrows(t *testing.T) {
	pure := []string{"internal/packet", "internal/packet/inside", "pkg/ami/wire", "pkg/ami/redact", "pkg/ami/catalog", "pkg/ami", "pkg/ami/amitest", "pkg/ami/state"}
	nats := []string{"internal/natsserver", "internal/bench/fleet/natsbus", "internal/bus", "internal/cli/bus", "examples/each"}
	prometheus := []string{"pkg/ami/amiprom", "internal/metrics/prom", "internal/serve/web"} // amictl links none of them
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		from := strings.TrimPrefix(f[0], module)
		may, known := mayImport(from)
		if !known {
			t.Errorf("%s has no place in the house", from)
		}
		seen++
		for _, to := range f[1:] {
			own, isOwn := strings.CutPrefix(to, module)
			host, _, _ := strings.Cut(to, "/")
			switch {
			case isOwn && from == "internal/cli": // the root knows its subcommands
			case isOwn && !slices.Contains(may, own):
				t.Errorf("%s imports %s, against the arrows", from, own)
			case !isOwn && slices.Contains(pure, from) && strings.Contains(host, ".") && host != "golang.org":
				t.Errorf("%s imports %s: the library has no dependencies", from, to)
			case strings.Contains(to, "nats-io/") && !slices.Contains(nats, from):
				t.Errorf("%s imports %s: amictl would link it", from, to)
			case strings.Contains(to, "prometheus/client_golang/") && !slices.Contains(prometheus, from):
				t.Errorf("%s imports %s: amictl would link it", from, to)
			}
		}
	}
	if seen < len(arrows) {
		t.Errorf("only %d packages were looked at", seen)
	}
}
