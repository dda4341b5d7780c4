package report

import (
	"fmt"
	"html"
	"math"
	"strings"

	"github.com/apntalk/amictl/pkg/output"
)

// Sizes of a chart in SVG units, which are about the page's pixels.
const (
	chartHeight                = 260.0
	chartLeft, chartRight      = 64.0, 14.0
	chartTop, chartBottom      = 18.0, 40.0
	plotHeight                 = chartHeight - chartTop - chartBottom
	maxDots                    = 400 // beyond so many points a line has no dots
	labelHeight, tickLabelDown = 4.0, 17.0
	letter                     = 7.5  // the width of a label's character
	slantedWide                = 12.0 // how far slanted names are apart
	slantedRoom                = 78.0 // for names
	slantedName                = 16   // characters
)

// A size is how wide a chart is. The page has each chart in all sizes, and shows the one whose text can be read.
type size struct {
	class string // of the style sheet
	width float64
	names int // how many bars have their names
}

var sizes = []size{{"wide", 600, 24}, {"narrow", 340, 12}}

// A series is one line, or one set of bars or dots, of a chart.
type series struct {
	name  string
	class string // of the style sheet: s1 to s5
	dash  bool
	x, y  []float64
	tips  []string // what a pointer on a point shows; may be nil
}

// A scale maps values to a length between 0 and 1.
type scale struct {
	min, max float64
	log      bool
}

func (s scale) at(v float64) float64 {
	if s.log {
		v = max(v, s.min)
		return (math.Log10(v) - math.Log10(s.min)) / (math.Log10(s.max) - math.Log10(s.min))
	}
	return (v - s.min) / (s.max - s.min)
}

// linear returns a scale from 0 to a round number of at least top, and its ticks.
func linear(top float64) (scale, []float64) {
	if top <= 0 {
		top = 1
	}
	step := math.Pow(10, math.Floor(math.Log10(top/4)))
	for _, m := range []float64{1, 2, 5, 10} {
		if top/(step*m) <= 5 {
			step *= m
			break
		}
	}
	n := math.Ceil(top/step - 1e-9)
	var ticks []float64
	for i := 0.0; i <= n; i++ {
		ticks = append(ticks, i*step)
	}
	return scale{0, n * step, false}, ticks
}

// powersOfTwo is linear for sizes: steps are powers of two.
func powersOfTwo(top float64) (scale, []float64) {
	step := 1.0
	for top/step > 6 {
		step *= 2
	}
	n := max(1, math.Ceil(top/step))
	var ticks []float64
	for i := 0.0; i <= n; i++ {
		ticks = append(ticks, i*step)
	}
	return scale{0, n * step, false}, ticks
}

// logarithmic returns a scale of whole powers of ten around lo and hi, and its ticks.
func logarithmic(lo, hi float64) (scale, []float64) {
	lo, hi = max(lo, 1), max(hi, 1)
	a, b := math.Floor(math.Log10(lo)), math.Ceil(math.Log10(hi)+1e-9)
	if b <= a {
		b = a + 1
	}
	var ticks []float64
	for e := a; e <= b; e++ {
		ticks = append(ticks, math.Pow(10, e))
		if b-a <= 2 && e < b {
			ticks = append(ticks, 2*math.Pow(10, e), 5*math.Pow(10, e))
		}
	}
	return scale{math.Pow(10, a), math.Pow(10, b), true}, ticks
}

// A chart is drawn as an SVG element whose colours come from the page's style sheet.
type chart struct {
	label  string // for those who cannot see it
	x, y   scale
	xticks []float64
	yticks []float64
	xtext  func(float64) string
	ytext  func(float64) string
	xname  string
	// names that would run into each other stand slanted, and the chart is higher by their room
	slanted bool
	size    size
	b       strings.Builder
}

// inAllSizes draws a chart in each size.
func inAllSizes(draw func(c *chart)) string {
	var b strings.Builder
	for _, s := range sizes {
		c := &chart{size: s}
		draw(c)
		b.WriteString(c.String())
	}
	return b.String()
}

func (c *chart) plotWidth() float64   { return c.size.width - chartLeft - chartRight }
func (c *chart) px(v float64) float64 { return chartLeft + c.plotWidth()*c.x.at(v) }
func (c *chart) py(v float64) float64 { return chartTop + plotHeight*(1-c.y.at(v)) }

// crowded reports whether the labels of the x axis would run into each other.
func (c *chart) crowded() bool {
	longest := 0
	for _, t := range c.xticks {
		longest = max(longest, output.Width(c.xtext(t)))
	}
	return letter*float64(longest+1) > c.plotWidth()*min(1, (c.x.at(c.xticks[len(c.xticks)-1])-c.x.at(c.xticks[0]))/max(1, float64(len(c.xticks)-1)))
}

// thinTicks leaves out labels of the x axis until they fit.
func (c *chart) thinTicks() {
	for len(c.xticks) > 2 && c.crowded() {
		var kept []float64
		for i := 0; i < len(c.xticks); i += 2 {
			kept = append(kept, c.xticks[i])
		}
		c.xticks = kept
	}
}

