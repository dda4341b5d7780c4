package redact

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	minSecret  = 4       // bytes; what is shorter is hidden by key alone
	maxSecrets = 16_384  // that are remembered
	pairs      = 1 << 16 // of bytes
	quads      = 1 << 18 // hashes of four bytes
	stride     = minSecret - 1
)

// knownSecrets finds any of many texts in another, in one pass. It looks at every third pair of bytes: one of the first three
// pairs of whatever is found is among them. Almost every place is turned away without a lock.
type knownSecrets struct {
	limit int                       // of secrets; 0: maxSecrets
	near  [pairs / 64]atomic.Uint64 // bit a<<8|b: one of the first three pairs of some needle is a, b
	begin [quads / 64]atomic.Uint64 // bit quad(s): some needle begins as s does

	mu      sync.RWMutex
	order   []string                     // guarded by mu: the secrets themselves, oldest first
	needles map[[minSecret]byte][]needle // guarded by mu: all their forms by their first bytes, longest first
}

// A needle is one form of a secret.
type needle struct {
	text string
	of   string
}

func (k *knownSecrets) add(secret string) {
	if len(secret) < minSecret || strings.TrimSpace(secret) == "" {
		return
	}
	secret = strings.Clone(secret)
	all := forms(secret)
	k.mu.Lock()
	defer k.mu.Unlock()
	if slices.ContainsFunc(k.needles[[minSecret]byte([]byte(secret))], func(n needle) bool { return n.of == secret && n.text == secret }) {
		return
	}
	if k.needles == nil {
		k.needles = make(map[[minSecret]byte][]needle)
	}
	if len(k.order) >= cmp.Or(k.limit, maxSecrets) {
		k.forget(k.order[0])
		k.order = append(k.order[:0], k.order[1:]...)
	}
	k.order = append(k.order, secret)
	for _, f := range all {
		key := [minSecret]byte([]byte(f))
		list := k.needles[key]
		at, _ := slices.BinarySearchFunc(list, len(f), func(n needle, length int) int { return length - len(n.text) })
		k.needles[key] = slices.Insert(list, at, needle{f, secret})
		q := quad(f)
		k.begin[q/64].Or(1 << (q % 64))
		for i := range stride {
			pair := uint(f[i])<<8 | uint(f[i+1])
			k.near[pair/64].Or(1 << (pair % 64))
		}
	}
}

// forget drops a secret's forms. The caller holds mu.
func (k *knownSecrets) forget(secret string) {
	for _, f := range forms(secret) {
		key := [minSecret]byte([]byte(f))
		k.needles[key] = slices.DeleteFunc(k.needles[key], func(n needle) bool { return n.of == secret })
		if len(k.needles[key]) == 0 {
			delete(k.needles, key)
		}
	}
}

// forms returns a secret and what the usual encodings make of it, each once.
func forms(secret string) []string {
	all := []string{
		secret,
		unquoted(strconv.Quote(secret)),
		unquoted(strconv.QuoteToASCII(secret)),
		url.QueryEscape(secret),
		url.PathEscape(secret),
		strings.TrimPrefix(url.UserPassword("", secret).String(), ":"),
		strings.NewReplacer(`\`, `\\`, `"`, `\"`, `,`, `\,`).Replace(secret), // in a Variable header
		base64.RawStdEncoding.EncodeToString([]byte(secret)),
		base64.RawURLEncoding.EncodeToString([]byte(secret)),
	}
	var b strings.Builder
	for _, html := range []bool{true, false} {
		b.Reset()
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(html)
		if e.Encode(secret) == nil {
			all = append(all, unquoted(strings.TrimSuffix(b.String(), "\n")))
		}
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(s string) bool { return len(s) < minSecret })
}

func unquoted(s string) string { return s[1 : len(s)-1] }

// find appends where a known secret is in s; occurrences may overlap.
func (k *knownSecrets) find(spans []span, s string) []span {
	for i := stride - 1; i+1 < len(s); i += stride {
		pair := uint(s[i])<<8 | uint(s[i+1])
		if k.near[pair/64].Load()&(1<<(pair%64)) != 0 {
			spans = k.findNear(spans, s, i)
		}
	}
	return spans
}

// within reports whether a known secret is in s.
func (k *knownSecrets) within(s string) bool {
	var few [1]span
	for i := stride - 1; i+1 < len(s); i += stride {
		pair := uint(s[i])<<8 | uint(s[i+1])
		if k.near[pair/64].Load()&(1<<(pair%64)) != 0 && len(k.findNear(few[:0], s, i)) > 0 {
			return true
		}
	}
	return false
}

// findNear appends the known secrets that begin at s[i] or at one of the two bytes before it.
func (k *knownSecrets) findNear(spans []span, s string, i int) []span {
	for j := i - stride + 1; j <= i && j+minSecret <= len(s); j++ {
		q := quad(s[j:])
		if k.begin[q/64].Load()&(1<<(q%64)) == 0 {
			continue
		}
		if n := k.longest(s, j); n > 0 {
			spans = append(spans, span{j, j + n})
		}
	}
	return spans
}

// quad returns a hash of the first four bytes of s.
func quad(s string) uint32 {
	_ = s[minSecret-1]
	return (uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24) * 0x9e3779b1 >> (32 - 18)
}

// longest returns the length of the longest needle at s[i:], 0 if there is none. One that is a part of "[secret]" is
// not found inside that.
func (k *knownSecrets) longest(s string, i int) int {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, n := range k.needles[[minSecret]byte{s[i], s[i+1], s[i+2], s[i+3]}] {
		if !strings.HasPrefix(s[i:], n.text) {
			continue
		}
		if at := strings.Index(hidden, n.text); at >= 0 && i >= at && strings.HasPrefix(s[i-at:], hidden) {
			continue
		}
		return len(n.text)
	}
	return 0
}
