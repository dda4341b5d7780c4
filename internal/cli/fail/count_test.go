package fail_test

import (
	"testing"

	"github.com/apntalk/amictl/internal/cli/fail"
)

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 nodes", 1: "1 node", 2: "2 nodes"} {
		if got := fail.Count(n, "node"); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
	if got := fail.Are(1, "call") + ", " + fail.Were(uint64(2), "call"); got != "1 call is, 2 calls were" {
		t.Errorf("got %q", got)
	}
}
