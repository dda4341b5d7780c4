package amitest

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/manager"
)

// sessionActions are those of the session itself.
var sessionActions = []action{
	{name: "Login", run: login, preAuth: true},
	{name: "Logoff", run: logoff, preAuth: true},
	{name: "Challenge", run: challenge, preAuth: true},
	{name: "Ping", run: ping},
	{name: "Events", run: events},
	{name: "Filter", run: filterAction},
	{name: "WaitEvent", run: waitEvent},
	{name: "ListCommands", run: listCommands},
}

// sendBanner greets the client.
func (s *session) sendBanner() {
	if f := s.srv.pick(faultBanner); f != nil {
		s.srv.sleep(f.For)
		s.batch.b = append(s.batch.b, f.Message...)
	} else {
		s.batch.b = append(s.batch.b, "Asterisk Call Manager/"...)
		s.batch.b = append(s.batch.b, s.srv.cfg.version.AMI...)
		s.batch.b = append(s.batch.b, '\r', '\n')
	}
	s.batch.close(markPart)
	s.commit()
}

// login is action_login.
func login(r *Request, w *ResponseWriter) {
	s := w.sess
	if s.authed {
		w.Ack("Already authenticated")
		return
	}
	name := r.Get("Username")
	u, ok := s.srv.user(name)
	if ok && u.SingleLogin && s.srv.loggedIn(name) {
		w.Sleep(s.srv.cfg.failDelay)
		w.Error("Login Already In Use")
		w.Close()
		return
	}
	if !ok || u.Deny || s.srv.denied.Load() || !s.proves(r, u) {
		s.srv.book.count(func(l *Ledger) *uint64 { return &l.LoginsRefused })
		w.Sleep(s.srv.cfg.failDelay)
		w.Error("Authentication failed")
		w.Close()
		return
	}
	mask := ClassAll
	if ev := r.Get("Events"); ev != "" {
		mask, _ = parseMask(ev)
	}
	s.admit(u, mask)
	w.Ack("Authentication accepted")
	if mask&u.Read&classSystem != 0 && s.srv.booted.Load() {
		s.bootEvent()
	}
	s.srv.successfulAuth(s)
}

// proves checks the secret: by challenge with AuthType MD5, else in plain
// (authenticate in manager.c).
func (s *session) proves(r *Request, u User) bool {
	if !strings.EqualFold(r.Get("AuthType"), "MD5") {
		return u.Secret != "" && r.Get("Secret") == u.Secret
	}
	key := r.Get("Key")
	if key == "" || s.chal == "" {
		return false
	}
	sum := md5.Sum([]byte(s.chal + u.Secret))
	return key == hex.EncodeToString(sum[:])
}

// admit turns the session into a logged-in one.
func (s *session) admit(u User, mask Class) {
	s.srv.mu.Lock()
	s.mu.Lock()
	s.user, s.read, s.write = u.Name, u.Read, u.Write
	s.mask, s.authed = mask, true
	for _, text := range u.Filters {
		if f, refusal := manager.ParseFilter("", text, s.srv.cfg.version.advancedFilters()); refusal == "" {
			s.filters = append(s.filters, f)
		}
	}
	s.mu.Unlock()
	if !s.gone {
		s.srv.unauthed--
	}
	s.srv.mu.Unlock()
	s.srv.book.count(func(l *Ledger) *uint64 { return &l.Logins })
}

// bootEvent tells this session alone that the server is up.
func (s *session) bootEvent() {
	b := appendHeader(s.batch.b, "Event", "FullyBooted")
	b = appendHeader(b, "Privilege", privilege(classSystem))
	fields := s.srv.bootFields()
	for i := 0; i+1 < len(fields); i += 2 {
		b = appendHeader(b, fields[i], fields[i+1])
	}
	s.batch.b = append(b, '\r', '\n')
	s.batch.close(markPart)
}

func (s *Server) bootFields() []string {
	up := strconv.Itoa(int(time.Since(s.bootTime()) / time.Second))
	if s.cfg.version.Major < 16 {
		return []string{"Status", "Fully Booted"}
	}
	return []string{"Uptime", up, "LastReload", up, "Status", "Fully Booted"}
}

// blanks is how many extra blank lines end SuccessfulAuth and Command replies.
func (s *Server) blanks() int {
	if s.cfg.settings.ExtraBlankLines {
		return 1
	}
	return 0
}

// successfulAuth is the security event of a login. It is queued, so it follows the
// answer.
func (s *Server) successfulAuth(sess *session) {
	now := time.Now()
	tv := eventTV(now)
	s.emit([]Event{{Name: "SuccessfulAuth", Class: classSecurity, Blanks: s.blanks(), Headers: pairs([]string{
		"EventTV", tv, "Severity", "Informational", "Service", "AMI", "EventVersion", "1",
		"AccountID", sess.user, "SessionID", fmt.Sprintf("0x%x", 0x7f0000000000+sess.id<<4),
		"LocalAddress", "IPV4/TCP/" + slashed(sess.conn.LocalAddr().String()),
		"RemoteAddress", "IPV4/TCP/" + slashed(sess.conn.RemoteAddr().String()),
		"UsingPassword", "0", "SessionTV", tv,
	})}})
}

