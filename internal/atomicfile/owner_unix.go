//go:build unix

package atomicfile

import (
	"os"
	"syscall"
)

// keepOwner gives the file the owner and group that it replaces. Only root may give files away; for others the group alone
// can be kept, and where even that is refused the file is simply ours.
func keepOwner(f *os.File, st os.FileInfo) {
	if s, ok := st.Sys().(*syscall.Stat_t); ok {
		if f.Chown(int(s.Uid), int(s.Gid)) != nil {
			_ = f.Chown(-1, int(s.Gid))
		}
	}
}
