package target

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/loopback"
	"github.com/apntalk/amictl/pkg/ami"
)

// defaultManagerConf is where Asterisk keeps its manager's settings.
const defaultManagerConf = "/etc/asterisk/manager.conf"

// localNode is the Asterisk of this host, reached as its manager.conf says.
func localNode(r *run.Run) ([]ami.Config, error) {
	path := cmp.Or(r.Flags.ManagerConf, defaultManagerConf)
	m, err := readManagerConf(path)
	if err != nil {
		return nil, err
	}
	if on := m.general["enabled"]; !asteriskTrue(on) {
		return nil, fail.Config("set enabled=yes in [general] and `module reload manager`", "the manager is off in %s", path)
	}
	cfg := ami.Config{Name: "local"}
	from, err := m.reach(r, path, &cfg)
	if err != nil {
		return nil, err
	}
	user, err := m.user(path, cfg.Addr)
	if err != nil {
		return nil, err
	}
	cfg.Username = user.name
	cfg.Secret = ami.StaticSecret(user.secret)
	if r.Flags.SecretFile != "" || r.Flags.SecretStdin { // the environment's is for the environment's nodes
		if cfg.Secret, err = flagSecret(r); err != nil {
			return nil, err
		}
	}
	cfg.Secret = carried(cfg.Name, cfg.Secret)
	mark(r, &cfg, user.secret, from)
	limitTimes(r, &cfg)
	return []ami.Config{cfg}, nil
}

// reach sets the address: the plain one if it is this host's loopback, for nothing leaves the host then; else TLS if
// that is on, with the certificate that manager.conf names as the only one that will do.
func (m *managerConf) reach(r *run.Run, path string, cfg *ami.Config) (from run.TLSFrom, err error) {
	host, port := hostPort(m.general["bindaddr"], cmp.Or(m.general["port"], "5038"))
	cfg.Addr = net.JoinHostPort(host, port)
	if loopback.Host(host) || !asteriskTrue(m.general["tlsenable"]) {
		return from, nil
	}
	host, port = hostPort(m.general["tlsbindaddr"], cmp.Or(m.general["tlsbindport"], "5039"))
	cfg.Addr = net.JoinHostPort(host, port)
	pin, err := certificatePin(filepath.Join(filepath.Dir(path), "asterisk.pem"), m.general["tlscertfile"])
	if err != nil {
		return from, err
	}
	cfg.TLS, from, err = tlsConfig(r, cfg.Addr, r.Flags.CA, r.Flags.TLSName, pin)
	return from, err
}

// hostPort splits a bind address that may hold a port; every address of the host becomes the loopback.
func hostPort(bind, port string) (string, string) {
	host := bind
	if h, p, err := net.SplitHostPort(bind); err == nil {
		host, port = h, p
	}
	switch host = strings.Trim(host, "[]"); host {
	case "", "0.0.0.0":
		return "127.0.0.1", port
	case "::":
		return "::1", port
	}
	return host, port
}

// certificatePin returns the SHA-256 of the first certificate in a PEM file.
func certificatePin(otherwise, path string) (string, error) {
	path = cmp.Or(path, otherwise)
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fail.Config("run as root or as a member of the group asterisk, or give --node", "tlscertfile cannot be read: %v", err)
	}
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return "", fail.Config("a PEM file begins with -----BEGIN CERTIFICATE-----", "tlscertfile %s holds no certificate", path)
		}
		if block.Type == "CERTIFICATE" {
			sum := sha256.Sum256(block.Bytes)
			return hex.EncodeToString(sum[:]), nil
		}
		text = rest
	}
}

// user chooses who to log in as: the first with all rights, else the first, of those whom that address may use.
func (m *managerConf) user(path, addr string) (*managerUser, error) {
	host, _, _ := net.SplitHostPort(addr)
	from, err := netip.ParseAddr(host)
	if err != nil {
		from = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	var chosen *managerUser
	refused := 0
	for _, u := range m.users {
		switch {
		case u.template || u.secret == "":
		case !u.permits(from):
			refused++
		case slices.Contains(strings.Split(strings.ReplaceAll(u.write, " ", ""), ","), "all"):
			return u, nil
		case chosen == nil:
			chosen = u
		}
	}
	switch {
	case chosen != nil:
		return chosen, nil
	case refused > 0:
		return nil, fail.Config("add a permit= for this host's address", "%s has no user that may log in from %s", path, from)
	}
	return nil, fail.Config("add a [user] with secret=, read= and write=", "%s has no user with a secret", path)
}
