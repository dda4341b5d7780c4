package amitest

import (
	"crypto/tls"
	"maps"
	"math/rand/v2"
	"time"
)

// Defaults of manager.conf, and of what is the simulator's own.
const (
	DefaultAuthTimeout  = 30 * time.Second
	DefaultAuthLimit    = 50
	DefaultWriteTimeout = 100 * time.Millisecond
	// DefaultFailDelay is how long a refused login is kept waiting (the sleep(1)
	// in action_login).
	DefaultFailDelay = time.Second
	// DefaultQueueLimit bounds the bytes waiting for one session. An emitter
	// waits beyond it; Asterisk would go on queueing.
	DefaultQueueLimit = 16 << 20
	// DefaultUser and DefaultSecret may log in, with every class, unless other
	// users are given.
	DefaultUser   = "admin"
	DefaultSecret = "secret"
)

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
	name         string
	version      Version
	users        map[string]User
	authTimeout  time.Duration
	authLimit    int
	writeTimeout time.Duration
	failDelay    time.Duration
	queueLimit   int
	ring, talk   time.Duration
	numbered     bool
	timestamps   bool
	brokenEvents bool
	notBooted    bool
	extraBlanks  bool
	actionIDs    int
	seed         uint64
	network      *Network
	tls          *tls.Config
	selfSigned   bool
	noListen     bool
	setup        []func(*Server)
	faults       []Fault
}

// Option changes a new server.
type Option func(*config)

func newConfig(opts []Option) *config {
	c := &config{
		name:         "pbx",
		version:      Version22,
		authTimeout:  DefaultAuthTimeout,
		authLimit:    DefaultAuthLimit,
		writeTimeout: DefaultWriteTimeout,
		failDelay:    DefaultFailDelay,
		queueLimit:   DefaultQueueLimit,
		ring:         20 * time.Millisecond,
		talk:         100 * time.Millisecond,
		seed:         1,
	}
	for _, o := range opts {
		o(c)
	}
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

// WithAuthTimeout sets authtimeout, after which a connection that did not log in
// is closed silently.
func WithAuthTimeout(d time.Duration) Option { return func(c *config) { c.authTimeout = d } }

// WithAuthLimit sets authlimit, the number of sessions not logged in yet beyond
// which connections are closed before the banner.
func WithAuthLimit(n int) Option { return func(c *config) { c.authLimit = n } }

// WithWriteTimeout sets writetimeout, the time that a client has to take a
// string off the wire before it is dropped.
func WithWriteTimeout(d time.Duration) Option { return func(c *config) { c.writeTimeout = d } }

// WithFailDelay sets how long a refused login waits for its answer.
func WithFailDelay(d time.Duration) Option { return func(c *config) { c.failDelay = d } }

// WithQueueLimit bounds the bytes waiting for one session before Emit waits.
func WithQueueLimit(bytes int) Option { return func(c *config) { c.queueLimit = bytes } }

// WithCallTimes sets how long a simulated call rings and how long it talks.
func WithCallTimes(ring, talk time.Duration) Option {
	return func(c *config) { c.ring, c.talk = ring, talk }
}

// WithEventNumbers adds a header "Num: n" to every event that no action asked
// for, counting from 1, and keeps the written numbers in the ledger.
func WithEventNumbers() Option { return func(c *config) { c.numbered = true } }

// WithTimestamps is timestampevents=yes.
func WithTimestamps() Option { return func(c *config) { c.timestamps = true } }

// WithBrokenEventsAction is brokeneventsaction=yes.
func WithBrokenEventsAction() Option { return func(c *config) { c.brokenEvents = true } }

// WithExtraBlankLines ends Command replies and SuccessfulAuth with two blank lines
// instead of one, as some servers do. The two that the simulator is compared with
// do not.
func WithExtraBlankLines() Option { return func(c *config) { c.extraBlanks = true } }

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

// WithFaults injects faults before the server listens.
func WithFaults(faults ...Fault) Option {
	return func(c *config) { c.faults = append(c.faults, faults...) }
}
