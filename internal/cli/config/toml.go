package config

import (
	"strconv"
	"strings"
)

// TOMLKey writes a key, quoted where it must be.
func TOMLKey(s string) string {
	if s == "" || strings.TrimLeft(s, bareKey) != "" {
		return TOMLString(s)
	}
	return s
}

// bareKey is what a key without quotes may consist of.
const bareKey = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

// TOMLString writes a basic string. TOML knows neither \x nor \a, which strconv would write for controls.
func TOMLString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			b.WriteString(`\u00` + strconv.FormatInt(0x100+int64(r), 16)[1:])
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
