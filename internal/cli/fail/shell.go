package fail

import "strings"

// ShellWord escapes what a shell would take for more than itself.
func ShellWord(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune(" \t'\"\\$`&|;()<>*?[]{}!#~", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// ShellLine is a line that can be typed.
func ShellLine(words []string) string {
	line := make([]string, len(words))
	for i, w := range words {
		line[i] = ShellWord(w)
	}
	return strings.Join(line, " ")
}
