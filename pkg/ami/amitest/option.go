package amitest

import (
	"cmp"
	"crypto/tls"
	"maps"
	"math/rand/v2"
	"time"
)

// DefaultUser and DefaultSecret may log in, with every class, unless other users are
// given.
const (
	DefaultUser   = "admin"
	DefaultSecret = "secret"
)

// Settings are what the [general] section of manager.conf says, as far as it is
// imitated, and limits of the simulator's own. What is 0 or false has its default.
type Settings struct {
	// AuthTimeout is authtimeout, after which a connection that did not log in is
	// closed silently; 30 s.
	AuthTimeout time.Duration
	// AuthLimit is authlimit, the number of sessions not logged in yet beyond which
	// connections are closed before the banner; 50. Below 0 all are.
	AuthLimit int
	// WriteTimeout is writetimeout, the time that a client has to take a string off
	// the wire before it is dropped; 100 ms.
	WriteTimeout time.Duration
	// Timestamps is timestampevents=yes.
	Timestamps bool
	// BrokenEventsAction is brokeneventsaction=yes.
	BrokenEventsAction bool
	// ExtraBlankLines ends Command replies and SuccessfulAuth with two blank lines
	// instead of one, as some servers do. The two that the simulator is compared with
	// do not.
	ExtraBlankLines bool
	// QueueLimit bounds the bytes waiting for one session; 16 MiB. Emit waits beyond
	// it; Asterisk would go on queueing.
	QueueLimit int
}

// Defaults, of manager.conf but for the last.
const (
	defaultAuthTimeout  = 30 * time.Second
	defaultAuthLimit    = 50
	defaultWriteTimeout = 100 * time.Millisecond
	defaultFailDelay    = time.Second // the sleep(1) in action_login
	defaultQueueLimit   = 16 << 20
)

// defaults fills in what was left out.
func (s *Settings) defaults() {
	s.AuthTimeout = cmp.Or(s.AuthTimeout, defaultAuthTimeout)
	s.AuthLimit = max(0, cmp.Or(s.AuthLimit, defaultAuthLimit))
	s.WriteTimeout = cmp.Or(s.WriteTimeout, defaultWriteTimeout)
	s.QueueLimit = cmp.Or(s.QueueLimit, defaultQueueLimit)
}

// User is a section of manager.conf.
type User struct {
	Name, Secret string
	Read, Write  Class
	// SingleLogin is allowmultiplelogin=no.
	SingleLogin bool
	// Filters are eventfilter= lines in the legacy form, which every session of the
	// user begins with. Those that do not compile are ignored.
	Filters []string
	// Deny refuses the user as an ACL would.
	Deny bool
}

type config struct {
	name       string
	version    Version
	users      map[string]User
	settings   Settings
	failDelay  time.Duration
	ring, talk time.Duration
	numbered   bool
	notBooted  bool
	actionIDs  int
	seed       uint64
	network    *Network
	tls        *tls.Config
	selfSigned bool
	noListen   bool
	setup      []func(*Server)
}

// Option changes a new server.
type Option func(*config)

func newConfig(opts []Option) *config {
	c := &config{
		name:      "pbx",
		version:   Version22,
		failDelay: defaultFailDelay,
		ring:      20 * time.Millisecond,
		talk:      100 * time.Millisecond,
		seed:      1,
	}
	for _, o := range opts {
		o(c)
	}
	c.settings.defaults()
	if c.users == nil {
		c.users = map[string]User{
			DefaultUser: {Name: DefaultUser, Secret: DefaultSecret, Read: ClassAll, Write: ClassAll},
		}
	}
	return c
}

// rng returns a source of random numbers that depends on the seed and salt alone.
func (c *config) rng(salt uint64) *rand.Rand {
	return rand.New(rand.NewPCG(c.seed, salt))
}

// WithName sets the server's name, used in messages and as its host name on a Network.
func WithName(name string) Option { return func(c *config) { c.name = name } }

// WithVersion chooses the Asterisk that is imitated; the default is Version22.
func WithVersion(v Version) Option { return func(c *config) { c.version = v } }

// WithUsers replaces the default user.
func WithUsers(users ...User) Option {
	return func(c *config) {
		c.users = maps.Clone(c.users)
		if c.users == nil {
			c.users = make(map[string]User, len(users))
		}
		for _, u := range users {
			c.users[u.Name] = u
		}
	}
}

// WithSettings replaces the settings of manager.conf.
func WithSettings(s Settings) Option { return func(c *config) { c.settings = s } }

// WithFailDelay sets how long a refused login waits for its answer; 1 s.
func WithFailDelay(d time.Duration) Option { return func(c *config) { c.failDelay = d } }

// WithCallTimes sets how long a simulated call rings and how long it talks.
func WithCallTimes(ring, talk time.Duration) Option {
	return func(c *config) { c.ring, c.talk = ring, talk }
}

// WithEventNumbers adds a header "Num: n" to every event that no action asked
// for, counting from 1, and keeps the written numbers in the ledger.
func WithEventNumbers() Option { return func(c *config) { c.numbered = true } }

// WithoutBoot starts a server that has not finished booting: no FullyBooted until
// SetBooted is called.
func WithoutBoot() Option { return func(c *config) { c.notBooted = true } }

// WithActionIDs counts received actions by ActionID in the ledger, for at most
// limit different ones.
func WithActionIDs(limit int) Option { return func(c *config) { c.actionIDs = limit } }

// WithSeed seeds everything random about the server; the default is 1.
func WithSeed(seed uint64) Option { return func(c *config) { c.seed = seed } }

// WithNetwork makes the server listen on n as its name, port 5038, instead of on
// a real socket.
func WithNetwork(n *Network) Option { return func(c *config) { c.network = n } }

// WithTLS makes the server's own listener speak TLS. A nil configuration stands
// for a certificate made for the occasion; Certificate returns it.
func WithTLS(t *tls.Config) Option {
	return func(c *config) { c.tls, c.selfSigned = t, t == nil }
}

// WithoutListener starts a server without a listener of its own; give it some
// with Serve, or connections with ServeConn.
func WithoutListener() Option { return func(c *config) { c.noListen = true } }

// WithSetup calls f with the new server before it listens, to fill its state.
func WithSetup(f func(*Server)) Option {
	return func(c *config) { c.setup = append(c.setup, f) }
}