func (c *chart) frame() {
	height := chartHeight
	if c.slanted {
		height += slantedRoom
	}
	fmt.Fprintf(&c.b, `<svg class="%s" viewBox="0 0 %g %g" role="img" aria-label="%s">`, c.size.class, c.size.width, height, html.EscapeString(c.label))
	for _, t := range c.yticks {
		y := c.py(t)
		fmt.Fprintf(&c.b, `<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/>`, chartLeft, c.size.width-chartRight, y, y)
		fmt.Fprintf(&c.b, `<text class="tick" text-anchor="end" x="%g" y="%.1f">%s</text>`, chartLeft-6, y+labelHeight, html.EscapeString(c.ytext(t)))
	}
	for _, t := range c.xticks {
		if c.slanted {
			x, y := c.px(t), chartTop+plotHeight+tickLabelDown-5
			fmt.Fprintf(&c.b, `<text class="tick" text-anchor="end" x="%.1f" y="%g" transform="rotate(-50 %.1f %g)">%s</text>`,
				x, y, x, y, html.EscapeString(output.CutMiddle(c.xtext(t), slantedName)))
			continue
		}
		x, anchor := c.px(t), "middle"
		if x+letter/2*float64(output.Width(c.xtext(t))) > c.size.width { // the label would be cut
			anchor = "end"
		}
		fmt.Fprintf(&c.b, `<text class="tick" text-anchor="%s" x="%.1f" y="%g">%s</text>`,
			anchor, x, chartTop+plotHeight+tickLabelDown, html.EscapeString(c.xtext(t)))
	}
	fmt.Fprintf(&c.b, `<text class="tick" text-anchor="end" x="%g" y="%g">%s</text>`,
		c.size.width-chartRight, height-5, html.EscapeString(c.xname))
}

// line draws a series. On a logarithmic axis a value below 0 is a hole, and one of 0 is not there: the line goes on to the next.
func (c *chart) line(s series) {
	var path strings.Builder
	pen := "M"
	for i := range s.x {
		if c.y.log && s.y[i] <= 0 {
			if s.y[i] < 0 {
				pen = "M"
			}
			continue
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", pen, c.px(s.x[i]), c.py(s.y[i]))
		pen = "L"
	}
	dash := ""
	if s.dash {
		dash = ` stroke-dasharray="5 4"`
	}
	fmt.Fprintf(&c.b, `<path class="line %s" d="%s"%s/>`, s.class, path.String(), dash)
	if len(s.x) > maxDots {
		return
	}
	for i := range s.x {
		if !c.y.log || s.y[i] > 0 {
			c.dot(s, i, 2.2)
		}
	}
}

func (c *chart) dot(s series, i int, radius float64) {
	fmt.Fprintf(&c.b, `<circle class="dot %s" cx="%.1f" cy="%.1f" r="%g">%s</circle>`,
		s.class, c.px(s.x[i]), c.py(s.y[i]), radius, tip(s, i))
}

func tip(s series, i int) string {
	if s.tips == nil {
		return ""
	}
	return "<title>" + html.EscapeString(s.tips[i]) + "</title>"
}

// bars draws a series as bars of one unit's width, from 0.
func (c *chart) bars(s series) {
	width := c.plotWidth() / (c.x.max - c.x.min)
	gap := min(3, width*0.2)
	for i := range s.x {
		top := c.py(s.y[i])
		fmt.Fprintf(&c.b, `<rect class="bar %s" x="%.2f" y="%.1f" width="%.2f" height="%.1f">%s</rect>`,
			s.class, c.px(s.x[i])+gap/2, top, max(0.5, width-gap), max(1, chartTop+plotHeight-top), tip(s, i))
	}
}

// over writes text above a bar.
func (c *chart) over(x, y float64, text string) {
	fmt.Fprintf(&c.b, `<text class="tick over" text-anchor="middle" x="%.1f" y="%.1f">%s</text>`, c.px(x+0.5), c.py(y)-5, html.EscapeString(text))
}

// rule draws a horizontal line at a value, such as a cap or a fair share.
func (c *chart) rule(v float64, text string) {
	y := c.py(v)
	fmt.Fprintf(&c.b, `<line class="rule" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/>`, chartLeft, c.size.width-chartRight, y, y)
	fmt.Fprintf(&c.b, `<text class="tick over" text-anchor="start" x="%g" y="%.1f">%s</text>`, chartLeft+6, y-4, html.EscapeString(text))
}

func (c *chart) String() string { return c.b.String() + "</svg>" }

// legend says which line is which, behind the chart.
func legend(all []series) string {
	var b strings.Builder
	b.WriteString(`<p class="legend">`)
	for _, s := range all {
		dash := ""
		if s.dash {
			dash = ` stroke-dasharray="5 4"`
		}
		fmt.Fprintf(&b, `<span><svg viewBox="0 0 22 8" class="key" aria-hidden="true"><path class="line %s" d="M0 4L22 4"%s/></svg>%s</span>`,
			s.class, dash, html.EscapeString(s.name))
	}
	b.WriteString("</p>")
	return b.String()
}
