//go:build !unix

package atomicfile

import "os"

// keepOwner has nothing to do here: a file's access list comes from its folder.
func keepOwner(*os.File, os.FileInfo) {}
