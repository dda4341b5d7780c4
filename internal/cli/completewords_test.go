package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
)

// Completion knows what may be asked about: metrics, keys of objects, headers of events and items, and what causes mean.
func TestCompletionOfConditions(t *testing.T) {
	for line, want := range map[string]string{
		"bench --fail-if p99.":                "p99.9\np99.99\n:nospace\n",
		"bench --fail-if=ledg":                "--fail-if=ledger\n:nospace\n",
		"health --crit ch":                    "channels\n:nospace\n",
		"health --fields node,bann":           "node,banner\n:done\n",
		"state calls --where caller.nu":       "caller.number=\n:nospace\n",
		"state queues --fields name,calle":    "name,callers\n:done\n",
		"tail Hangup --where Cause=17":        "Cause=17\tUser busy\n:done\n",
		"tail --where Cause!=12":              "Cause!=127\tInterworking, unspecified\n:done\n",
		"tail Hangup --where Tech":            "TechCause=\n:nospace\n",
		"send QueueStatus --where Status=8":   "Status=8\tOn Hold\n:done\n",
		"send QueueStatus --fields Queue,Pos": "Queue,Position\n:done\n",
		"send Ping --where X=":                ":done\n",
	} {
		var out bytes.Buffer
		r := run.New(append([]string{"completion", "fish", "--"}, strings.Fields(line)...), nil, &out, &out, func(string) (string, bool) { return "", false })
		if status := Execute(t.Context(), r); status != fail.ExitOK || out.String() != want {
			t.Errorf("%s: status %d, %q, want %q", line, status, out.String(), want)
		}
	}
}
