package check

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/call"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/tomlfile"
	"github.com/apntalk/amictl/pkg/ami"
)

// A profile is what `amictl check` looks at beyond connection, login, boot and Ping.
type profile struct {
	banner    *regexp.Regexp
	tlsDays   int
	classes   []string
	actions   []string
	modules   []string
	endpoints []string // PJSIP endpoints that are to be reachable, in one check
	ping      *figures
	server    *figures
	sections  []section
	commands  []commandCheck
	call      *callCheck
	notes     []string // what may be a mistake
}

// Figures are a part of a profile that has one set of figures.
type figures struct {
	title string
	thresholds
}

// A section is a part of a profile about things.
type section struct {
	*part
	title  string   // of its check, "" for the things' own
	names  []string // globs of the things, each of which has to find one; none: all
	where  *ami.Where
	counts bool // the things are counted, and not looked at one by one
	thresholds
}

// A commandCheck is a command of Asterisk's own, and what its output must and must not match. What the named groups of expect
// match are its figures.
type commandCheck struct {
	figures
	run    string
	expect *regexp.Regexp // nil: nothing
	reject *regexp.Regexp
}

// A callCheck is a test call, made as `amictl originate` does.
type callCheck struct {
	channel, exten, context, application, data string
	ring                                       time.Duration
}

const (
	defaultTLSDays = 14
	defaultRing    = 10 * time.Second
	defaultBanner  = `^Asterisk Call Manager/`
)

func defaultProfile() *profile {
	return &profile{tlsDays: defaultTLSDays, banner: regexp.MustCompile(defaultBanner)}
}

// readProfile reads and checks a profile; "-" is standard input.
func readProfile(r *run.Run, path string) (*profile, error) {
	in, err := r.Open(path, "check "+path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }()
	text, err := tomlfile.Read(in)
	if err != nil {
		return nil, fail.Usage(fail.ReadHint, "%s: %v", path, err)
	}
	if path == "-" {
		path = "standard input"
	}
	p, err := parseProfile(path, text)
	if err == nil {
		for _, note := range p.notes {
			r.Note("%s", note)
		}
	}
	return p, err
}

// A table of a profile, and what may be a mistake in it.
type table struct {
	*tomlfile.Table
	notes *[]string
}

const profileHint = "see `amictl check --help` for an example"

func (t table) done() {
	t.Done(func(key string, asked []string) string { return fail.NearHint(key, asked, profileHint) })
}

func parseProfile(path, text string) (*profile, error) {
	p := defaultProfile()
	read, err := tomlfile.ReadTable(path, text)
	if err != nil {
		return nil, fail.Config(profileHint, "%s, %s", path, tomlfile.Explain(err))
	}
	t := table{read, &p.notes}
	if re := t.expression("banner", ""); re != nil {
		p.banner = re
	}
	p.tlsDays = t.Whole("tls_days", defaultTLSDays)
	p.classes, p.actions, p.modules = t.Texts("classes"), t.Texts("actions"), t.Texts("modules")
	p.ping = t.figures("ping", "rtt")
	p.server = t.figures("server", names(serverFigures)...)
	for i := range parts {
		p.readSections(t, &parts[i])
	}
	commands, _ := t.Children("command")
	for _, c := range commands {
		p.commands = append(p.commands, table{c, t.notes}.command())
	}
	if c := t.Child("call"); c != nil {
		p.call = table{c, t.notes}.call()
	}
	for _, name := range p.modules {
		t.sendable("modules", moduleCheck(name))
	}
	t.done()
	if m := t.Mistake(); m != nil {
		return nil, fail.Config(m.Hint, "%v", m)
	}
	return p, nil
}

// figures reads a table whose conditions ask for those figures.
func (t table) figures(key string, names ...string) *figures {
	found := t.Child(key)
	if found == nil {
		return nil
	}
	sub := table{found, t.notes}
	f := &figures{title: sub.title(key), thresholds: sub.thresholds(names)}
	sub.done()
	return f
}

// title reads what a check is to be called.
func (t table) title(otherwise string) string {
	if s := strings.TrimSpace(t.Text("title")); s != "" {
		return s
	}
	return otherwise
}

