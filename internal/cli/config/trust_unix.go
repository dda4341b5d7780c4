//go:build unix

package config

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/apntalk/amictl/internal/cli/fail"
)

// checkOwner refuses a configuration that somebody else may have written, as ssh does with its own: it names commands that
// are run for secrets. It has to belong to us or to root, and nobody else may write to it.
func checkOwner(path string, info os.FileInfo) error {
	if !isOurs(info) {
		return fail.Config("make one of your own, or give it with `chown "+strconv.Itoa(os.Geteuid())+"` if you trust all that is in it",
			"config %s belongs to somebody else", path)
	}
	if link, err := os.Lstat(path); err == nil && link.Mode()&os.ModeSymlink != 0 && !isOurs(link) {
		return fail.Config("give the path that it leads to", "config %s is a link that belongs to somebody else", path)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fail.Config("chmod go-w "+path, "config %s may be written by others, so somebody else may have", path)
	}
	return nil
}

// CheckFolders refuses a path in which somebody else could put another file in the place of the configuration. Only a
// folder whose sticky bit keeps others off, such as /tmp, may be written by them. Our own group is no other: with a umask
// of 002 it has a single member as a rule.
func CheckFolders(path string) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return fail.Config("give an absolute path", "config %s: %v", path, err)
	}
	ends := []string{abs}
	if resolved, err := filepath.EvalSymlinks(abs); err == nil && resolved != abs {
		ends = append(ends, resolved)
	}
	for _, end := range ends {
		for dir := filepath.Dir(end); ; dir = filepath.Dir(dir) {
			if info, err := os.Stat(dir); err == nil && othersMayWrite(info) {
				return fail.Config("chmod go-w "+dir+", or keep the config elsewhere", "config %s: others may write to the folder %s, and so replace it", path, dir)
			} else if err == nil && dir == filepath.Dir(end) && !isOurs(info) {
				return fail.Config("keep the config in a folder of your own", "config %s: the folder %s belongs to somebody else, who may replace it", path, dir)
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return nil
}

func isOurs(info os.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return !ok || s.Uid == 0 || int(s.Uid) == os.Geteuid()
}

func othersMayWrite(folder os.FileInfo) bool {
	mode := folder.Mode()
	if mode&os.ModeSticky != 0 {
		return false
	}
	s, ok := folder.Sys().(*syscall.Stat_t)
	ownGroup := ok && (s.Gid == 0 || int(s.Gid) == os.Getegid())
	return mode.Perm()&0o002 != 0 || mode.Perm()&0o020 != 0 && !ownGroup
}
