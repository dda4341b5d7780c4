package redact

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"regexp"
	"slices"
	"strings"
)

// Config says what a [Redactor] hides beyond what it always does.
type Config struct {
	Keys     []string // more names whose values are hidden; case and punctuation do not count
	Patterns []string // RE2 expressions; what they match is hidden, each line by itself
	Secrets  []Secret // known ones, as AddSecret
}

// A Redactor replaces secrets in text by "[secret]". It is safe for concurrent use. It hides
//
//   - by key: the value of every header, variable, setting or attribute with a telling name. A name tells if it holds
//     secret, passw, passphrase, passcode, token, credential, apikey, accesskey, privatekey or authpass, has a part (parts
//     are divided by punctuation or by a capital letter) pass, pwd, psk or pin, ends in pass or pwd, or is md5cred,
//     authorization, proxyauthorization, cookie, setcookie, ha1, ExpectedResponse, ReceivedHash or one of Config.Keys;
//     punctuation and case do not count. Names that end in exist, exists, file or bypass (SecretExist, password_file) do not
//     tell. A Login's Key, and any Key or
//     Response that is an MD5 sum, is hidden too, and so is the value that goes with a telling name in SetVar, Getvar,
//     VarSet (Variable, Value), DBPut, DBGet (Key, Val) and UpdateConfig (Var-…, Value-…).
//   - by key inside values: NAME=value in Variable, ChanVariable, GetConfig's Line-… and any other header, `name : value`
//     in a Command's output, "name":"value" in JSON, user:password@host in URLs and dial strings. Of Asterisk's own settings
//     it hides the secret part of register and auth (sip.conf, iax.conf), and in what GetConfig and GetConfigJSON answer
//     that of agent, conf and mailboxes (agents.conf, meetme.conf, voicemail.conf).
//   - by value: known secrets, wherever they are, also as JSON, Go and URL escape them and in base64. A secret under 4
//     bytes, or of spaces only, is hidden by key alone: hiding every "1" destroys the text and gives it away.
//   - by pattern: Config.Patterns.
//
// Where it cannot tell the end of a secret it hides up to the next NAME= or the end of the line. It does not see a
// secret that has neither a telling name nor a known value.
type Redactor struct {
	keys     map[string]struct{}
	patterns []*regexp.Regexp
	known    knownSecrets
	names    names
}

// New returns a Redactor. It refuses patterns that do not compile or that match the empty text.
func New(cfg Config) (*Redactor, error) {
	r := &Redactor{keys: make(map[string]struct{}, len(cfg.Keys)), names: names{seed: maphash.MakeSeed()}}
	for _, k := range cfg.Keys {
		var buf [maxKey]byte
		n := normalKey(buf[:0], k)
		if len(n) == 0 {
			return nil, fmt.Errorf("ami: redactor: key %q has no letter or digit", k)
		}
		r.keys[string(n)] = struct{}{}
	}
	for _, p := range cfg.Patterns {
		re, err := regexp.Compile(p)
		if err != nil {
			return nil, fmt.Errorf("ami: redactor: pattern: %w", err)
		}
		if re.MatchString("") {
			return nil, fmt.Errorf("ami: redactor: pattern %q matches the empty text, and so everywhere", p)
		}
		r.patterns = append(r.patterns, re)
	}
	for _, s := range cfg.Secrets {
		r.AddSecret(s)
	}
	return r, nil
}

// AddSecret makes a secret known, so that it is hidden wherever it appears from now on. It keeps the last 16,384
// different ones.
func (r *Redactor) AddSecret(s Secret) { r.known.add(s.Reveal()) }

// Field returns the value of a header or attribute with its secrets hidden; if there are none it is value itself, and
// nothing is allocated.
func (r *Redactor) Field(name, value string) string {
	if value == "" {
		return value
	}
	if strings.IndexByte(value, '\n') >= 0 && !r.secretKey(name) {
		return r.Text(value)
	}
	return r.render(value, r.valueSpans(r.fieldSpans(r.known.find(nil, value), 0, packetFacts{}, name, value), 0, value))
}

