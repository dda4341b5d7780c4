package redact

import (
	"strings"
	"testing"
)

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

// A short word tells only as a part of a name: between punctuation, at a change of case, or alone.
func TestWordsInNames(t *testing.T) {
	for name, want := range map[string]bool{
		"pin": true, "PIN": true, "VM_PIN": true, "PIN_VM": true, "AdminPin": true, "PinAdmin": true, "userPINcode": false, "a.pin.b": true, "_pin": true, "pin_": true, "myPwd2": false, "x-psk": true,
		"ping": false, "Spin": false, "PINg": false, "spinPass": true, "pi_n": false, "pIn": false, "p": false, "": false, "_": false, "aPin": true, "APin": false, "Pi": false, "pinX": true, "userP": false, "1Pin": false,
	} {
		if got := tellingWord(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}

func TestWholeNames(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "A_b-1": true, "": false, "a b": false, "a=b": false, strings.Repeat("a", maxName-1): true, strings.Repeat("a", maxName): false,
	} {
		if got := plainName(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
	for s, want := range map[string]bool{
		"0123456789abcdef0123456789ABCDEF": true, "0123456789abcdef0123456789abcde": false, "0123456789abcdef0123456789abcdef0": false, "": false,
		"g123456789abcdef0123456789abcdef": false, "0123456789abcdef0123456789abcde/": false, "0123456789abcdef0123456789abcde:": false, "0123456789abcdef0123456789abcde`": false,
	} {
		if got := md5Sum(s); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
}