// expression reads a regular expression, nil if there is none.
func (t table) expression(key, flags string) *regexp.Regexp {
	text := t.Text(key)
	if text == "" {
		return nil
	}
	if _, err := regexp.Compile(text); err != nil { // by itself, so that the error shows what was written
		t.Wrong(key, "the syntax is RE2's", "%s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		return nil
	}
	return regexp.MustCompile(flags + text)
}

// globs reads the names of things.
func (t table) globs(key string) []string {
	all := t.Texts(key)
	for _, name := range all {
		if name == "" || strings.ContainsFunc(name, unicode.IsControl) {
			t.Wrong(key, `such as "trunk*"`, "%q names nothing: it is empty, or has a control character", name)
		}
	}
	return all
}

// sendable notes what the engine would refuse to send.
func (t table) sendable(key string, action ami.Action) {
	if err := act.CheckAction(&action); err != nil {
		f := fail.Classify(err)
		t.Wrong(key, f.Hint, "%s", f.Message)
	}
}

// readSections reads the tables about a part.
func (p *profile) readSections(t table, of *part) {
	tables, short := t.Children(of.name)
	for i := range tables {
		sub := table{tables[i], t.notes}
		if short[i] && of.name == "endpoints" {
			p.endpoints = append(p.endpoints, sub.globs("name")...)
			continue
		}
		s := section{part: of, names: sub.globs("name"), where: sub.condition("where", names(of.figures), of.objects())}
		s.counts = of.measure == nil || sub.asksCount()
		if s.counts {
			s.thresholds = sub.thresholds(names(counted))
		} else {
			s.thresholds = sub.thresholds(names(of.figures), of.objects())
		}
		if short[i] && of.name == "queues" {
			s.crit, _ = ami.ParseWhere("unpaused=0")
		}
		s.title = sub.title(s.defaultTitle())
		sub.done()
		p.sections = append(p.sections, s)
	}
}

// asksCount reports whether the conditions of a table ask how many there are.
func (t table) asksCount() bool {
	for _, key := range []string{"warn", "crit"} {
		if w, err := ami.ParseWhere(t.Text(key)); err == nil && contains(w.Fields(), "count") {
			return true
		}
	}
	return false
}

// defaultTitle is what a count is called; things that are looked at one by one have names of their own.
func (s *section) defaultTitle() string {
	if !s.counts {
		return ""
	}
	words := append([]string{s.name}, s.names...)
	if s.where != nil {
		words = append(words, s.where.String())
	}
	return strings.Join(words, " ")
}

func (t table) command() commandCheck {
	c := commandCheck{run: t.Text("run"), expect: t.expression("expect", "(?m)"), reject: t.expression("reject", "(?m)")}
	if strings.TrimSpace(c.run) == "" {
		t.Wrong("run", `such as run = "core show uptime"`, "a [[command]] without run")
	}
	c.title = t.title("command " + c.run)
	groups := []string{}
	if c.expect != nil {
		groups = slices.DeleteFunc(slices.Clone(c.expect.SubexpNames()), func(name string) bool { return name == "" })
	}
	if len(groups) == 0 && t.Text("warn")+t.Text("crit") != "" {
		t.Wrong("expect", `such as expect = '(?P<calls>\d+) active calls'`, "warn and crit ask for named groups of expect, and it has none")
	}
	c.thresholds = t.thresholds(groups)
	t.sendable("run", c.action())
	t.done()
	return c
}

func (t table) call() *callCheck {
	c := &callCheck{
		channel: t.Text("channel"), exten: t.Text("exten"), context: t.Text("context"), application: t.Text("application"), data: t.Text("data"),
		ring: defaultRing,
	}
	switch {
	case c.channel == "":
		t.Wrong("channel", `such as channel = "Local/100@default"`, "[call] has no channel")
	case (c.exten == "") == (c.application == ""):
		t.Wrong("exten", `such as exten = "200", or application = "Wait"`, "[call] needs either exten or application")
	}
	if text := t.Text("ring"); text != "" {
		var err error
		if c.ring, err = flags.ParseDuration(text); err != nil {
			t.Wrong("ring", `such as ring = "10s"`, "%q: %v", text, err)
		}
	}
	for key, value := range map[string]string{"channel": c.channel, "exten": c.exten, "context": c.context, "application": c.application, "data": c.data} {
		t.sendable(key, ami.NewAction("Originate", key, value))
	}
	t.done()
	return c
}

// sends are the actions of a profile that a protected context may not want: its call, and commands that do not show.
func (p *profile) sends(r *run.Run) (actions []ami.Action, err error) {
	if p.call != nil {
		action, err := p.call.action(r)
		if err == nil {
			err = act.CheckAction(&action)
		}
		if err != nil {
			return nil, err
		}
		actions = append(actions, action)
	}
	for i := range p.commands {
		actions = append(actions, p.commands[i].action())
	}
	return actions, nil
}

// acts reports whether the profile makes calls or runs commands.
func (p *profile) acts() bool { return p.call != nil || len(p.commands) > 0 }

func moduleCheck(name string) ami.Action {
	return ami.NewAction("ModuleCheck", "Module", strings.TrimSuffix(name, ".so"))
}

func (c *commandCheck) action() ami.Action { return ami.NewAction("Command", "Command", c.run) }

func (c *callCheck) action(r *run.Run) (ami.Action, error) {
	o := &call.Options{Wait: "answer", Channel: c.channel, Exten: c.exten, Context: c.context, Application: c.application, Data: c.data, Ring: flags.Duration{Value: c.ring}}
	return call.Action(r, o, nil)
}
