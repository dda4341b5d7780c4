package users

import (
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/apntalk/amictl/pkg/ami/redact"
)

// A Directory holds the users of the moment. It is safe for concurrent use.
type Directory struct {
	mu      sync.RWMutex // guards what follows; held for look-ups only
	users   []*User
	had     bool          // there have been some
	changed chan struct{} // closed by the next Replace
}

// NewDirectory returns a directory of some users, maybe none.
func NewDirectory(list []*User) *Directory {
	return &Directory{users: list, had: len(list) > 0, changed: make(chan struct{})}
}

// Load makes the users of a file. secret resolves a reference; it is called once a user, now.
func Load(specs []Spec, secret func(reference string) (redact.Secret, error)) ([]*User, error) {
	list := make([]*User, 0, len(specs))
	names, digests := make(map[string]bool), make(map[[sha256.Size]byte]string)
	for i := range specs {
		s := specs[i]
		if err := check(&s); err != nil {
			return nil, err
		}
		if names[s.Name] {
			return nil, fmt.Errorf("there are two users %q", s.Name)
		}
		names[s.Name] = true
		if s.Secret == "" {
			list = append(list, newUser(s, redact.Secret{}))
			continue
		}
		value, err := secret(s.Secret)
		if err != nil {
			return nil, fmt.Errorf("user %q: %w", s.Name, err)
		}
		if value.Reveal() == "" {
			return nil, fmt.Errorf("user %q: the secret is empty", s.Name)
		}
		u := newUser(s, value)
		if other, ok := digests[u.digest]; ok { // a bearer token names nobody
			return nil, fmt.Errorf("users %q and %q have the same secret, and a token would not tell one from the other", other, s.Name)
		}
		digests[u.digest] = s.Name
		list = append(list, u)
	}
	return list, nil
}

// Replace puts other users in the place of those that there are.
func (d *Directory) Replace(list []*User) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.users, d.had = list, d.had || len(list) > 0
	close(d.changed)
	d.changed = make(chan struct{})
}

// Changed returns a channel that is closed when the users are replaced.
func (d *Directory) Changed() <-chan struct{} {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.changed
}

// Needless reports whether nobody needs to be a user: there are none, and there never were. When the last of them is taken away, a
// door does not open to everybody.
func (d *Directory) Needless() bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return !d.had
}

// ByName returns the user of a name, nil if there is none.
func (d *Directory) ByName(name string) *User {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, u := range d.users {
		if u.spec.Name == name {
			return u
		}
	}
	return nil
}

// ByToken returns the user whose secret a bearer token is, nil if it is nobody's. It always looks at all users.
func (d *Directory) ByToken(token string) (found *User) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, u := range d.users {
		if u.HasSecret(token) {
			found = u
		}
	}
	return found
}

// Still returns what a user who is logged in is now: another one if his rights have changed, nil if he has gone or has another
// secret.
func (d *Directory) Still(u *User) *User {
	if now := d.ByName(u.Name()); u.same(now) {
		return now
	}
	return nil
}
