// Package skip is for tests that need what only some machines have: root, a browser, a real Asterisk. Only tests import it.
package skip

import (
	"os"
	"testing"
)

// Loudly skips a test that cannot run here, and says why. In CI (CI=true), and where a script has installed all that is needed
// (AMICTL_REQUIRED=1), that is a failure.
func Loudly(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" || os.Getenv("AMICTL_REQUIRED") == "1" {
		t.Fatal("it cannot run, and here it must: " + why)
	}
	t.Skip("SKIPPED: " + why)
}

// UnlessRoot skips a test that only root can run.
func UnlessRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		Loudly(t, "only root may do what it tries")
	}
}
