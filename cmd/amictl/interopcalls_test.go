package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/skip"
)

// dial tells how each call to a real server ended, and calls nobody again by the same journal.
func TestInteropDial(t *testing.T) {
	for _, version := range []string{"22", "16"} {
		t.Run("asterisk "+version, func(t *testing.T) {
			l := realServer(t, version)
			l.write("list.csv", "number,exten\n1,201\n2,300\n3,301\n4,302\n5,nosuch\n6,200\n")
			const args = "dial list.csv -c Local/{exten}@default --application Wait --data 1 --ring 2s --concurrency 3 --out journal.csv -o jsonl"
			stdout, stderr, status := l.run("admin", args)
			got := make(map[string]string)
			for line := range strings.Lines(stdout) {
				got[gjson.Get(line, "number").Str] = gjson.Get(line, "outcome").Str
			}
			want := map[string]string{"1": "answered", "2": "busy", "3": "congestion", "4": "no-answer", "5": "failed", "6": "answered"}
			if diff := cmp.Diff(want, got); diff != "" || status != 0 {
				t.Errorf("status %d (-want +got):\n%s%s", status, diff, stderr)
			}
			stdout, stderr, status = l.run("admin", args)
			if status != 0 || stdout != "" || !strings.Contains(stderr, "6 of them done before") {
				t.Errorf("again: status %d, %s%s", status, stdout, stderr)
			}
		})
	}
}

// drain waits for the end of a real server's call, restarts it, and tells how long each took.
func TestInteropDrain(t *testing.T) {
	if os.Getenv("AMICTL_LAB_MAY_KILL") != "1" {
		skip.Loudly(t, "it restarts Asterisk 22; AMICTL_LAB_MAY_KILL=1 allows that (a lab of its own: AMICTL_LAB_DIR, AMICTL_LAB_22_PORT)")
	}
	l := realServer(t, "22")
	if out, stderr, status := l.run("admin", "originate -c Local/100@default --application Wait --data 600"); status != 0 {
		t.Fatalf("no call: status %d: %s%s", status, out, stderr)
	}
	drain := l.command("admin", "drain --hangup-after 1m -o jsonl --run")
	drain.Args = append(drain.Args, "core restart now")
	var stdout, stderr bytes.Buffer
	drain.Stdout, drain.Stderr = &stdout, &stderr
	if err := drain.Start(); err != nil {
		t.Fatal(err)
	}
	const talk = 2 * time.Second
	time.Sleep(talk) // whatever it does meanwhile, the call is up
	if out, stderr, status := l.run("admin", "send Hangup Channel=/^Local/100@default/"); status != 0 {
		t.Errorf("not hung up: status %d: %s%s", status, out, stderr)
	}
	err := drain.Wait()
	object := gjson.ParseBytes(stdout.Bytes())
	if err != nil || object.Get("calls").Int() < 1 || object.Get("hung_up").Int() != 0 || object.Get("back_us").Int() == 0 {
		t.Errorf("%v: %s%s", err, object, stderr.String())
	}
	if waited := time.Duration(object.Get("drain_us").Int()) * time.Microsecond; waited < talk/2 || waited > time.Minute {
		t.Errorf("it was empty after %v", waited)
	}
	if out, stderr, status := l.run("admin", "wait --until CoreCurrentCalls=0 --every 100ms --timeout 20s --query response -- CoreStatus"); status != 0 {
		t.Errorf("behind the restart: status %d: %s%s", status, out, stderr)
	}
}
