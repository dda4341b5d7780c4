// Command pack makes the parts of a release that no other pinned tool makes, the same to the byte for the same input. It has a
// module of its own, so that what it needs is no dependency of amictl. scripts/release runs it.
//
// The time in all that it writes is SOURCE_DATE_EPOCH, in seconds since 1970.
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

const usage = `usage: pack COMMAND

  gzip FILE...                    replace each FILE by FILE.gz
  archive OUT.tar.gz|OUT.zip DIR  all of DIR, under the name of OUT
  licences OUT BINARY...          the licences of all modules that are linked into the BINARIES, and of Go; refuses those not known
  materials FILE                  takes out of a bill of materials what depends on the machine that made it
  image OUT.tar VERSION COMMIT ARCH=DIR...
                                  an OCI archive of the programs in each DIR, for Linux on each ARCH
  sums DIR                        DIR/SHA256SUMS of all files in DIR`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return errors.New(usage)
	}
	epoch, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	when := time.Unix(epoch, 0).UTC()
	command, first, rest := args[0], args[1], args[2:]
	switch {
	case command == "gzip":
		return gzipAll(args[1:])
	case command == "archive" && len(rest) == 1:
		return archive(first, rest[0], when)
	case command == "licences" && len(rest) > 0:
		return licences(first, rest)
	case command == "materials" && len(rest) == 0:
		return materials(first)
	case command == "image" && len(rest) > 2:
		return image(first, rest[0], rest[1], rest[2:], when)
	case command == "sums" && len(rest) == 0:
		return sums(first)
	}
	return errors.New(usage)
}
