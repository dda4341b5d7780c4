package redact

import "strings"

// A place is where an assignment stands: it decides how far a name is believed.
type place uint8

const (
	anywhere place = iota
	listing        // a Command's output, which writes `name : value`
	setting        // a line of a configuration file, as GetConfig and GetConfigJSON answer it
)

// mixed returns which part of a value is a secret, where only a part is: nothing if from is to. The settings are those of
// Asterisk's files.
func mixed(name, value string, at place) (from, to int) {
	switch {
	case foldEqual(name, "register"): // sip.conf, iax.conf: [transport://]user[:secret[:authuser]]@host[:port][/extension]
		return userSecret(value, ":")
	case foldEqual(name, "auth"): // sip.conf: user:secret@realm, user#md5secret@realm
		if strings.IndexByte(value, '@') < 0 {
			return 0, 0 // pjsip.conf has the name of a section here
		}
		return userSecret(value, ":#")
	case at != setting:
		return 0, 0
	case foldEqual(name, "agent"), foldEqual(name, "conf"): // agents.conf: id,secret,name; meetme.conf: room,pin,adminpin
		i := strings.IndexByte(value, ',')
		if i < 0 {
			return 0, 0
		}
		if end := strings.IndexByte(value[i+1:], ','); end >= 0 && foldEqual(name, "agent") {
			return i + 1, i + 1 + end
		}
		return i + 1, len(value)
	case number(name): // voicemail.conf: mailbox => pin,name,address
		pin, _, _ := strings.Cut(value, ",")
		if number(strings.TrimPrefix(pin, "-")) {
			return 0, len(pin)
		}
	}
	return 0, 0
}

// userSecret returns what stands between a user, which ends at one of the marks, and the last @: a secret may hold more of both.
// A value without @ may be one that somebody has mistyped.
func userSecret(value, marks string) (from, to int) {
	start := 0
	if i := strings.Index(value, "://"); i >= 0 {
		start = i + len("://")
	}
	i := strings.IndexAny(value[start:], marks)
	if i < 0 {
		return 0, 0
	}
	from = start + i + 1
	if to = strings.LastIndexByte(value, '@'); to < 0 {
		return from, len(value)
	}
	return min(from, to), to
}

func mixedName(name string, at place) bool {
	switch {
	case len(name) == len("register") && foldEqual(name, "register"), len(name) == len("auth") && foldEqual(name, "auth"):
		return true
	}
	return at == setting && (foldEqual(name, "agent") || foldEqual(name, "conf") || number(name))
}

// number reports whether s is one, of two digits at least: no mailbox has fewer.
func number(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) > 1
}
