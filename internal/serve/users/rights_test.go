package users_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/redact"
	"github.com/apntalk/amictl/pkg/ami/state"
)

const password = "sesame"

// one makes the only user of a file.
func one(t *testing.T, s users.Spec) *users.User {
	t.Helper()
	if s.Name == "" {
		s.Name = "u"
	}
	s.Secret = "given"
	list, err := users.Load([]users.Spec{s}, func(string) (redact.Secret, error) { return redact.NewSecret(password), nil })
	if err != nil {
		t.Fatal(err)
	}
	return list[0]
}

// The users that allowances asks for most.
var (
	caller     = users.Spec{Actions: []string{"Originate", "Redirect", "Atxfer", "BlindTransfer", "QueueAdd"}, Contexts: []string{"out-*", "lobby"}, Applications: []string{"Play*", "MixMonitor"}}
	system     = users.Spec{Actions: caller.Actions, Contexts: caller.Contexts, Applications: append([]string{"system"}, caller.Applications...)}
	setter     = users.Spec{Actions: []string{"Setvar", "Park"}, Contexts: []string{"lobby"}}
	console    = users.Spec{Actions: []string{"Command"}, Commands: []string{"core show", "database  get"}}
	everything = users.Spec{Actions: []string{"*"}, Contexts: []string{"*"}, Applications: []string{"*"}}
)

