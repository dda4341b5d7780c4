package config

import (
	"strings"
	"testing"
)

// A URL without its scheme shows no secret either.
func TestHidePasswordWithoutScheme(t *testing.T) {
	for in, want := range map[string]string{
		"ami://u:geheim@h": "ami://u:[secret]@h", "u:geheim@h:5038": "u:[secret]@h:5038", "ami:u:geheim@h": "ami:[secret]@h",
		"ami://u@h:5038": "ami://u@h:5038", "30s": "30s", "12:30": "12:30", "file:~/x": "file:~/x", "": "",
	} {
		if got := HidePassword(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	for _, url := range []string{"u:geheim@h:5038", "ami:u:geheim@h", "http://u:geheim@h", "ami://u:geheim@h", "ami://u:geheim@h/x", "ami://u:ge%heim@h"} {
		if _, err := ParseURL(url); err == nil || strings.Contains(err.Error(), "heim") {
			t.Errorf("%s: %v", url, err)
		}
	}
}