// Text returns text with its secrets hidden, line by line: whole packets of either direction, banners, log lines. If
// there are none it is text itself, and nothing is allocated.
func (r *Redactor) Text(text string) string {
	spans := r.known.find(nil, text)
	before := &r.names.first
	packet := 0    // where the packet begins that this line is in
	known := false // facts are that packet's
	var facts packetFacts
	for start := 0; start < len(text); {
		end := strings.IndexByte(text[start:], '\n')
		if end < 0 {
			end = len(text)
		} else {
			end += start
		}
		line := strings.TrimSuffix(text[start:end], "\r")
		if line == "" {
			packet, known, before = end+1, false, &r.names.first
		} else if colon := strings.IndexByte(line, ':'); colon < 0 {
			spans = r.lineSpans(spans, start, facts, line)
		} else {
			var v verdict
			v, before = r.judged(before, line[:colon])
			if v&told != 0 && !known {
				facts, known = r.facts(text[packet:]), true
			}
			if v != 0 || len(r.patterns) > 0 || !harmless(line[colon+1:]) {
				spans = r.lineSpans(spans, start, facts, line)
			}
		}
		start = end + 1
	}
	return r.render(text, spans)
}

// lineSpans finds what to hide in one line, which begins at byte base of the whole.
func (r *Redactor) lineSpans(spans []span, base int, facts packetFacts, line string) []span {
	name, value, ok := strings.Cut(line, ":")
	// Prose has colons too ("wrong secret: closed"): a header's name has no spaces inside, but for ChanVariable(…).
	if trimmed := strings.TrimSpace(name); ok && trimmed != "" && (!strings.ContainsAny(trimmed, " =\"'{") || chanVariable(trimmed)) {
		at := len(name) + 1
		if value != "" && value[0] == ' ' {
			value, at = value[1:], at+1
		}
		spans = r.fieldSpans(spans, base+at, facts, trimmed, value)
	}
	spans = r.assignments(spans, base, line, anywhere)
	return r.valueSpans(spans, base, line)
}

// fieldSpans finds what to hide in a header's value, which begins at byte base of the whole.
func (r *Redactor) fieldSpans(spans []span, base int, facts packetFacts, name, value string) []span {
	if value == "" {
		return spans
	}
	if r.secretKey(name) || facts.hides(name, value) {
		return append(spans, span{base, base + len(value)})
	}
	switch {
	case foldEqual(name, "Variable"):
		spans = r.variables(spans, base, value)
	case chanVariable(name), foldEqual(name, "Output"):
		spans = r.assignment(spans, base, value, listing)
	case foldPrefix(name, "Line-"):
		spans = r.assignment(spans, base, value, setting)
	case foldEqual(name, "Command"):
		spans = r.command(spans, base, value)
	}
	at := anywhere
	switch {
	case foldEqual(name, "Output"):
		at = listing
	case foldEqual(name, "JSON"):
		at = setting
	}
	return r.assignments(spans, base, value, at)
}

// valueSpans finds passwords in URLs and what the patterns match.
func (r *Redactor) valueSpans(spans []span, base int, s string) []span {
	spans = userinfo(spans, base, s)
	for _, re := range r.patterns {
		if !re.MatchString(s) {
			continue
		}
		for _, m := range re.FindAllStringIndex(s, -1) {
			spans = append(spans, span{base + m[0], base + m[1]})
		}
	}
	return spans
}

// A span is a part of a text, to be hidden.
type span struct{ from, to int }

// render returns s with the spans, in any order and overlapping, each replaced by "[secret]".
func (r *Redactor) render(s string, spans []span) string {
	if len(spans) == 0 {
		return s
	}
	out := replaceSpans(s, spans)
	// Beside a "[secret]" there may now be a known secret that was not there before ("]abc"). It means nothing, but it
	// must not be found.
	for range 4 {
		spans = r.known.find(spans[:0], out)
		if len(spans) == 0 {
			return out
		}
		out = replaceSpans(out, spans)
	}
	if len(r.known.find(nil, out)) == 0 {
		return out
	}
	return hidden
}

func replaceSpans(s string, spans []span) string {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(a.from-b.from, a.to-b.to) })
	var b strings.Builder
	done := 0
	for i := 0; i < len(spans); {
		from, to := spans[i].from, spans[i].to
		for i++; i < len(spans) && spans[i].from < to; i++ {
			to = max(to, spans[i].to)
		}
		if from < to {
			b.WriteString(s[done:from])
			b.WriteString(hidden)
			done = to
		}
	}
	if done == 0 {
		return s
	}
	b.WriteString(s[done:])
	if b.String() == s {
		return s
	}
	return b.String()
}
