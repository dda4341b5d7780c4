package web

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/loopback"
	"github.com/apntalk/amictl/internal/serve/users"
)

// A client is where a request comes from: no valid address if a proxy does not say it so that it can be read.
type client struct{ netip.Addr }

// clientOf returns who asks. A proxy on this host says for whom it does, in the last entry of X-Forwarded-For; nobody else is
// believed.
func clientOf(r *http.Request) client {
	at, _ := netip.ParseAddrPort(r.RemoteAddr)
	from := client{at.Addr().Unmap()}
	if forwarded := r.Header.Values("X-Forwarded-For"); len(forwarded) > 0 && from.IsLoopback() {
		last := forwarded[len(forwarded)-1]
		from.Addr = parseForwarded(last[strings.LastIndexByte(last, ',')+1:])
	}
	return from
}

// parseForwarded reads an entry of X-Forwarded-For, to which some proxies add a port. What cannot be read is not this host.
func parseForwarded(entry string) netip.Addr {
	entry = strings.TrimSpace(entry)
	if at, err := netip.ParseAddrPort(entry); err == nil {
		return at.Addr().Unmap()
	}
	addr, _ := netip.ParseAddr(strings.Trim(entry, "[]"))
	return addr.Unmap()
}

// passedOn reports whether a proxy may have passed a request on for another host: it says so in a header, names one, or speaks
// HTTP/1.0 and no more, as nginx does that was told nothing.
func passedOn(r *http.Request) bool {
	for _, header := range []string{"Via", "Forwarded", "X-Real-Ip", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if len(r.Header.Values(header)) > 0 {
			return true
		}
	}
	for _, list := range r.Header.Values("X-Forwarded-For") {
		for entry := range strings.SplitSeq(list, ",") {
			if !parseForwarded(entry).IsLoopback() {
				return true
			}
		}
	}
	return !r.ProtoAtLeast(1, 1)
}

// key is what an address's requests are counted under; "" of this host's own, where a proxy may ask for everybody.
func (c client) key() string {
	if c.IsLoopback() {
		return ""
	}
	return users.Network(c.Addr).String()
}

// checkHost refuses, where there are no users, a request that a browser sends to this host under a name of somebody else's: a
// page whose name now leads here could read everything (DNS rebinding). What a proxy passes on from other hosts is refused, too.
func (d *door) checkHost(r *http.Request) *failure {
	switch {
	case !d.open():
		return nil
	case !loopback.Host(hostOf(r.Host)):
		return denied("the Host %.100q is not this host's own, and there are no users", r.Host)
	case passedOn(r) || !clientOf(r).IsLoopback():
		return denied("there are no users, so nobody from another host may ask")
	}
	return nil
}

// hostOf is a host without its port.
func hostOf(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return host
}

// checkOrigin refuses what a page of another site sends.
func (d *door) checkOrigin(r *http.Request) *failure {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
	default:
		return denied("a page of another site asks")
	}
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return nil
	}
	origin, err := url.Parse(origins[0])
	// A proxy in front may speak TLS: only where we do is the scheme known.
	if err != nil || len(origins) > 1 || !strings.EqualFold(withPort(origin.Host, origin.Scheme), withPort(r.Host, origin.Scheme)) ||
		origin.Scheme != "https" && (d.options.TLS || origin.Scheme != "http") {
		return denied("the page of another origin asks: %.100q", origins[0])
	}
	return nil
}

// withPort is a host with the port that its scheme means.
func withPort(host, scheme string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return host + ":" + map[string]string{"http": "80", "https": "443"}[scheme]
}

// identify finds out who asks, by his token. Without users it is whoever reads here.
func (d *door) identify(r *http.Request) (*users.User, *failure) {
	if d.open() {
		return users.Reader(), nil
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); token == "" || !strings.EqualFold(scheme, "Bearer") {
		return nil, unknownUser("there is no bearer token") // which is no guess, and anybody could fill the log with
	}
	from, now := clientOf(r), time.Now()
	if wait := d.up.Guard.Wait(from.Addr, "", now); wait > 0 {
		f := tooMany("too many wrong tokens came from your address")
		f.retry = wait
		return nil, f
	}
	user := d.up.Users.ByToken(token)
	if user == nil {
		f := unknownUser("the token is nobody's")
		if d.up.Guard.WrongToken(from.Addr, token, now) { // else it is in the log already
			d.refused(r, "", f)
		}
		return nil, f
	}
	return user, nil
}

// A seat is a user for as long as his request goes on: his rights may change, and he may go.
type seat struct {
	directory *users.Directory
	changed   <-chan struct{}
	who       *users.User
}

// user returns the user as he is now, nil if he has gone.
func (s *seat) user() *users.User {
	select {
	case <-s.changed:
		s.changed = s.directory.Changed() // before the look: what is replaced behind it is looked at again
		switch {
		case s.who == nil:
		case s.who.Name() != "":
			s.who = s.directory.Still(s.who)
		case !s.directory.Needless(): // there are users now, and this is none
			s.who = nil
		}
	default:
	}
	return s.who
}
