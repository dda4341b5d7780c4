package main

import (
	"bufio"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/apntalk/amictl/pkg/ami"
)

// defaultManagerConf is where Asterisk keeps its manager's settings.
const defaultManagerConf = "/etc/asterisk/manager.conf"

// managerConf is what --local needs of a manager.conf.
type managerConf struct {
	general map[string]string
	users   []managerUser
}

type managerUser struct {
	name, secret string
	write        string
}

// localNode is the Asterisk of this host, reached as its manager.conf says.
func (a *app) localNode() ([]ami.Config, error) {
	path := firstOf(a.flags.managerConf, defaultManagerConf)
	m, err := readManagerConf(path)
	if err != nil {
		return nil, err
	}
	if on := m.general["enabled"]; !asteriskTrue(on) {
		return nil, configError("set enabled=yes in [general] and `module reload manager`", "the manager is off in %s", path)
	}
	if len(m.users) == 0 {
		return nil, configError("add a [user] with secret=, read= and write=", "%s has no user with a secret", path)
	}
	user := m.users[0]
	for _, u := range m.users { // the one with the most rights
		if slices.Contains(strings.Split(strings.ReplaceAll(u.write, " ", ""), ","), "all") {
			user = u
			break
		}
	}
	host := m.general["bindaddr"]
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	cfg := ami.Config{Name: "local", Addr: net.JoinHostPort(host, firstOf(m.general["port"], "5038")), Username: user.name}
	if cfg.Secret, err = a.nodeSecretOr(ami.StaticSecret(user.secret)); err != nil {
		return nil, err
	}
	a.limitTimes(&cfg)
	return []ami.Config{cfg}, nil
}

func (a *app) nodeSecretOr(otherwise ami.SecretProvider) (ami.SecretProvider, error) {
	if p, err := a.flagSecret(); p != nil || err != nil {
		return p, err
	}
	return otherwise, nil
}

// readManagerConf reads the sections of a manager.conf. Templates and #include are not followed.
func readManagerConf(path string) (*managerConf, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, configError("run as root or as a member of the group asterisk, or give --node", "manager.conf cannot be read: %v", err)
	}
	defer func() { _ = f.Close() }()
	m := &managerConf{general: make(map[string]string)}
	section := ""
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := stripComment(lines.Text())
		if strings.HasPrefix(line, "[") {
			end := strings.IndexByte(line, ']')
			if end < 0 {
				continue
			}
			if section = line[1:end]; section != "general" && !strings.HasPrefix(line[end+1:], "(!") {
				m.users = append(m.users, managerUser{name: section})
			}
			continue
		}
		key, value, found := strings.Cut(line, "=")
		if !found {
			continue
		}
		m.set(section, strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(strings.TrimPrefix(value, ">")))
	}
	m.dropUseless()
	return m, lines.Err()
}

// set stores a value of a section. In [general] the last one wins, as in Asterisk.
func (m *managerConf) set(section, key, value string) {
	if section == "general" {
		m.general[key] = value
		return
	}
	if len(m.users) == 0 {
		return
	}
	u := &m.users[len(m.users)-1]
	switch key {
	case "secret":
		u.secret = value
	case "write":
		u.write = value
	}
}

func (m *managerConf) dropUseless() {
	kept := m.users[:0]
	for _, u := range m.users {
		if u.secret != "" {
			kept = append(kept, u)
		}
	}
	m.users = kept
}

// stripComment removes what stands behind a semicolon that is not escaped, and the spaces around the rest.
func stripComment(line string) string {
	for i := 0; i < len(line); i++ {
		if line[i] == ';' && (i == 0 || line[i-1] != '\\') {
			line = line[:i]
			break
		}
	}
	return strings.TrimSpace(strings.ReplaceAll(line, `\;`, ";"))
}

// asteriskTrue tells what Asterisk takes for true (ast_true).
func asteriskTrue(s string) bool {
	switch strings.ToLower(s) {
	case "yes", "true", "y", "t", "1", "on":
		return true
	}
	return false
}
