package health

import (
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/metrics"
)

// What a server says cannot spoil a scrape.
func TestPrometheusLabelsAreUTF8(t *testing.T) {
	var b strings.Builder
	if err := metrics.Write(&b, promFamilies([]checkup{{node: "a", version: "2\xff2\"\n", banner: "\xc3"}})); err != nil {
		t.Fatal(err)
	}
	if want := `version="2` + "\uFFFD" + `2\"\n",banner="` + "\uFFFD" + `"`; !strings.Contains(b.String(), want) {
		t.Errorf("%s does not hold %s", b.String(), want)
	}
}

func TestMinReadyBeyondAllIntegers(t *testing.T) {
	for _, s := range []string{"1e300", "99999999999999999999", "Inf"} {
		if n, err := parseMinReady(s, 5); err == nil {
			t.Errorf("%s: %d", s, n)
		}
	}
}
