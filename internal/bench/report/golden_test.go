package report

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/bench"
)

var update = flag.Bool("update", false, "write the reports of testdata anew")

// rich is a sample with what only some runs have.
func rich(t *testing.T, seed uint64) *bench.Result {
	r := sample(t, seed, true)
	r.Calls = &bench.Calls{Originated: 100, Answered: 90, Failed: 7, HungUp: 88, Left: 3, Peak: 12, Channels: 24, HangupP50: 900, HangupP99: 4000, HangupMax: 9000}
	r.Events = &bench.Events{Expected: 1100, Delivered: 1000, Dropped: 60, Gaps: 4, Missing: 40, Disorder: 2, HeldUp: 70, Rate: 50}
	r.Total.Ended.Error, r.Total.Ended.Timeout, r.Total.Ended.Maybe = 11, 7, 5
	r.Nodes[2].Ended.Timeout, r.Nodes[2].Reconnects, r.Nodes[2].EventDrops, r.Nodes[2].EventGaps = 9, 2, 60, 4
	for i := range r.Intervals {
		r.Intervals[i].Channels, r.Intervals[i].Goroutines, r.Intervals[i].Events = uint64(i/2), uint64(40+i), uint64(50*i)
		r.Intervals[i].Queued, r.Intervals[i].WarmUp = uint64(100-i), i < 2
	}
	r.Notes = []string{"a note"}
	r.Decide(nil)
	return r
}

// What a report says of a run is, to the letter, what is in testdata: a figure that is added up, scaled or rounded in
// another way shows there. `go test ./internal/bench/report -run Letter -update` writes the files anew; look at the difference.
func TestReportsToTheLetter(t *testing.T) {
	machines, err := Merge([]*bench.Result{rich(t, 1), rich(t, 2)})
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]*bench.Result{"closed": sample(t, 1, false), "open": sample(t, 2, true), "rich": rich(t, 3), "merged": machines} {
		t.Run(name, func(t *testing.T) {
			var text, page bytes.Buffer
			for _, width := range []int{0, 72, 100} {
				fmt.Fprintf(&text, "--- %d columns\n", width)
				if err := Table(&text, r, width, false); err != nil {
					t.Fatal(err)
				}
			}
			text.WriteString("--- Markdown\n")
			if err := Markdown(&text, r); err != nil {
				t.Fatal(err)
			}
			for _, p := range (view{r}).plots() {
				fmt.Fprintf(&page, "%s\n%s\n", p.Title, bytes.ReplaceAll([]byte(p.SVG), []byte("><"), []byte(">\n<")))
			}
			golden(t, name+".txt", text.Bytes())
			if name == "closed" || name == "rich" {
				golden(t, name+".svg.txt", page.Bytes())
			}
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil { //nolint:gosec // everybody may read it
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}
