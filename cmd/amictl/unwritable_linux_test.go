package main

import (
	"bytes"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/skip"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A result that cannot be written is 7 whatever ran before it: never 2, which would call it safe to run the test call again.
func TestResultsThatCannotBeWritten(t *testing.T) {
	p := newProcess(t, "Slow")
	p.emit()
	p.lab()
	device, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		skip.Loudly(t, err.Error())
	}
	defer func() { _ = device.Close() }()
	profile := p.file("call.toml", "[call]\nchannel = \"Local/100@default\"\napplication = \"Wait\"\ndata = \"1\"\n")
	for _, args := range []string{
		"check " + profile + " --junit /dev/full",
		"health --out /dev/full", "health -o prometheus --out /dev/full",
		"health --watch --rounds 2 --every 10ms --out /dev/full",
		"bench -q --sim 1 --actions 20 --out /dev/full", "bench -q --sim 1 --actions 20 --html /dev/full",
		"bench report result.json --html /dev/full",
		"tail --count 1 --record /dev/full",
	} {
		c := p.prepare(args)
		_ = c.Run()
		if status := c.ProcessState.ExitCode(); status != fail.ExitLost {
			t.Errorf("amictl %s: %v, %s", args, c.ProcessState, c.stderr.String())
		}
	}
	for _, tt := range append(full, caught{"check", profile + " -o junit", ""}, caught{"health", "-o nagios", ""}, caught{"send", "Ping -o json", ""}, caught{"send", "CoreStatus -o csv --fields node", ""}) {
		args := tt.command + " " + tt.args
		if strings.HasPrefix(args, "tail") || strings.HasPrefix(args, "wait") {
			args += " --count 1"
			args = strings.Replace(args, "wait UserEvent --count 1", "wait UserEvent", 1)
		}
		if strings.HasPrefix(args, "sim ") {
			args += " --until-eof"
		}
		c := p.prepare(args)
		c.Stdout = device
		_ = c.Run()
		want := fail.ExitLost
		if strings.Contains(args, "nagios") {
			want = 3
		}
		if status := c.ProcessState.ExitCode(); status != want {
			t.Errorf("amictl %s, standard output full: %v, %s", args, c.ProcessState, c.stderr.String())
		}
	}
}

// Whatever is refused with 2, nothing has reached a server but logins.
func TestNothingWasSentBefore2(t *testing.T) {
	p := newProcess(t, "Slow")
	var sent atomic.Int64
	for _, name := range []string{"Ping", "Command", "Originate", "ModuleCheck", "QueueStatus", "CoreStatus", "CoreSettings", "CoreShowChannels", "ListCommands"} {
		p.server.HandleClass(name, amitest.ClassNone, func(_ *amitest.Request, w *amitest.ResponseWriter) { sent.Add(1); w.Ack("") })
	}
	long := strings.Repeat("x", 2000)
	config := "context = \"x\"\n[contexts.x]\nuser = \"admin\"\nsecret = \"file:~/secret\"\n[contexts.x.nodes.a]\nurl = \"ami://" + p.server.Addr() + "\"\n"
	p.file(".config/amictl/config.toml", config)
	p.file("longcall.toml", "[[command]]\nrun = \"core show uptime\"\n[call]\nchannel = \"Local/"+long+"\"\napplication = \"Wait\"\n")
	p.file("longcommand.toml", "[call]\nchannel = \"Local/100@default\"\napplication = \"Wait\"\n[[command]]\nrun = \""+long+"\"\n")
	p.file("nul.toml", "modules = [\"a\\u0000b\"]\n")
	p.file("queue.toml", "queues = [\"a\\nb\"]\n")
	p.file("full.jsonl", "something\n")
	for _, args := range []string{
		"send", "send Ping Nonsense", "send Ping A=" + long, "send Ping --query x -o csv", "send - --route nowhere", "send Ping --node b",
		"command", "command --expect ( core show version", "originate --channel Local/100@default",
		"originate --channel " + long + " --application Wait", "originate --channel Local/100@default --application Wait --var x",
		"tail --where ( -- Ping", "tail --require 2 -- Ping", "tail --count x -- Ping", "tail -o json -- Ping", "tail --record full.jsonl -- Ping",
		"tail --record . -- Ping", "tail --append -- Ping", "tail -- Ping A=" + long,
		"wait --until x -- Ping", "wait Hangup --where ( -- Ping", "wait --until a=1 --every x -- Ping",
		"wait Hangup -- Logoff", "wait --until a=1 -- Login", "tail -- Challenge AuthType=MD5", "send Logoff", "wait Hangup -- Ping ActionID=1",
		"health --warn x", "health --crit ping>x", "health --min-ready 2", "health --out nowhere/x", "health -o xml",
		"check longcall.toml", "check longcommand.toml", "check nul.toml", "check queue.toml", "check nofile", "check --junit nowhere/x",
		"bench --node a --rate x", "bench --node a --mix @nofile --actions 1", "bench --node a --out nowhere/x --actions 1", "bench --node a --actions 1 --fail-if x",
	} {
		c := p.prepare(args)
		_ = c.Run()
		if status := c.ProcessState.ExitCode(); status != fail.ExitUsage {
			t.Errorf("amictl %.60s: %v, %s", args, c.ProcessState, c.stderr.String())
		}
		if n := sent.Load(); n > 0 {
			t.Errorf("amictl %.60s: %d actions were sent", args, n)
			sent.Store(0)
		}
	}
}

// A check whose later part comes to nothing does not call its test call safe to repeat.
func TestACheckThatLosesItsServer(t *testing.T) {
	p := newProcess(t, "Slow")
	p.server.Handle("ModuleCheck", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Close() })
	p.file("lost.toml", "modules = [\"a\", \"b\"]\n[call]\nchannel = \"Local/100@default\"\napplication = \"Wait\"\n")
	c := p.prepare("check lost.toml")
	var out bytes.Buffer
	c.Stdout = &out
	_ = c.Run()
	if status := c.ProcessState.ExitCode(); status != fail.ExitLost {
		t.Errorf("%v: %s%s", c.ProcessState, out.String(), c.stderr.String())
	}
}
