package report

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/apntalk/amictl/pkg/output"
)

var (
	svgElement = regexp.MustCompile(`(?s)<svg class="(wide|narrow)" viewBox="0 0 (\d+) .*?</svg>`)
	levelText  = regexp.MustCompile(`<text class="tick" text-anchor="(\w+)" x="([\d.]+)" y="([\d.]+)">([^<]*)</text>`)
)

// However many nodes there are and however long they are called, no label is cut off or runs into another, in either size.
func TestAxesCanBeRead(t *testing.T) {
	for _, nodes := range []int{2, 5, 12, 60, 500} {
		r := rich(t, uint64(nodes))
		for len(r.Nodes) < nodes {
			r.Nodes = append(r.Nodes, r.Nodes...)
		}
		r.Nodes = r.Nodes[:nodes]
		r.Nodes[0].Node = "pbx1.a-rather-long-name.example.com"
		for _, p := range (view{r}).plots() {
			drawn := svgElement.FindAllStringSubmatch(string(p.SVG), -1)
			if len(drawn) != len(sizes) {
				t.Fatalf("%s is drawn %d times", p.Title, len(drawn))
			}
			for _, svg := range drawn {
				width, _ := strconv.ParseFloat(svg[2], 64)
				ends := map[string]float64{} // by line of text
				for _, m := range levelText.FindAllStringSubmatch(svg[0], -1) {
					x, _ := strconv.ParseFloat(m[2], 64)
					from := x - map[string]float64{"start": 0, "middle": 0.5, "end": 1}[m[1]]*6.5*float64(output.Width(m[4]))
					if end, beside := ends[m[3]]; from < 0 || from+6.5*float64(output.Width(m[4])) > width+1 || beside && from < end {
						t.Errorf("%d nodes, %s, %s: the label %q is cut off, or runs into another", nodes, p.Title, svg[1], m[4])
					}
					ends[m[3]] = from + 6.5*float64(output.Width(m[4]))
				}
			}
		}
	}
}

// A line goes on over a stretch that has no figure, and is broken where nothing was answered.
func TestLinesOverHoles(t *testing.T) {
	r := sample(t, 1, true)
	r.Intervals = r.Intervals[:5]
	for i, p99 := range []int64{0, 100, 0, 300, 400} {
		r.Intervals[i].P99, r.Intervals[i].ServiceP99, r.Intervals[i].Ended = p99, 0, 10
	}
	p, _ := view{r}.plotLatency()
	if !strings.Contains(p.About, "too few samples for service p99.") {
		t.Errorf("it says %q", p.About)
	}
	line := regexp.MustCompile(`<path class="line s2" d="([^"]*)"`)
	if d := line.FindStringSubmatch(string(p.SVG))[1]; strings.Count(d, "M") != 1 || strings.Count(d, "L") != 2 {
		t.Errorf("the line is %s", d)
	}
	r.Intervals[2].Ended = 0
	p, _ = view{r}.plotLatency()
	if d := line.FindStringSubmatch(string(p.SVG))[1]; strings.Count(d, "M") != 2 || strings.Count(d, "L") != 1 {
		t.Errorf("the broken line is %s", d)
	}
}
