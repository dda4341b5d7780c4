package config

import (
	"net"
	"net/url"
	"strings"

	"github.com/apntalk/amictl/internal/cli/fail"
)

// URL is what a URL of a node says.
type URL struct {
	User, Addr string
	TLS        bool
}

// ParseURL reads ami://user@host:5038 or amis://user@host:5039; the ports are the defaults.
func ParseURL(s string) (URL, error) {
	const form = "write it as ami://user@host:5038, or amis://user@host:5039 for TLS"
	u, err := url.Parse(s)
	if err != nil || s == "" {
		return URL{}, fail.Config(form, "%q is not a URL", HidePassword(s))
	}
	n := URL{User: u.User.Username(), TLS: u.Scheme == "amis"}
	_, hasSecret := u.User.Password()
	port := u.Port()
	switch {
	case hasSecret:
		return n, fail.Config("arguments are seen by every user of the host: use --secret-file, and change this secret", "a secret in a URL is refused (%s)", HidePassword(s))
	case u.Scheme != "ami" && u.Scheme != "amis":
		return n, fail.Config(form, "%q is neither ami:// nor amis://", HidePassword(s))
	case u.Hostname() == "":
		return n, fail.Config(form, "%q has no host", HidePassword(s))
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return n, fail.Config(form, "%q holds more than user, host and port", HidePassword(s))
	case port == "" && n.TLS:
		port = "5039"
	case port == "":
		port = "5038"
	}
	n.Addr = net.JoinHostPort(u.Hostname(), port)
	return n, nil
}

// HidePassword hides what stands between the first colon of the user part and the @, also where the scheme is missing.
func HidePassword(s string) string {
	at, start := strings.LastIndex(s, "@"), 0
	if i := strings.Index(s, "://"); i >= 0 {
		start = i + len("://")
	}
	if start > at {
		return s
	}
	user, _, found := strings.Cut(s[start:at], ":")
	if !found {
		return s
	}
	return s[:start] + user + ":[secret]" + s[at:]
}
