//go:build unix

package main

import (
	"os"
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/skip"
)

// A record that is not whole is a failure, also when the last of it is written at the end.
func TestRecordOnAFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		skip.Loudly(t, err.Error())
	}
	line := `{"type":"event","event":"A","fields":{"B":"1"}}` + "\n"
	for _, args := range []string{"tail --from - --record /dev/full -q -o none --count 1", "tail A --from - --record /dev/full -q -o none"} {
		in := strings.NewReader(line + line + strings.Replace(line, `"A"`, `"C"`, 1))
		if status, _, stderr := runApp(t, nil, in, strings.Fields(args)...); status != fail.ExitLost {
			t.Errorf("%s: status %d, %s", args, status, stderr)
		}
	}
}
