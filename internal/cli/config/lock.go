package config

import (
	"errors"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// lockSuffix ends the name of the file beside the configuration that edits lock. The configuration itself cannot hold the
// lock: it is replaced.
const lockSuffix = ".lock"

// lock waits until no other amictl edits a configuration, and keeps others from it until unlock is called. A file system
// without locks is no reason not to write.
func lock(path string) (unlock func(), err error) {
	unlock, err = lockedfile.MutexAt(path + lockSuffix).Lock()
	if errors.Is(err, errors.ErrUnsupported) {
		return func() {}, nil
	}
	return unlock, err
}
