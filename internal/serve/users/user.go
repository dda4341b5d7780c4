package users

import (
	"crypto/md5" //nolint:gosec // AMI's challenge is MD5
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strings"

	"golang.org/x/time/rate"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/redact"
)

// A User is one who may use the doors. It never changes, but for what is left of its rate.
type User struct {
	spec   Spec
	secret redact.Secret
	digest [sha256.Size]byte // of the secret
	pace   *rate.Limiter     // nil: no limit
}

func newUser(spec Spec, secret redact.Secret) *User {
	u := &User{spec: spec, secret: secret, digest: sha256.Sum256([]byte(secret.Reveal()))}
	if spec.Rate > 0 {
		u.pace = rate.NewLimiter(rate.Limit(spec.Rate), max(1, int(spec.Rate)))
	}
	return u
}

var reader = &User{spec: Spec{Events: []string{"*"}}}

// Reader returns the user that everybody is at a door without users, always the same one: he sees everything and does nothing.
func Reader() *User { return reader }

// Name returns the user's name, "" of the Reader.
func (u *User) Name() string { return u.spec.Name }

// HasSecret reports whether a secret is the user's, in a time that does not depend on where it differs.
func (u *User) HasSecret(secret string) bool {
	if u.spec.Secret == "" { // a user of the bus alone has none
		return false
	}
	digest := sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(digest[:], u.digest[:]) == 1
}

// HasKey reports whether key is the MD5 of a challenge and the user's secret in hex, as AMI's login with AuthType MD5 has it.
func (u *User) HasKey(challenge, key string) bool {
	if u.spec.Secret == "" {
		return false
	}
	sum := md5.Sum([]byte(challenge + u.secret.Reveal())) //nolint:gosec // as above
	want := hex.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(want), []byte(strings.ToLower(key))) == 1
}

// Powerless reports whether the user may see and do nothing: somebody has forgotten to say what.
func (u *User) Powerless() bool {
	return len(u.spec.Events) == 0 && len(u.spec.Actions) == 0
}

// OnBus reports whether whoever the bus lets speak under the user's name is the user.
func (u *User) OnBus() bool { return u.spec.NATS }

// SeesNode reports whether the user may know of a node.
func (u *User) SeesNode(node string) bool {
	return len(u.spec.Nodes) == 0 || matches(u.spec.Nodes, node)
}

// SeesEvent reports whether the user may see an event on a node that he may see.
func (u *User) SeesEvent(name string) bool { return matches(u.spec.Events, name) }

// SeesEvents reports whether there is any event that the user may see.
func (u *User) SeesEvents() bool { return len(u.spec.Events) > 0 }

// Take takes one action out of the user's rate, and reports whether there was one left.
func (u *User) Take() bool { return u.pace == nil || u.pace.Allow() }

// same reports whether a user of another set is the same person: whoever is logged in stays so.
func (u *User) same(other *User) bool {
	return other != nil && u.spec.Name == other.spec.Name && subtle.ConstantTimeCompare(u.digest[:], other.digest[:]) == 1
}

// matches reports whether one of some globs is met.
func matches(globs []string, name string) bool {
	for _, glob := range globs {
		if glob == "*" || ami.MatchGlob(glob, name) {
			return true
		}
	}
	return false
}

// names reports whether a name stands in a list as itself, whatever its case, and not by a glob.
func names(list []string, name string) bool {
	for _, word := range list {
		if strings.EqualFold(word, name) {
			return true
		}
	}
	return false
}