func eventTV(t time.Time) string { return t.Format("2006-01-02T15:04:05.000-0700") }

func slashed(hostport string) string {
	if i := strings.LastIndexByte(hostport, ':'); i >= 0 {
		return hostport[:i] + "/" + hostport[i+1:]
	}
	return hostport
}

func (s *Server) user(name string) (User, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.users[name]
	return u, ok
}

// SetUser adds a user or changes one; sessions that are logged in keep their rights.
func (s *Server) SetUser(u User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	users := make(map[string]User, len(s.users)+1)
	for k, v := range s.users {
		users[k] = v // shared with other servers of a cluster, so never changed in place
	}
	users[u.Name] = u
	s.users = users
}

// Deny refuses every login from now on, whoever's, as an ACL would, or ends that.
// Sessions that are logged in stay.
func (s *Server) Deny(deny bool) { s.denied.Store(deny) }

func (s *Server) loggedIn(name string) bool {
	for _, sess := range s.snapshot() {
		sess.mu.Lock()
		in := sess.authed && sess.user == name
		sess.mu.Unlock()
		if in {
			return true
		}
	}
	return false
}

func logoff(_ *Request, w *ResponseWriter) {
	w.simple("Goodbye", "Thanks for all the fish.", markReply)
	w.Close()
}

// challenge is action_challenge. Only MD5 exists.
func challenge(r *Request, w *ResponseWriter) {
	if !strings.EqualFold(r.Get("AuthType"), "MD5") {
		w.Error("Must specify AuthType")
		return
	}
	if w.sess.chal == "" {
		w.sess.chal = strconv.Itoa(rand.IntN(1e9))
	}
	w.Reply("Success", Header{"Challenge", w.sess.chal})
}

func ping(_ *Request, w *ResponseWriter) {
	w.head("Success")
	b := append(w.sess.batch.b, "Ping: Pong\r\nTimestamp: "...)
	b = appendSeconds(b, w.sess.now)
	w.sess.batch.b = append(b, "\r\n\r\n"...)
	w.sess.batch.close(markReply)
}

// events is action_events.
func events(r *Request, w *ResponseWriter) {
	s := w.sess
	mask, ok := parseMask(r.Get("EventMask"))
	if ok {
		s.mu.Lock()
		s.mask = mask
		s.mu.Unlock()
	}
	broken := s.srv.cfg.settings.BrokenEventsAction
	switch {
	case !ok && broken, mask == ClassAll && broken:
		// No answer at all, as before 1.8.
	case !ok:
		w.Error("Invalid event mask")
	case mask == 0:
		w.Reply("Success", Header{"Events", "Off"})
	default:
		w.Reply("Success", Header{"Events", "On"})
	}
}

// waitEvent is action_waitevent: on a plain session it only waits for something
// to arrive, and events arrive as they always do.
func waitEvent(r *Request, w *ResponseWriter) {
	timeout := -1
	if t := r.Get("Timeout"); t != "" {
		timeout, _ = strconv.Atoi(strings.TrimSpace(t))
	}
	s := w.sess
	deadline := time.Now().Add(time.Duration(timeout) * time.Second)
	w.Flush()
	for !s.heldEvents() && (timeout < 0 || time.Now().Before(deadline)) && !s.isDead() {
		if !s.srv.sleep(waitEventPoll) {
			break
		}
	}
	w.Ack("Waiting for Event completed.")
	s.releaseHeld()
	w.itemHead("WaitEventComplete")
	s.batch.b = append(s.batch.b, '\r', '\n')
	s.batch.close(markPart)
}

// waitEventPoll is how often a waiting session looks for events; Asterisk polls
// once a second, too.
const waitEventPoll = 100 * time.Millisecond

// releaseHeld moves the events that wait for the action into its answer.
func (s *session) releaseHeld() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batch.move(&s.held)
}

func listCommands(_ *Request, w *ResponseWriter) {
	w.head("Success")
	b := w.sess.batch.b
	for _, a := range w.sess.srv.actions() {
		if a.class == 0 || w.sess.write&a.class != 0 {
			b = append(b, a.name...)
			b = append(b, ": "...)
			b = append(b, a.describe(w.sess.srv.cfg.version)...)
			b = append(b, "  (Priv: "...)
			b = append(b, a.class.String()...)
			b = append(b, ")\r\n"...)
		}
	}
	w.sess.batch.b = append(b, '\r', '\n')
	w.sess.batch.close(markReply)
}
