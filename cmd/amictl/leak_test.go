package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
)

// canary is a secret that must be seen nowhere. It has something to escape in every syntax.
const canary = `Kanarie/7"f&e'9+ vogel\zingt`

// leak returns how the canary shows in a text, in any of the forms in which it could, or "".
func leak(text []byte) string {
	lower := bytes.ToLower(text)
	for form, s := range map[string]string{
		"as it is": canary, "escaped for a URL": url.QueryEscape(canary), "escaped for a path": url.PathEscape(canary),
		"quoted": strings.Trim(strconv.Quote(canary), `"`), "in base64": base64.StdEncoding.EncodeToString([]byte(canary)),
		"in hex": hex.EncodeToString([]byte(canary)), "in part": "Kanarie", "in part at its end": "zingt",
	} {
		if bytes.Contains(lower, []byte(strings.ToLower(s))) {
			return form
		}
	}
	return ""
}
