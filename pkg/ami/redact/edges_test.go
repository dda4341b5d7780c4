package redact

import "testing"

// Where a text breaks off in the middle, what is there is judged all the same.
func TestTextThatBreaksOff(t *testing.T) {
	r := testRedactor(t, Config{})
	for text, want := range map[string]string{
		`a=b\`:                                  `a=b\`,
		`secret=b\`:                             "secret=" + hidden,
		`\`:                                     `\`,
		`{"body":"{\"secret\":\"x\",\"a\":1}"}`: `{"body":"{\"secret\":\"` + hidden + `\",\"a\":1}"}`,
		`x\y secret=z`:                          `x\y secret=` + hidden,
		`secret=`:                               `secret=`,
		`secret:`:                               `secret:`,
		`password="a b" name=c`:                 `password="` + hidden + `" name=c`,
		`a="secret=x" b="c"`:                    `a="secret=` + hidden + `" b="c"`,
	} {
		if got := r.Text(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
