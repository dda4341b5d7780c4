package target

import (
	"bufio"
	"cmp"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apntalk/amictl/internal/cli/fail"
)

// managerConf is what --local needs of a manager.conf.
type managerConf struct {
	general map[string]string
	users   []*managerUser // and templates
}

// A managerUser is a section other than [general].
type managerUser struct {
	name, secret, write string
	template            bool
	rules               []aclRule
}

// An aclRule is a permit= or deny=.
type aclRule struct {
	allow bool
	net   netip.Prefix
}

// permits applies the rules as Asterisk does (ast_apply_acl): the last one that matches decides; without any match the
// address is permitted.
func (u *managerUser) permits(from netip.Addr) bool {
	allowed := true
	for _, r := range u.rules {
		if r.net.Contains(from.Unmap()) {
			allowed = r.allow
		}
	}
	return allowed
}

const (
	mostIncludes    = 64 // files
	longestConfLine = 1 << 16
)

// A confReader follows a configuration of Asterisk's through its includes (main/config.c).
type confReader struct {
	conf    *managerConf
	folder  string // relative names are in it, whoever includes them
	files   int
	section string
	current *managerUser // nil: none, or [general]
	comment bool         // inside ;-- … --;
}

// readManagerConf reads a manager.conf and what it includes; #exec is not run.
func readManagerConf(path string) (*managerConf, error) {
	r := &confReader{conf: &managerConf{general: make(map[string]string)}, folder: filepath.Dir(path)}
	return r.conf, r.file(path)
}

func (r *confReader) file(path string) error {
	if r.files++; r.files > mostIncludes {
		return fail.Config("does a file include itself?", "manager.conf includes more than %d files", mostIncludes)
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fail.Config("give the path of a manager.conf with --manager-conf", "manager.conf cannot be read: %s is not a file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		hint := "run as root or as a member of the group asterisk, or give --node"
		if errors.Is(err, fs.ErrNotExist) {
			hint = "is there an Asterisk on this host? --manager-conf FILE says where its manager.conf is"
		}
		return fail.Config(hint, "manager.conf cannot be read: %v", err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, longestConfLine)
	for lines.Scan() {
		if err := r.line(r.uncomment(lines.Text())); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fail.Config(fail.ReadHint, "%s: %v", path, err)
	}
	return nil
}

// uncomment removes comments: ;-- to --; over any number of lines, and the rest of a line behind a semicolon that is
// not escaped.
func (r *confReader) uncomment(line string) string {
	var kept strings.Builder
	for i := 0; i < len(line); {
		rest := line[i:]
		switch {
		case r.comment && strings.HasPrefix(rest, "--;"):
			r.comment = false
			i += 3
		case r.comment:
			i++
		case strings.HasPrefix(rest, `\;`):
			kept.WriteByte(';')
			i += 2
		case strings.HasPrefix(rest, ";--") && !strings.HasPrefix(rest, ";---"):
			r.comment = true
			i += 3
		case rest[0] == ';':
			return strings.TrimSpace(kept.String())
		default:
			kept.WriteByte(rest[0])
			i++
		}
	}
	return strings.TrimSpace(kept.String())
}

func (r *confReader) line(line string) error {
	switch {
	case strings.HasPrefix(line, "#"):
		return r.directive(line)
	case strings.HasPrefix(line, "["):
		r.open(line)
		return nil
	}
	key, value, found := strings.Cut(line, "=")
	if found {
		r.set(strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(strings.TrimPrefix(value, ">")))
	}
	return nil
}

// directive follows #include and #tryinclude, whose name may be a glob that matches nothing.
func (r *confReader) directive(line string) error {
	word, name, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
	try := strings.EqualFold(word, "#tryinclude")
	if !try && !strings.EqualFold(word, "#include") {
		return nil
	}
	name = strings.Trim(strings.TrimSpace(name), `"<>`)
	if !filepath.IsAbs(name) {
		name = filepath.Join(r.folder, name)
	}
	paths, err := filepath.Glob(name)
	if err != nil || len(paths) == 0 && !strings.ContainsAny(name, "*?[") && !try {
		paths = []string{name}
	}
	for _, p := range paths {
		if err := r.file(p); err != nil {
			return err
		}
	}
	return nil
}

// open begins a section: [name], [name](!) for a template, [name](+) to go on, [name](template,…) to inherit.
func (r *confReader) open(line string) {
	end := strings.IndexByte(line, ']')
	if end < 0 {
		return
	}
	r.section, r.current = line[1:end], nil
	options := strings.Split(strings.ReplaceAll(strings.Trim(line[end+1:], "() "), " ", ""), ",")
	if r.section == "general" {
		return
	}
	if slices.Contains(options, "+") {
		r.current = r.conf.find(r.section)
	}
	if r.current == nil {
		r.current = &managerUser{name: r.section}
		r.conf.users = append(r.conf.users, r.current)
	}
	for _, o := range options {
		switch base := r.conf.find(o); {
		case o == "!":
			r.current.template = true
		case base != nil && base != r.current:
			r.current.secret, r.current.write = cmp.Or(base.secret, r.current.secret), cmp.Or(base.write, r.current.write)
			r.current.rules = append(r.current.rules, base.rules...)
		}
	}
}

func (m *managerConf) find(name string) *managerUser {
	for _, u := range m.users {
		if u.name == name {
			return u
		}
	}
	return nil
}

// set stores a value. In [general] the last one wins, as in Asterisk.
func (r *confReader) set(key, value string) {
	if r.section == "general" {
		r.conf.general[key] = value
		return
	}
	if r.current == nil {
		return
	}
	switch key {
	case "secret":
		r.current.secret = value
	case "write":
		r.current.write = value
	case "permit", "deny":
		for one := range strings.SplitSeq(value, ",") {
			if p, ok := parseACL(strings.TrimSpace(one)); ok {
				r.current.rules = append(r.current.rules, aclRule{allow: key == "permit", net: p})
			}
		}
	}
}

// parseACL reads 10.0.0.0/255.0.0.0, 10.0.0.0/8 or 10.0.0.1. What else there may be, such as !, is left out.
func parseACL(s string) (netip.Prefix, bool) {
	addr, mask, hasMask := strings.Cut(s, "/")
	ip, err := netip.ParseAddr(strings.Trim(addr, "[]"))
	if err != nil {
		return netip.Prefix{}, false
	}
	if !hasMask {
		return netip.PrefixFrom(ip, ip.BitLen()), true
	}
	if m, err := netip.ParseAddr(mask); err == nil {
		ones, bits := net.IPMask(m.AsSlice()).Size()
		if bits == 0 {
			return netip.Prefix{}, false
		}
		return netip.PrefixFrom(ip, ones), true
	}
	p, err := netip.ParsePrefix(ip.String() + "/" + mask)
	return p, err == nil
}

// asteriskTrue tells what Asterisk takes for true (ast_true).
func asteriskTrue(s string) bool {
	switch strings.ToLower(s) {
	case "yes", "true", "y", "t", "1", "on":
		return true
	}
	return false
}
