package schema

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
)

func TestShow(t *testing.T) {
	for name, test := range map[string]struct {
		args  []string
		query string
		want  string
	}{
		"one, as the document that it is": {args: []string{"event"}, want: string(Document("event"))},
		"a part of one":                   {args: []string{"gap"}, query: "title", want: Schemas()["gap"]().Title + "\n"},
		"the names of all":                {query: "schema", want: strings.Join(Names(), "\n") + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Flags: run.Globals{Query: test.query}})
			if err := show(r.Run, &options{args: test.args}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, r.Out.String()); diff != "" {
				t.Errorf("printed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestShowRefuses(t *testing.T) {
	r := runtest.New(t, runtest.Setup{})
	err := show(r.Run, &options{args: []string{"evnt"}})
	runtest.Refused(t, err, fail.CodeUsage, `no schema "evnt"`)
	if hint := fail.Classify(err).Hint; hint != "did you mean event?" {
		t.Errorf("the hint is %q", hint)
	}
	runtest.Refused(t, show(r.Run, &options{args: []string{"event", "gap"}}), fail.CodeUsage, "one name")
}