// allowances says of users and actions whether the one may do the other on the node fra-1.
var allowances = []struct {
	name   string
	user   users.Spec
	action ami.Action
	want   bool
}{
	{"nothing said", users.Spec{}, ami.NewAction("Ping"), false},
	{"by name", users.Spec{Actions: []string{"Ping"}}, ami.NewAction("ping"), true},
	{"by glob", users.Spec{Actions: []string{"Queue*"}}, ami.NewAction("QUEUESTATUS"), true},
	{"another", users.Spec{Actions: []string{"Queue*"}}, ami.NewAction("Reload"), false},
	{"a longer name", users.Spec{Actions: []string{"Queue"}}, ami.NewAction("QueueRemove"), false},
	{"a name and a space", users.Spec{Actions: []string{"Ping"}}, ami.NewAction("Ping "), false},
	{"another node", users.Spec{Nodes: []string{"ber-*"}, Actions: []string{"*"}}, ami.NewAction("Ping"), false},
	{"this node", users.Spec{Nodes: []string{"fra-*"}, Actions: []string{"*"}}, ami.NewAction("Ping"), true},

	{"what changes the server is no wildcard's", everything, ami.NewAction("UpdateConfig"), false},
	{"what reads its files is none either", everything, ami.NewAction("GetConfig", "Filename", "manager.conf"), false},
	{"nor half of one's", users.Spec{Actions: []string{"AG?"}}, ami.NewAction("agi"), false},
	{"but named", users.Spec{Actions: []string{"moduleload"}}, ami.NewAction("ModuleLoad"), true},

	{"a command", console, ami.NewAction("Command", "Command", "core show channels"), true},
	{"spaces and case", console, ami.NewAction("Command", "Command", "  CORE\tshow  channels"), true},
	{"a command that is allowed itself", console, ami.NewAction("Command", "Command", "database get"), true},
	{"another command", console, ami.NewAction("Command", "Command", "core stop now"), false},
	{"its beginning", console, ami.NewAction("Command", "Command", "core"), false},
	{"half a word", console, ami.NewAction("Command", "Command", "core showx"), false},
	{"an abbreviation", console, ami.NewAction("Command", "Command", "core sh channels"), false},
	{"quotes", console, ami.NewAction("Command", "Command", `"core" show channels`), false},
	{"a backslash", console, ami.NewAction("Command", "Command", `core\ show channels`), false},
	{"a second command", console, ami.NewAction("Command", "Command", "core show channels", "Command", "core stop now"), false},
	{"a command under another spelling", console, ami.NewAction("Command", "Command", "core show channels", "COMMAND", "core stop now"), false},
	{"an empty one", console, ami.NewAction("Command", "Command", ""), false},
	{"no commands at all", users.Spec{Actions: []string{"Command"}}, ami.NewAction("Command", "Command", "core show channels"), false},

	{"a context", caller, ami.NewAction("Originate", "Channel", "PJSIP/a", "Context", "out-1"), true},
	{"another context", caller, ami.NewAction("Originate", "Channel", "PJSIP/a", "Context", "internal"), false},
	{"a context too many", caller, ami.NewAction("Originate", "Channel", "PJSIP/a", "Context", "out-1", "context", "internal"), false},
	{"a context under another spelling", caller, ami.NewAction("Originate", "Channel", "PJSIP/a", "CONTEXT", "internal"), false},
	{"contexts have one case to a glob and a name", caller, ami.NewAction("Redirect", "Context", "internal", "Channel", "x"), false},
	{"a redirect", caller, ami.NewAction("Redirect", "Channel", "x", "Context", "lobby", "ExtraContext", "out-2"), true},
	{"the other leg", caller, ami.NewAction("Redirect", "Channel", "x", "Context", "lobby", "ExtraContext", "internal"), false},
	{"an attended transfer", caller, ami.NewAction("Atxfer", "Channel", "x", "Context", "internal"), false},
	{"a blind transfer", caller, ami.NewAction("BlindTransfer", "Channel", "x", "Context", "internal"), false},
	{"before the dial", caller, ami.NewAction("Originate", "Channel", "PJSIP/a", "Context", "lobby", "PreDialGoSub", "internal,s,1"), false},
	{"before the dial, allowed", caller, ami.NewAction("Originate", "Channel", "PJSIP/a", "Context", "lobby", "PreDialGoSub", "lobby,s,1"), true},

	{"a Local channel", caller, ami.NewAction("Originate", "Channel", "Local/1@out-3/n", "Context", "lobby"), true},
	{"a Local channel elsewhere", caller, ami.NewAction("Originate", "Channel", "local/1@internal", "Context", "lobby"), false},
	{"a Local channel behind a space", caller, ami.NewAction("Originate", "Channel", " Local/1@internal", "Context", "lobby"), false},
	{"a Local channel without a context", caller, ami.NewAction("Originate", "Channel", "Local/1", "Context", "lobby"), false},
	{"an option before the context", caller, ami.NewAction("Originate", "Channel", "Local/1/n@lobby", "Context", "lobby"), false},
	{"two contexts", caller, ami.NewAction("Originate", "Channel", "Local/1@internal@lobby", "Context", "lobby"), false},
	{"two contexts, the other way", caller, ami.NewAction("Originate", "Channel", "Local/1@lobby@internal", "Context", "lobby"), false},
	{"a second channel", caller, ami.NewAction("Originate", "Channel", "PJSIP/a", "channel", "Local/1@internal", "Context", "lobby"), false},
	{"a Local channel that is cut to another context", caller, ami.NewAction("Originate", "Channel", "Local/"+strings.Repeat("1", 300)+"@lobby", "Context", "lobby"), false},
	{"a member that is cut to one", users.Spec{Actions: []string{"QueueAdd"}, Contexts: []string{"*-public"}}, ami.NewAction("QueueAdd", "Queue", "q", "Interface", "Local/1@internal/"+strings.Repeat("n", 80)+"@x-public"), false},
	{"a context that is cut to one", users.Spec{Actions: []string{"Redirect"}, Contexts: []string{"*-public"}}, ami.NewAction("Redirect", "Channel", "x", "Context", strings.Repeat("i", 79)+"-public"), false},
	{"a long channel that is no Local one", caller, ami.NewAction("Originate", "Channel", "PJSIP/a/sip:"+strings.Repeat("1", 100)+"@x", "Context", "lobby"), true},
	{"a member of a queue", caller, ami.NewAction("QueueAdd", "Queue", "q", "Interface", "Local/1@internal/n"), false},
	{"a member of a queue, allowed", caller, ami.NewAction("QueueAdd", "Queue", "q", "Interface", "Local/1@lobby/n"), true},
	{"a phone in a queue", caller, ami.NewAction("QueueAdd", "Queue", "q", "Interface", "PJSIP/a"), true},

	{"an application", caller, ami.NewAction("Originate", "Channel", "PJSIP/a", "Application", "playback", "Data", "beep"), true},
	{"another application", caller, ami.NewAction("Originate", "Channel", "PJSIP/a", "Application", "Dial"), false},
	{"one that runs programs, named", caller, ami.NewAction("Originate", "Channel", "PJSIP/a", "Application", "MixMonitor"), true},
	{"System", caller, ami.NewAction("Originate", "Channel", "PJSIP/a", "Application", "System", "Data", "reboot"), false},
	{"System by a wildcard", everything, ami.NewAction("Originate", "Channel", "PJSIP/a", "Application", "sYsTeM"), false},
	{"its kin by a wildcard", everything, ami.NewAction("Originate", "Channel", "PJSIP/a", "Application", "TrySystem"), false},
	{"Exec by a wildcard", everything, ami.NewAction("Originate", "Channel", "PJSIP/a", "Application", "ExecIf"), false},
	{"AGI by a wildcard", everything, ami.NewAction("Originate", "Channel", "PJSIP/a", "Application", "DeadAGI"), false},
	{"ExternalIVR by a wildcard", everything, ami.NewAction("Originate", "Channel", "PJSIP/a", "Application", "ExternalIVR"), false},
	{"System, named", system, ami.NewAction("Originate", "Channel", "PJSIP/a", "Application", "System", "Data", "true"), true},
	{"an application too many", caller, ami.NewAction("Originate", "Channel", "PJSIP/a", "Application", "Playback", "APPLICATION", "System"), false},
	{"data that runs a program", caller, ami.NewAction("Originate", "Channel", "PJSIP/a", "Application", "Playback", "Data", "${shell(reboot)}"), false},
	{"data that writes a file", everything, ami.NewAction("Originate", "Channel", "PJSIP/a", "Application", "Set", "Data", "FILE(/etc/x)=1"), false},
	{"data that evaluates, with System", system, ami.NewAction("Originate", "Channel", "PJSIP/a", "Application", "Playback", "Data", "${EVAL(x)}"), true},
	{"a variable", caller, ami.NewAction("Originate", "Channel", "PJSIP/a", "Context", "lobby", "Variable", "a=1,__b=Bob (sales)"), true},
	{"the caller's name", caller, ami.NewAction("Originate", "Channel", "PJSIP/a", "Context", "lobby", "Variable", "CALLERID(name)=Bob"), true},
	{"a variable that writes a file", caller, ami.NewAction("Originate", "Channel", "PJSIP/a", "Context", "lobby", "Variable", "FILE(/etc/x)=1"), false},
	{"the second of a header", caller, ami.NewAction("Originate", "Channel", "PJSIP/a", "Context", "lobby", "Variable", "a=1,CHANNEL(hangup_handler_push)=x"), false},
	{"behind quotes", caller, ami.NewAction("Originate", "Channel", "PJSIP/a", "Context", "lobby", "Variable", `FI"LE"(/etc/x)=1`), false},
	{"a variable of another header", caller, ami.NewAction("Originate", "Channel", "PJSIP/a", "Context", "lobby", "Variable", "a=1", "VARIABLE", "SHELL(x)=1"), false},
	{"a function, with System", system, ami.NewAction("Originate", "Channel", "PJSIP/a", "Context", "lobby", "Variable", "FILE(/x)=1"), true},

	{"Getvar", everything, ami.NewAction("Getvar", "Variable", "CALLERID(num)"), true},
	{"Getvar of the server's clock", everything, ami.NewAction("Getvar", "Variable", "STRFTIME(,,%Y-%m-%d %H:%M:%S)"), true},
	{"Getvar that runs a program", everything, ami.NewAction("Getvar", "Variable", "SHELL(reboot)"), false},
	{"Setvar that writes a file", everything, ami.NewAction("Setvar", "Variable", "File(/etc/x)", "Value", "1"), false},
	{"Status that runs a program", everything, ami.NewAction("Status", "Variables", "a,Shell(reboot)"), false},
	{"Getvar of the daemon's own secret", everything, ami.NewAction("Getvar", "Variable", "AST_CONFIG(manager.conf,amictl,secret)"), false},
	{"Getvar that evaluates in an argument", everything, ami.NewAction("Getvar", "Variable", "CUT(SH${x}ELL(id),-,1)"), false},
	{"Getvar with a variable in an argument", everything, ami.NewAction("Getvar", "Variable", "CHANNEL(${x})"), false},
	{"Getvar of a queue", everything, ami.NewAction("Getvar", "Variable", "QUEUE_WAITING_COUNT(q)"), true},
	{"Getvar of anything, with System", users.Spec{Actions: []string{"Getvar"}, Applications: []string{"System"}}, ami.NewAction("Getvar", "Variable", "AST_CONFIG(a,b,c)"), true},
	{"Status with functions", everything, ami.NewAction("Status", "Variables", "a,CHANNEL(state),CALLERID(num)"), true},
	{"Status of a database", everything, ami.NewAction("Status", "Variables", "a,REALTIME(x,y,z)"), false},
	{"Setvar that leads to a context", everything, ami.NewAction("Setvar", "Channel", "x", "Variable", "CHANNEL(hangup_handler_push)", "Value", "ctx,s,1"), false},
	{"Setvar of a custom device", everything, ami.NewAction("Setvar", "Variable", "DEVICE_STATE(Custom:night)", "Value", "INUSE"), true},
	{"a variable that leads to a context", caller, ami.NewAction("Originate", "Channel", "PJSIP/a", "Context", "lobby", "Variable", "__FORWARD_CONTEXT=internal"), false},
	{"a variable that leads to one allowed", caller, ami.NewAction("Originate", "Channel", "PJSIP/a", "Context", "lobby", "Variable", "FORWARD_CONTEXT=out-1"), true},
	{"a result that leads to a context", setter, ami.NewAction("Setvar", "Channel", "x", "Variable", "_GOSUB_RESULT", "Value", "GOTO:internal^1^1"), false},
	{"a result that leads to one allowed", setter, ami.NewAction("Setvar", "Channel", "x", "Variable", "GOSUB_RESULT", "Value", "GOTO:lobby^1^1"), true},
	{"a variable that a parked call comes back to", setter, ami.NewAction("Setvar", "Channel", "x", "Variable", "BLINDTRANSFER", "Value", "Local/1@internal"), false},
	{"a parked call that comes back to a context", setter, ami.NewAction("Park", "Channel", "x", "TimeoutChannel", "Local/1@internal-0"), false},
	{"under its other name", setter, ami.NewAction("Park", "Channel", "x", "Channel2", "Local/1@internal-0"), false},
	{"to one allowed", setter, ami.NewAction("Park", "Channel", "x", "TimeoutChannel", "Local/1@lobby-0000001;2"), true},
	{"to a phone", setter, ami.NewAction("Park", "Channel", "x", "TimeoutChannel", "PJSIP/a-00000001"), true},
	{"to a second channel", setter, ami.NewAction("Park", "Channel", "x", "TimeoutChannel", "PJSIP/a&Local/1@internal-0"), false},
	{"to what Dial's options say", setter, ami.NewAction("Park", "Channel", "x", "TimeoutChannel", "PJSIP/a,,G(internal^1^1)-0"), false},
	{"to what the dialplan evaluates", setter, ami.NewAction("Park", "Channel", "x", "TimeoutChannel", "PJSIP/${SHELL(id)}-0"), false},
	{"MixMonitor", everything, ami.NewAction("MixMonitor", "Channel", "x"), true},
	{"MixMonitor with a program", everything, ami.NewAction("MixMonitor", "Channel", "x", "Command", "reboot"), false},
	{"MixMonitor with options", everything, ami.NewAction("MixMonitor", "Channel", "x", "File", "x.wav", "Options", "bv(1)"), true},
	{"MixMonitor with a program behind the file", everything, ami.NewAction("MixMonitor", "Channel", "x", "File", "x.wav,,reboot #"), false},
	{"MixMonitor with a program behind the options", everything, ami.NewAction("MixMonitor", "Channel", "x", "Options", "b,reboot #"), false},
	{"MixMonitor with a comma, and System", users.Spec{Actions: []string{"MixMonitor"}, Applications: []string{"System"}}, ami.NewAction("MixMonitor", "Channel", "x", "Options", "b,true"), true},
	{"a conference's record", everything, ami.NewAction("ConfbridgeStartRecord", "Conference", "1", "RecordFile", "a.wav"), true},
	{"a conference's record with a program", everything, ami.NewAction("ConfbridgeStartRecord", "Conference", "1", "RecordFile", "a.wav,,reboot #"), false},
	{"a conference whose name is one", everything, ami.NewAction("ConfbridgeStartRecord", "Conference", "1,,reboot #"), false},
	{"a parking lot that comes back elsewhere", everything, ami.NewAction("Park", "Channel", "x", "Parkinglot", "default,c(internal,1,1)"), false},
	{"Monitor", everything, ami.NewAction("Monitor", "Channel", "x", "File", "a/b-1", "Mix", "1"), true},
	{"Monitor with a shell's words", everything, ami.NewAction("Monitor", "Channel", "x", "File", "$(reboot)", "Mix", "1"), false},
	{"Monitor that takes them of the channel", everything, ami.NewAction("Monitor", "Channel", "x", "Mix", "1"), false},
	{"Monitor by the channel's name, unmixed", everything, ami.NewAction("Monitor", "Channel", "x"), true},
	{"ChangeMonitor with a shell's words", everything, ami.NewAction("ChangeMonitor", "Channel", "x", "File", "a`reboot`"), false},
	{"Queue", everything, ami.NewAction("Originate", "Channel", "PJSIP/a", "Application", "Queue", "Data", "q,t,,,60,,sub,rule"), true},
	{"Queue with an AGI script", everything, ami.NewAction("Originate", "Channel", "PJSIP/a", "Application", "Queue", "Data", "q,,,,,/path/prog"), false},
	{"Queue with one behind quotes", everything, ami.NewAction("Originate", "Channel", "PJSIP/a", "Application", " queue", "Data", `"q,q",,,,,,x`), false},
	{"Queue with one, and System", users.Spec{Actions: []string{"Originate"}, Applications: []string{"Queue", "System"}}, ami.NewAction("Originate", "Channel", "PJSIP/a", "Application", "Queue", "Data", "q,,,,,x"), true},
	{"a conference whose name is quoted", everything, ami.NewAction("Originate", "Channel", "PJSIP/a", "Application", "ConfBridge", "Data", `1\,\,reboot #`), false},
	{"Reload by a wildcard", everything, ami.NewAction("Originate", "Channel", "PJSIP/a", "Application", "Reload"), false},
	{"DBdeltree by a wildcard", everything, ami.NewAction("Originate", "Channel", "PJSIP/a", "Application", "DBdeltree", "Data", "x"), false},
	{"Monitor by a wildcard", everything, ami.NewAction("Originate", "Channel", "PJSIP/a", "Application", "Monitor", "Data", "wav,$(reboot),m"), false},
	{"data that reads the database", everything, ami.NewAction("Originate", "Channel", "PJSIP/a", "Application", "Set", "Data", "DB(a/b)=1"), false},
	{"data that only looks so", everything, ami.NewAction("Originate", "Channel", "PJSIP/a", "Application", "Playback", "Data", "feedback"), true},
	{"a variable that names a program", everything, ami.NewAction("Originate", "Channel", "PJSIP/a", "Context", "lobby", "Variable", "a=1,__MONITOR_EXEC=reboot"), false},
	{"an application that sets one", everything, ami.NewAction("Originate", "Channel", "PJSIP/a", "Application", "MSet", "Data", "a=1,MONITOR_EXEC=reboot"), false},
	{"an application that sets a global one", everything, ami.NewAction("Originate", "Channel", "PJSIP/a", "Application", "Set", "Data", "GLOBAL(MONITOR_EXEC)=reboot"), false},
	{"an application that sets another", everything, ami.NewAction("Originate", "Channel", "PJSIP/a", "Application", "Set", "Data", "CALLERID(name)=Bob"), true},
	{"a variable that names one behind quotes", everything, ami.NewAction("Originate", "Channel", "PJSIP/a", "Context", "lobby", "Variable", `MON"ITOR"_OPTIONS=,reboot`), false},
	{"a variable that names one, set later", everything, ami.NewAction("Setvar", "Channel", "x", "Variable", "_MONITOR_EXEC", "Value", "reboot"), false},
	{"a variable of that name, read", everything, ami.NewAction("Getvar", "Channel", "x", "Variable", "MONITOR_EXEC"), true},
	{"a variable set", everything, ami.NewAction("Setvar", "Channel", "x", "Variable", "_a", "Value", "1"), true},
	{"MixMonitor with a program, System by a wildcard", users.Spec{Actions: []string{"*"}, Applications: []string{"Sys*"}}, ami.NewAction("MixMonitor", "Command", "reboot"), false},
}

