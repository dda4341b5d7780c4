package config

import (
	"os"
	"strings"
)

// IsReference reports whether a configured secret says where the secret is, rather than being it.
func IsReference(s string) bool {
	kind, _, found := strings.Cut(s, ":")
	return found && (kind == "file" || kind == "env" || kind == "cmd" || kind == "cred")
}

// Readable tells whether a file's mode lets others than its owner and group read it.
func Readable(info os.FileInfo) bool { return info.Mode().Perm()&0o004 != 0 }
