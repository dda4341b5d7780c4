package check

import (
	"regexp"
	"slices"
	"strings"
	"time"

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
	Banner    string         `toml:"banner"`
	TLSDays   int            `toml:"tls_days"`
	Classes   []string       `toml:"classes"`
	Actions   []string       `toml:"actions"`
	Modules   []string       `toml:"modules"`
	Endpoints []string       `toml:"endpoints"`
	Queues    []string       `toml:"queues"`
	Commands  []commandCheck `toml:"command"`
	Call      *callCheck     `toml:"call"`

	banner *regexp.Regexp
}

// A commandCheck is a command of Asterisk's own, and what its output must and must not match.
type commandCheck struct {
	Run    string `toml:"run"`
	Expect string `toml:"expect"`
	Reject string `toml:"reject"`

	wanted act.TextConditions
}

// A callCheck is a test call, made as `amictl originate` does.
type callCheck struct {
	Channel     string `toml:"channel"`
	Exten       string `toml:"exten"`
	Context     string `toml:"context"`
	Application string `toml:"application"`
	Data        string `toml:"data"`
	Ring        string `toml:"ring"`

	ring time.Duration
}

const defaultTLSDays = 14

func defaultProfile() *profile {
	return &profile{TLSDays: defaultTLSDays, banner: regexp.MustCompile(`^Asterisk Call Manager/`)}
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
	return parseProfile(path, text)
}

func parseProfile(path, text string) (*profile, error) {
	const hint = "see `amictl check --help` for an example"
	p := defaultProfile()
	meta, err := tomlfile.Decode(text, p)
	if err != nil {
		return nil, fail.Config(hint, "%s, %s", path, tomlfile.Explain(err))
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, fail.Config(fail.NearHint(unknown[0][len(unknown[0])-1], profileKeys, hint), "%s: unknown key %s", path, unknown[0])
	}
	if p.Banner != "" {
		if p.banner, err = regexp.Compile(p.Banner); err != nil {
			return nil, fail.Config("the syntax is RE2's", "%s: banner: %v", path, err)
		}
	}
	for i := range p.Commands {
		if err := p.Commands[i].prepare(path); err != nil {
			return nil, err
		}
	}
	if p.Call != nil {
		err = p.Call.prepare(path)
	}
	return p, err
}

// sends are the actions of a profile that a protected context may not want: its call, and commands that do not show. What no
// server could be asked is an error, before one is.
func (p *profile) sends(r *run.Run) (actions []ami.Action, err error) {
	if p.Call != nil {
		action, err := p.Call.action(r)
		if err != nil {
			return nil, err
		}
		actions = append(actions, action)
	}
	for i := range p.Commands {
		actions = append(actions, p.Commands[i].action())
	}
	all := slices.Clone(actions)
	for _, name := range p.Modules {
		all = append(all, moduleCheck(name))
	}
	for _, name := range p.Queues {
		all = append(all, queueStatus(name))
	}
	for i := range all {
		if err := act.CheckAction(&all[i]); err != nil {
			return nil, err
		}
	}
	return actions, nil
}

func moduleCheck(name string) ami.Action {
	return ami.NewAction("ModuleCheck", "Module", strings.TrimSuffix(name, ".so"))
}

func queueStatus(name string) ami.Action { return ami.NewAction("QueueStatus", "Queue", name) }

func (c *commandCheck) action() ami.Action { return ami.NewAction("Command", "Command", c.Run) }

func (c *callCheck) action(r *run.Run) (ami.Action, error) {
	o := &call.Options{Wait: "answer", Channel: c.Channel, Exten: c.Exten, Context: c.Context, Application: c.Application, Data: c.Data, Ring: flags.Duration{Value: c.ring}}
	return call.Action(r, o, nil)
}

var profileKeys = []string{
	"banner", "tls_days", "classes", "actions", "modules", "endpoints", "queues", "command", "call", "run", "expect", "reject",
	"channel", "exten", "context", "application", "data", "ring",
}

func (c *commandCheck) prepare(path string) (err error) {
	if strings.TrimSpace(c.Run) == "" {
		return fail.Config("such as run = \"core show uptime\"", "%s: a [[command]] without run", path)
	}
	var expect, reject []string
	if c.Expect != "" {
		expect = []string{c.Expect}
	}
	if c.Reject != "" {
		reject = []string{c.Reject}
	}
	c.wanted, err = act.NewTextConditions(expect, reject)
	return err
}

func (c *callCheck) prepare(path string) (err error) {
	switch {
	case c.Channel == "":
		return fail.Config("such as channel = \"Local/100@default\"", "%s: [call] has no channel", path)
	case (c.Exten == "") == (c.Application == ""):
		return fail.Config("such as exten = \"200\", or application = \"Wait\"", "%s: [call] needs either exten or application", path)
	}
	c.ring = 10 * time.Second
	if c.Ring != "" {
		if c.ring, err = flags.ParseDuration(c.Ring); err != nil {
			return fail.Config("such as ring = \"10s\"", "%s: [call] ring %q: %v", path, c.Ring, err)
		}
	}
	return nil
}