func TestAllows(t *testing.T) {
	for _, c := range allowances {
		t.Run(c.name, func(t *testing.T) {
			err := one(t, c.user).Allows("fra-1", &c.action)
			if c.want != (err == nil) {
				t.Errorf("%v", err)
			}
			if denied := (*users.DeniedError)(nil); err != nil && (!errors.As(err, &denied) || denied.What == "") {
				t.Errorf("a refusal that says nothing: %#v", err)
			}
		})
	}
}

// What a right to an action does not say, MayName does not say either.
func TestMayName(t *testing.T) {
	u := one(t, users.Spec{Actions: []string{"Queue*", "agi"}})
	for name, want := range map[string]bool{"QueueStatus": true, "Ping": false, "AGI": true, "": false} {
		if u.MayName(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

func TestSees(t *testing.T) {
	u := one(t, users.Spec{Nodes: []string{"fra-*", "ber-1"}, Events: []string{"Queue*", "Hangup"}})
	for node, want := range map[string]bool{"fra-7": true, "ber-1": true, "ber-2": false} {
		if u.SeesNode(node) != want {
			t.Errorf("node %s: %v", node, !want)
		}
	}
	for event, want := range map[string]bool{"QueueMemberStatus": true, "HANGUP": true, "HangupRequest": false, "Newchannel": false} {
		if u.SeesEvent(event) != want {
			t.Errorf("event %s: %v", event, !want)
		}
	}
	for kind, want := range map[state.Kind]bool{state.KindMember: true, state.KindRecord: true, state.KindChannel: false, state.KindNode: true, "future": false} {
		if u.SeesKind(kind) != want {
			t.Errorf("kind %s: %v", kind, !want)
		}
	}
	if none := one(t, users.Spec{}); none.SeesEvent("Hangup") || !none.SeesNode("any") {
		t.Error("absent events are none, absent nodes are all")
	}
	if r := users.Reader(); !r.SeesEvent("Hangup") || !r.SeesNode("any") || r.MayName("Ping") {
		t.Error("a reader sees everything and does nothing")
	}
}

func TestSecrets(t *testing.T) {
	u := one(t, users.Spec{})
	if !u.HasSecret(password) || u.HasSecret("") || u.HasSecret("Sesame") || u.HasSecret("sesame ") {
		t.Error("HasSecret")
	}
	const key = "58082ff3a74bcd51be4523d995454131" // md5 of 4711 and the password
	for _, c := range []struct {
		challenge, key string
		want           bool
	}{
		{"4711", key, true},
		{"4711", "58082FF3A74BCD51BE4523D995454131", true},
		{"4712", key, false},
		{"4711", "", false},
		{"", "", false},
		{"4711", key + "0", false},
	} {
		if got := u.HasKey(c.challenge, c.key); got != c.want {
			t.Errorf("%q %q: %v", c.challenge, c.key, got)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v", u, u, u); strings.Contains(text, password) {
		t.Errorf("a user prints its secret: %s", text)
	}
}

// Whoever has no secret comes by the bus alone: an empty secret is nobody's.
func TestUserOfTheBus(t *testing.T) {
	list, err := users.Load([]users.Spec{{Name: "crm", NATS: true}, {Name: "erp", NATS: true}}, func(string) (redact.Secret, error) {
		t.Error("a secret is asked for")
		return redact.Secret{}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	u, d := list[0], users.NewDirectory(list)
	if !u.OnBus() || u.HasSecret("") || d.ByToken("") != nil {
		t.Error("an empty secret is the user's")
	}
	if u.HasKey("4711", "b52340b4de4566b804c9880aa0b4af5f") || u.HasKey("", "d41d8cd98f00b204e9800998ecf8427e") { // MD5 of the challenge alone
		t.Error("a challenge alone is an answer to it")
	}
	if one(t, users.Spec{}).OnBus() {
		t.Error("every user is one of the bus")
	}
}

func TestRate(t *testing.T) {
	limited, free := one(t, users.Spec{Rate: 3}), one(t, users.Spec{})
	taken := 0
	for range 100 {
		if limited.Take() {
			taken++
		}
		if !free.Take() {
			t.Fatal("no rate is no limit")
		}
	}
	if taken < 3 || taken > 4 {
		t.Errorf("%d of 100 at once, not 3", taken)
	}
}
