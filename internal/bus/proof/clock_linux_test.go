package proof

import "path/filepath"

// clockVariable names the file that a program of jumpy looks for.
const clockVariable = "AMICTL_TEST_CLOCK"

// clocks are those of some processes.
type clocks struct{ dir string }

// of is the environment of a process whose clock has a name.
func (c *clocks) of(name string) string {
	if c == nil {
		return clockVariable + "="
	}
	return clockVariable + "=" + filepath.Join(c.dir, name)
}
