package redact

import (
	"log/slog"
	"strings"
	"testing"
)

// A known secret never survives, in any of its forms, wherever it is; and redacting what is redacted changes nothing
// that would bring one back.
func FuzzRedactorHides(f *testing.F) {
	f.Add("hunter2x", "Event: A\r\nB: ", "\r\n\r\n", "B")
	f.Add("t]ab", "t]abab", "[secret]", "Secret")
	f.Add("pass=x", "a=1,pass=", ",x=2", "Variable")
	f.Add("a\nb:c", "x\n", "\n", "Output")
	f.Add(`"\"\`, `{"secret":"`, `"}`, "JSON")
	f.Fuzz(func(t *testing.T, secret, before, after, name string) {
		if len(secret) < minSecret || strings.TrimSpace(secret) == "" {
			return
		}
		r := testRedactor(t, Config{Secrets: []Secret{NewSecret(secret)}})
		for _, form := range forms(secret) {
			if strings.Contains(hidden, form) {
				continue // "[secret]" gives it away to nobody
			}
			in := before + form + after
			for what, out := range map[string]string{
				"Text":  r.Text(in),
				"Field": r.Field(name, in),
				"Attr":  r.Attr(nil, slog.String(name, in)).Value.String(),
			} {
				for _, f := range forms(secret) {
					if !strings.Contains(hidden, f) && strings.Contains(out, f) {
						t.Fatalf("%s: %q survives in %q, from %q", what, f, out, in)
					}
				}
			}
		}
	})
}

// Text in which nothing tells and nothing is known comes back as it is.
func FuzzRedactorKeeps(f *testing.F) {
	f.Add("Event: Hangup\r\nChannel: PJSIP/100-1\r\nVariable: a=1,b=\"2\"\r\n\r\n", "Line-000000-000001")
	f.Add(`{"a":"b","c":[1,{"d":2}]}`, "JSON")
	f.Add("Output:   a : b\n\n  c => d", "Output")
	telling := []string{"pass", "pwd", "psk", "pin", "secret", "token", "cred", "key", "ha1", "authorization", "cookie", "register", "expected", "hash", "login", "hunter", "auth", "agent", "conf"}
	f.Fuzz(func(t *testing.T, text, name string) {
		var letters strings.Builder
		for _, c := range strings.ToLower(text + " " + name) {
			if c < 0x80 && alnum(byte(c)) {
				letters.WriteRune(c)
			}
		}
		for _, w := range telling {
			if strings.Contains(letters.String(), w) {
				return
			}
		}
		if at := name + " " + text; strings.Contains(strings.ToLower(at), "line-") || strings.Contains(at, "JSON") && strings.ContainsAny(text, "0123456789") {
			return // a mailbox has a number for its name
		}
		if strings.Contains(text, "@") || len(letters.String()) >= 32 && strings.Contains(letters.String(), "response") {
			return
		}
		r := testRedactor(t, Config{Secrets: []Secret{NewSecret("hunter2x")}})
		if got := r.Text(text); got != text {
			t.Fatalf("%q became %q", text, got)
		}
		if got := r.Field(name, text); got != text {
			t.Fatalf("%s: %q became %q", name, text, got)
		}
	})
}
