package check

import (
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/runtest"
)

// A profile that is wrong is refused with the place of the mistake, in the right one of several tables.
func TestWrongProfiles(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"no TOML":             {"a = 1\nb = = 2\n", "p.toml, line 2, column "},
		"an unknown key":      {"# x\nmodles = []\n", "p.toml, line 2, column 10: unknown key modles"},
		"within a table":      {"[[queues]]\nname = \"a\"\n[[queues]]\nname = \"b\"\n  wran = \"x\"\n", "p.toml, line 5, column 10: unknown key wran"},
		"no condition":        {"[[queues]]\nwarn = \"callers>1\"\n\n[[queues]]\nwarn = \"callers\"\n", "p.toml, line 5, column 8: queues[1].warn: character 8 of"},
		"no figure":           {"[[queues]]\ncrit = \"waiting>1m\"\n", "p.toml, line 2, column 8: queues[0].crit: there is no figure waiting here"},
		"of another part":     {"[server]\nwarn = \"callers>1\"\n", "p.toml, line 2, column 8: server.warn: there is no figure callers here"},
		"each and all":        {"[[queues]]\nwarn = \"count>1 && callers>1\"\n", "queues[0].warn: there is no figure callers here"},
		"no key":              {"[[calls]]\nwhere = \"stat=up\"\n", "line 2, column 9: calls[0].where: there is no figure stat here"},
		"an age of none":      {"[[hints]]\nwhere = \"duration>1m\"\n", "line 2, column 9: hints[0].where: there is no figure duration here"},
		"a bare moment":       {"[[channels]]\nwhere = \"created>300\"\n", "line 2, column 9: channels[0].where: created is a moment"},
		"no flag":             {"[[members]]\nwhere = \"paused=yes\"\n", "line 2, column 9: members[0].where: paused is true or false"},
		"no text":             {"banner = 1\n", "line 1, column 10: banner: it is no text"},
		"no regular":          {"banner = \"a(\"\n", "line 1, column 10: banner: missing closing )"},
		"no number":           {"tls_days = \"x\"\n", "line 1, column 12: tls_days: it is not a whole number"},
		"below 0":             {"tls_days = -1\n", "line 1, column 12: tls_days: it is not a whole number"},
		"not only text":       {"modules = [\"a\", 1]\n", "line 1, column 11: modules: not all of it is text"},
		"no list":             {"modules = 1\n", "line 1, column 11: modules: it is neither"},
		"no table":            {"server = 1\n", "line 1, column 10: server: it is no table"},
		"no tables":           {"queues = 1\n", "line 1, column 10: queues: it is not an array of tables"},
		"no command":          {"[[command]]\nexpect = \"x\"\n", "line 1, column 1: command[0].run: a [[command]] without run"},
		"no group":            {"[[command]]\nrun = \"core show uptime\"\nexpect = \"up\"\nwarn = \"up>1\"\n", "line 3, column 10: command[0].expect: warn and crit ask for named groups"},
		"another group":       {"[[command]]\nrun = \"x\"\nexpect = '(?P<n>\\d+)'\nwarn = \"m>1\"\n", "line 4, column 8: command[0].warn: there is no figure m here"},
		"a line end":          {"[[command]]\nrun = \"core show\\nuptime\"\n", "line 2, column 7: command[0].run: Command: "},
		"a carriage return":   {"modules = [\"app_queue\\r\"]\n", "line 1, column 11: modules: ModuleCheck: "},
		"in a call":           {"[call]\nchannel = \"Local/1@x\"\nexten = \"1\\r\\nAction: Ping\"\n", "line 3, column 9: call.exten: Originate: "},
		"a name of lines":     {"[[queues]]\nname = [\"a\", \"b\\nc\"]\n", "line 2, column 8: queues[0].name: \"b\\nc\" names nothing"},
		"no name":             {"endpoints = [\"\"]\n", "line 1, column 13: endpoints[0].name: \"\" names nothing"},
		"a call to nowhere":   {"[call]\nchannel = \"Local/1@x\"\n", "line 1, column 1: call.exten: [call] needs either"},
		"no time":             {"[call]\nchannel = \"a\"\nexten = \"1\"\nring = \"10\"\n", "line 4, column 8: call.ring: \"10\": needs a unit"},
		"in an inline table":  {"queues = [\"a\", {name = \"b\", crit = \"x\"}]\n", "line 1, column 10: queues[1].crit: character 2"},
		"a number as a queue": {"queues = [1]\n", "line 1, column 10: queues: not all of it is a name or a table"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseProfile("p.toml", test.text)
			runtest.Refused(t, err, fail.CodeConfig, test.want)
		})
	}
}

// What may be a mistake is told, with its place, and done all the same.
func TestDoubtfulProfile(t *testing.T) {
	p, err := parseProfile("p.toml", "[[registrations]]\nwarn = \"state=rejected,stopped\"\n")
	if err != nil || len(p.notes) != 1 {
		t.Fatalf("%v, %q", err, p.notes)
	}
	const want = `p.toml, line 2, column 8: registrations[0].warn: character 7 of "state=rejected,stopped": this compares with the text "rejected,stopped"; to compare with each, write state IN (rejected,stopped)`
	if p.notes[0] != want {
		t.Errorf("told %s", p.notes[0])
	}
}

// The profile that help shows is one.
func TestHelpShowsAProfile(t *testing.T) {
	_, text, _ := strings.Cut(help, "a profile asks for more:\n\n")
	text, _, found := strings.Cut(text, "\n\n")
	p, err := parseProfile("help", text)
	if err != nil || !found {
		t.Fatal(err)
	}
	if len(p.sections) != 5 || len(p.commands) != 2 || p.server == nil || p.call == nil || len(p.notes) > 0 {
		t.Errorf("it is %+v", p)
	}
}
