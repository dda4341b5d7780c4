// Package canary has the secret with which tests look for leaks.
package canary

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
)

// Secret must be seen nowhere. It has something to escape in every syntax.
const Secret = `Kanarie/7"f&e'9+ vogel\zingt`

// Leak returns how the secret shows in a text, in any of the forms in which it could, or "".
func Leak(text []byte) string {
	lower := bytes.ToLower(text)
	for form, s := range map[string]string{
		"as it is": Secret, "escaped for a URL": url.QueryEscape(Secret), "escaped for a path": url.PathEscape(Secret),
		"quoted": strings.Trim(strconv.Quote(Secret), `"`), "in base64": base64.StdEncoding.EncodeToString([]byte(Secret)),
		"in hex": hex.EncodeToString([]byte(Secret)), "in part": "Kanarie", "in part at its end": "zingt",
	} {
		if bytes.Contains(lower, []byte(strings.ToLower(s))) {
			return form
		}
	}
	return ""
}
