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
)

// knownSecrets finds any of many texts in another, in one pass. Almost every place is turned away by its first two
// bytes without a lock.
type knownSecrets struct {
	limit int                       // of secrets; 0: maxSecrets
	begin [pairs / 64]atomic.Uint64 // bit a<<8|b: some needle begins with the bytes a, b

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
		pair := int(f[0])<<8 | int(f[1])
		k.begin[pair/64].Or(1 << (pair % 64))
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
	for i := 0; i+minSecret <= len(s); i++ {
		pair := int(s[i])<<8 | int(s[i+1])
		if k.begin[pair/64].Load()&(1<<(pair%64)) == 0 {
			continue
		}
		if n := k.longest(s, i); n > 0 {
			spans = append(spans, span{i, i + n})
		}
	}
	return spans
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
