package ami_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
)

// A lab is a real Asterisk, described by what `scripts/asterisk-lab env VERSION` prints into the environment.
type lab struct{ version string }

func (l lab) env(name string) string { return os.Getenv("AMICTL_LAB_" + l.version + "_" + name) }

// config reaches the lab as one of its users.
func (l lab) config(user string) ami.Config {
	return ami.Config{
		Name: "lab" + l.version, Addr: l.env("ADDR"), Username: user,
		Secret: ami.StaticSecret(l.env("SECRET_" + strings.ToUpper(user))),
	}
}

// tls is config over TLS, trusting the lab's authority alone.
func (l lab) tls(t *testing.T, user string) ami.Config {
	t.Helper()
	pem, err := os.ReadFile(l.env("CA"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatalf("no certificate in %s", l.env("CA"))
	}
	cfg := l.config(user)
	cfg.Addr, cfg.TLS = l.env("TLS_ADDR"), &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return cfg
}

// script runs scripts/asterisk-lab on this lab and returns what it prints.
func (l lab) script(t *testing.T, command string, args ...string) string {
	t.Helper()
	path := os.Getenv("AMICTL_LAB_SCRIPT")
	if path == "" {
		path = "../../scripts/asterisk-lab"
	}
	out, err := exec.CommandContext(t.Context(), path, append([]string{command, l.version}, args...)...).Output()
	if err != nil {
		t.Fatalf("%s %s %s: %v", path, command, l.version, err)
	}
	return string(out)
}

// eachLab runs f against every real Asterisk that there is. Where there is none the test is skipped, loudly; where
// there must be one (CI, AMICTL_LAB_REQUIRED=1) it fails.
func eachLab(t *testing.T, f func(*testing.T, lab)) {
	t.Helper()
	for _, version := range []string{"22", "16"} {
		t.Run("asterisk "+version, func(t *testing.T) {
			l := lab{version: version}
			if l.env("ADDR") == "" {
				msg := fmt.Sprintf("no real Asterisk %s: eval \"$(scripts/asterisk-lab env %s)\" exports AMICTL_LAB_%s_ADDR", version, version, version)
				if os.Getenv("CI") == "true" || os.Getenv("AMICTL_LAB_REQUIRED") == "1" {
					t.Fatal(msg)
				}
				t.Skip("SKIPPED: " + msg)
			}
			f(t, l)
		})
	}
}

func TestInteropLogin(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) {
		md5 := l.config("md5")
		md5.Auth = ami.AuthMD5
		tlsMD5 := l.tls(t, "md5")
		tlsMD5.Auth = ami.AuthMD5
		for name, cfg := range map[string]ami.Config{"plain": l.config("admin"), "md5": md5, "tls": l.tls(t, "admin"), "md5 over tls": tlsMD5} {
			c, err := ami.Dial(t.Context(), cfg)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if !strings.HasPrefix(c.Banner(), "Asterisk Call Manager/") {
				t.Errorf("%s: banner %q", name, c.Banner())
			}
			if r, err := c.Do(t.Context(), ami.NewAction("Ping")); err != nil || r.Get("Ping") != "Pong" {
				t.Errorf("%s: Ping: %v %v", name, r, err)
			}
			if err := c.Drain(t.Context()); err != nil {
				t.Errorf("%s: Drain: %v", name, err)
			}
		}
		for name, change := range map[string]func(*ami.Config){
			"wrong secret":         func(c *ami.Config) { c.Secret = ami.StaticSecret("wrong") },
			"wrong secret, md5":    func(c *ami.Config) { c.Secret, c.Auth = ami.StaticSecret("wrong"), ami.AuthMD5 },
			"no such user":         func(c *ami.Config) { c.Username = "nobody" },
			"refused by the ACL":   func(c *ami.Config) { *c = l.config("denied") },
			"an empty secret":      func(c *ami.Config) { c.Secret = ami.StaticSecret("") },
			"somebody else's word": func(c *ami.Config) { c.Username = "readonly" },
		} {
			cfg := l.config("admin")
			change(&cfg)
			start := time.Now()
			_, err := ami.Dial(t.Context(), cfg)
			if !errors.Is(err, ami.ErrUnauthorized) || !strings.Contains(fmt.Sprint(err), "Authentication failed") {
				t.Errorf("%s: %v after %v", name, err, time.Since(start))
			}
		}
		cfg := l.tls(t, "admin")
		cfg.Addr = l.env("ADDR")
		_, err := ami.Dial(t.Context(), cfg)
		wantOp(t, err, "tls", ami.ErrTLS)
	})
}

// pipeline sends n Pings through a batch and wants every one of them answered, in order.
func pipeline(t *testing.T, cfg ami.Config, n int) {
	t.Helper()
	cfg.ActionTimeout = 2 * time.Minute
	c := mustDial(t, cfg)
	b := ami.NewBatch(ami.BatchOptions{})
	refused := make(chan error, 1)
	go func() {
		for i := range n {
			if err := c.Submit(t.Context(), ami.NewAction("Ping"), b, uint64(i)); err != nil {
				refused <- err
				return
			}
		}
		refused <- nil
	}()
	for i := range n {
		r, err := b.Next(t.Context())
		if err != nil || r.Err != nil || r.Tag != uint64(i) || r.Reply.Get("Ping") != "Pong" {
			t.Fatalf("of %d Pings number %d: %v %+v", n, i, err, r)
		}
	}
	if err := <-refused; err != nil {
		t.Error(err)
	}
	st := c.Stats()
	exact(t, st)
	if l := st.Ledger; l.Submitted != uint64(n) || l.Replied != uint64(n) || st.Late+st.Duplicate+st.Foreign+st.Unmatched+st.ParseErrors != 0 {
		t.Errorf("ledger %+v, strays %+v", l, st)
	}
	if err := c.Drain(t.Context()); err != nil {
		t.Error(err)
	}
}

// Asterisk stalls on TLS records over 1,024 bytes; all of these must go through.
func TestInteropPipelineOverTLS(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) { pipeline(t, l.tls(t, "admin"), 20_000) })
}

func TestInteropPipeline(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) { pipeline(t, l.config("admin"), 100_000) })
}

// listHeaders are what an action needs to answer with a list, or an error.
var listHeaders = map[string][]string{
	"BridgeInfo":           {"BridgeUniqueid", "none"},
	"ConfbridgeList":       {"Conference", "none"},
	"CoreShowChannelMap":   {"Channel", "none"},
	"DBGet":                {"Family", "interop", "Key", "key"},
	"DBGetTree":            {"Family", "interop"},
	"Hangup":               {"Channel", "/^nothing-is-called-so$/"},
	"MWIGet":               {"Mailbox", "600@default"},
	"PJSIPHangup":          {"Channel", "/^nothing-is-called-so$/"},
	"PJSIPShowEndpoint":    {"Endpoint", "alice"},
	"SIPqualifypeer":       {"Peer", "none"},
	"VoicemailBoxSummary":  {"Context", "default", "Mailbox", "600"},
	"VoicemailUserStatus":  {"Context", "default", "Mailbox", "600"},
	"ShowDialPlan":         {"Context", "default"},
	"PJSIPShowMaintenance": nil,
}

// Every list of the catalogue ends on a real server, by the end event that the catalogue names.
func TestInteropLists(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) {
		c := mustDial(t, l.config("admin"))
		if _, err := c.Do(t.Context(), ami.NewAction("DBPut", "Family", "interop", "Key", "key", "Val", "a: b")); err != nil {
			t.Fatal(err)
		}
		seen, empty, unknown := 0, 0, 0
		for _, a := range ami.Actions() {
			if a.EndEvent == "" || a.Name == "WaitEvent" {
				continue
			}
			action := ami.NewAction(a.Name, listHeaders[a.Name]...)
			action.Timeout = 10 * time.Second
			r, err := c.Do(t.Context(), action)
			var refused *ami.ResponseError
			switch {
			case errors.As(err, &refused) && strings.HasPrefix(refused.Message, "Invalid/unknown command"):
				unknown++
			case errors.As(err, &refused):
				empty++
				t.Logf("%s: %s", a.Name, refused.Message)
			case err != nil:
				t.Errorf("%s: %v", a.Name, err)
			case r.End.Len() == 0:
				empty++
				t.Logf("%s: no list: %q", a.Name, r.Get("Message"))
			default:
				seen++
				if !strings.EqualFold(r.End.Name(), a.EndEvent) {
					t.Errorf("%s ended by %s, the catalogue says %s", a.Name, r.End.Name(), a.EndEvent)
				}
				if n := r.End.Get("ListItems"); n != "" && n != strconv.Itoa(len(r.Events)) {
					t.Logf("%s: ListItems %s, %d came", a.Name, n, len(r.Events))
				}
			}
		}
		if seen < 15 {
			t.Errorf("only %d lists (%d empty, %d unknown to the server)", seen, empty, unknown)
		}
		st := c.Stats()
		exact(t, st)
		if st.Foreign+st.Unmatched+st.Late != 0 || st.Pending != 0 {
			t.Errorf("strays: %+v", st)
		}
		t.Logf("%d lists, %d empty or refused, %d unknown", seen, empty, unknown)
	})
}

func TestInteropListContents(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) {
		c := mustDial(t, l.config("admin"))
		_, err := c.Do(t.Context(), ami.NewAction("DBPut", "Family", "interop", "Key", "key", "Val", "a: b"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Do(t.Context(), ami.NewAction("DBGet", "Family", "interop", "Key", "key"))
		if err != nil || len(r.Events) != 1 || r.Events[0].Get("Val") != "a: b" {
			t.Errorf("DBGet: %v %v", r, err)
		}
		r, err = c.Do(t.Context(), ami.NewAction("IAXpeers"))
		if err != nil || len(r.Events) == 0 || r.End.Get("ListItems") != strconv.Itoa(len(r.Events)) {
			t.Errorf("IAXpeers, whose items have no ActionID: %v %v", r, err)
		}
		r, err = c.Do(t.Context(), ami.NewAction("FAXStats"))
		if err != nil || len(r.Events) != 1 || r.Events[0].Get("CurrentSessions") == "" {
			t.Errorf("FAXStats: %v %v", r, err)
		}
		r, err = c.Do(t.Context(), ami.NewAction("WaitEvent", "Timeout", "1"))
		if err != nil || r.End.Name() != "WaitEventComplete" {
			t.Errorf("WaitEvent: %v %v", r, err)
		}
		_, err = c.Do(t.Context(), ami.NewAction("PJSIPShowEndpoint", "Endpoint", "nosuch"))
		if !errors.As(err, new(*ami.ResponseError)) {
			t.Errorf("PJSIPShowEndpoint of none: %v", err)
		}
		_, err = c.Do(t.Context(), ami.Action{Name: "IAXnetstats", Timeout: time.Second})
		if !errors.Is(err, ami.ErrTimeout) || ami.SentState(err) != ami.SentYes {
			t.Errorf("IAXnetstats answers raw text without an ActionID: %v", err)
		}
		if _, err = c.Do(t.Context(), ami.NewAction("Ping")); err != nil {
			t.Errorf("behind it: %v", err)
		}
	})
}

// Command's output is what the console prints.
func TestInteropCommand(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) {
		c := mustDial(t, l.config("command"))
		for _, command := range []string{
			"core show version", "pjsip show endpoints", "pjsip show aors", "dialplan show default", "manager show users",
			"module show like app_queue", "core show help queue", "database show interop", "core show codecs",
		} {
			r, err := c.Do(t.Context(), ami.NewAction("Command", "Command", command))
			if err != nil {
				t.Errorf("%s: %v", command, err)
				continue
			}
			got := strings.Join(slices.Collect(r.OutputLines()), "\n") + "\n"
			if diff := cmp.Diff(l.script(t, "rx", command), got); diff != "" {
				t.Errorf("%s (-console +Command):\n%s", command, diff)
			}
		}
		r, err := c.Do(t.Context(), ami.NewAction("Command", "Command", "logger rotate"))
		if err != nil || !slices.Equal(slices.Collect(r.OutputLines()), []string{""}) {
			t.Errorf("empty output: %v %v", r, err)
		}
		r, err = c.Do(t.Context(), ami.NewAction("Command", "Command", "no such thing"))
		if !errors.As(err, new(*ami.ResponseError)) || r == nil || !strings.Contains(strings.Join(slices.Collect(r.OutputLines()), ""), "No such command 'no such thing'") {
			t.Errorf("no such command: %v %v", r, err)
		}
	})
}

// originate calls an extension of the lab's dialplan and waits for the outcome.
func originate(t *testing.T, c *ami.Conn, exten string) (*ami.Reply, error) {
	t.Helper()
	a := ami.NewAction("Originate", "Channel", "Local/"+exten+"@default", "Context", "default", "Exten", "201", "Priority", "1", "Timeout", "2000", "Async", "true")
	a.AwaitOriginate, a.Timeout = true, 15*time.Second
	return c.Do(t.Context(), a)
}

func TestInteropOriginate(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) {
		cfg := l.config("admin")
		cfg.Events = "call"
		c := mustDial(t, cfg)
		r, err := originate(t, c, "201")
		if err != nil || r.End.Get("Response") != "Success" || r.End.Get("Reason") != "4" {
			t.Errorf("answered: %v %v", r, err)
		}
		for _, tt := range []struct{ name, exten, reason string }{
			{"busy", "300", "5"}, {"congestion", "301", "8"}, {"no answer", "302", "3"}, {"hung up", "303", "0"}, {"missing", "999", "0"},
		} {
			r, err := originate(t, c, tt.exten)
			var refused *ami.ResponseError
			if r == nil || r.Success() || !errors.As(err, &refused) || refused.Reason != tt.reason {
				t.Errorf("%s: %v %v, want reason %s", tt.name, r, err, tt.reason)
			}
		}
		_, err = c.Do(t.Context(), ami.NewAction("Originate", "Channel", "Local/300@default", "Application", "Wait", "Data", "1"))
		if !errors.As(err, new(*ami.ResponseError)) {
			t.Errorf("a synchronous call to a busy extension: %v", err)
		}
		exact(t, c.Stats())
	})
}

// A user whose read= lacks "call" is told Events: On and never sees OriginateResponse.
func TestInteropOriginateWithoutCallClass(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) {
		cfg := l.config("nocall")
		cfg.Events = "on"
		c := mustDial(t, cfg)
		a := ami.NewAction("Originate", "Channel", "Local/201@default", "Application", "NoOp", "Async", "true")
		a.AwaitOriginate, a.Timeout = true, 3*time.Second
		_, err := c.Do(t.Context(), a)
		if oe := wantOp(t, err, "do", ami.ErrTimeout); oe.Sent != ami.SentYes {
			t.Errorf("sent %v, want yes: the call may have been made", oe.Sent)
		}
		if _, err := c.Do(t.Context(), ami.NewAction("Ping")); err != nil {
			t.Error(err)
		}
	})
}

// nextNamed takes events until one of that name comes.
func nextNamed(t *testing.T, s *ami.Subscription, name string) ami.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	for {
		ev, err := s.Next(ctx)
		if err != nil {
			t.Fatalf("waiting for %s: %v", name, err)
		}
		if ev.Gap == nil && strings.EqualFold(ev.Name(), name) {
			return ev
		}
	}
}

func TestInteropEventsOfACall(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) {
		cfg := l.config("admin")
		cfg.Events = "call"
		c := mustDial(t, cfg)
		sub, err := c.Subscribe(ami.SubscribeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		mark := fmt.Sprintf("interop%d", time.Now().UnixNano())
		r, err := c.Do(t.Context(), ami.NewAction("Originate", "Channel", "Local/201@default", "CallerID", mark+" <1>", "Context", "default", "Exten", "201", "Priority", "1", "Async", "true"))
		if err != nil {
			t.Fatal(err)
		}
		// Asterisk promises no order between OriginateResponse and a channel's own events.
		missing := map[string]bool{"NewCallerid": true, "Newstate": true, "OriginateResponse": true, "Hangup": true}
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		for last := uint64(0); len(missing) > 0; {
			ev, err := sub.Next(ctx)
			if err != nil {
				t.Fatalf("%v; still missing: %v", err, missing)
			}
			if ev.Gap != nil || !strings.Contains(ev.Text(), mark) { // somebody else's call
				continue
			}
			if ev.Get("Privilege") != "call,all" || ev.Seq <= last || ev.Session != r.Session || ev.Received.IsZero() {
				t.Errorf("%s: %+v", ev.Name(), ev)
			}
			last = ev.Seq
			delete(missing, ev.Name())
		}
		if n := c.Stats().ParseErrors; n != 0 {
			t.Errorf("%d parse errors", n)
		}
	})
}

func TestInteropFilters(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) {
		cfg := l.config("admin")
		cfg.Events = "user"
		cfg.Filters = [][]ami.Field{{{Name: "Filter", Value: "UserEvent: InteropWanted"}}}
		c := mustDial(t, cfg)
		sub, err := c.Subscribe(ami.SubscribeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		for _, name := range []string{"InteropUnwanted", "InteropWanted"} {
			if _, err := c.Do(t.Context(), ami.NewAction("UserEvent", "UserEvent", name)); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if ev, err := sub.Next(ctx); err != nil || ev.Get("UserEvent") != "InteropWanted" {
			t.Errorf("first came %v %v", ev, err)
		}
		cfg.Filters = [][]ami.Field{{{Name: "Filter", Value: "["}}} // no regular expression
		if _, err := ami.Dial(t.Context(), cfg); err == nil || !errors.As(err, new(*ami.ResponseError)) {
			t.Errorf("a filter that the server refuses: %v", err)
		} else {
			wantOp(t, err, "setup", nil)
		}
	})
}

// What goes in as headers comes back as an event, byte for byte, in order, whatever it holds.
func TestInteropUserEventRoundTrip(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) {
		cfg := l.config("admin")
		cfg.Events = "user"
		c := mustDial(t, cfg)
		sub, err := c.Subscribe(ami.SubscribeOptions{Events: []string{"UserEvent"}})
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		mark := fmt.Sprintf("Interop%d", time.Now().UnixNano())
		headers := []string{
			"UserEvent", mark, "Empty", "", "Colon", "a: b:c", "Inner", "two  spaces ", "UTF", "ü€😀", "Latin", "\xfc\xff",
			"Twice", "1", "Twice", "2", "Quote", `"\n\"`, "Long", strings.Repeat("x", 1000), "Comma", "a,b=c;d",
		}
		if _, err := c.Do(t.Context(), ami.NewAction("UserEvent", headers...)); err != nil {
			t.Fatal(err)
		}
		var got []string
		for {
			ev := nextNamed(t, sub, "UserEvent")
			if ev.Get("UserEvent") != mark {
				continue
			}
			for name, value := range ev.All() {
				if name != "Event" && name != "Privilege" && name != "ActionID" {
					got = append(got, name, value)
				}
			}
			break
		}
		if diff := cmp.Diff(headers, got); diff != "" {
			t.Errorf("round trip (-sent +came):\n%s", diff)
		}
	})
}

func TestInteropPermissionDenied(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) {
		c := mustDial(t, l.config("readonly"))
		_, err := c.Do(t.Context(), ami.NewAction("Originate", "Channel", "Local/201@default", "Application", "NoOp"))
		var refused *ami.ResponseError
		if !errors.As(err, &refused) || refused.Message != "Permission denied" {
			t.Errorf("%v", err)
		}
		_, err = c.Do(t.Context(), ami.NewAction("NoSuchAction"))
		if !errors.As(err, &refused) || !strings.HasPrefix(refused.Message, "Invalid/unknown command: NoSuchAction") {
			t.Errorf("%v", err)
		}
	})
}

// A server that is killed under load: every action ends once, and the node is ready again when the server is.
func TestInteropKillUnderLoad(t *testing.T) {
	if os.Getenv("AMICTL_LAB_MAY_KILL") != "1" {
		t.Skip("SKIPPED: it kills Asterisk 22; AMICTL_LAB_MAY_KILL=1 allows that (a lab of its own: AMICTL_LAB_DIR, AMICTL_LAB_22_PORT)")
	}
	l := lab{version: "22"}
	if l.env("ADDR") == "" {
		t.Fatal("AMICTL_LAB_MAY_KILL=1 without AMICTL_LAB_22_ADDR")
	}
	cluster := ami.NewCluster(ami.ClusterConfig{})
	defer cluster.Close()
	cfg := l.config("admin")
	cfg.Events, cfg.BackoffMax = "on", time.Second
	n, err := cluster.Add(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	sub, err := cluster.Subscribe(ami.SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	b := ami.NewBatch(ami.BatchOptions{})
	stop, stopped := make(chan struct{}), make(chan uint64)
	go func() { // load, through the death and the new life
		accepted := uint64(0)
		for {
			select {
			case <-stop:
				stopped <- accepted
				return
			default:
			}
			if n.Submit(t.Context(), ami.NewAction("Ping"), b, accepted) == nil {
				accepted++
			} else {
				time.Sleep(time.Millisecond)
			}
		}
	}()
	ended, byKind := uint64(0), map[string]uint64{}
	take := func(r ami.Result) {
		if r.Tag >= 1<<62 {
			t.Error("a tag never given")
		}
		ended++
		switch {
		case r.Err == nil:
			byKind["replied"]++
		case errors.Is(r.Err, ami.ErrDisconnected):
			byKind["disconnected, sent "+ami.SentState(r.Err).String()]++
		default:
			byKind[r.Err.Error()]++
		}
	}
	for ended < 20_000 {
		r, err := b.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		take(r)
	}
	session := n.Stats().Sessions
	l.script(t, "kill")
	l.script(t, "start")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for n.Stats().Sessions == session || !n.Ready() {
		if ctx.Err() != nil {
			t.Fatalf("not ready again: %+v", n.Stats())
		}
		if r, ok := b.Poll(); ok {
			take(r)
		} else {
			time.Sleep(10 * time.Millisecond)
		}
	}
	close(stop)
	accepted := <-stopped
	for ended < accepted {
		r, err := b.Next(ctx)
		if err != nil {
			t.Fatalf("%d of %d accepted actions never ended (%v)", accepted-ended, accepted, byKind)
		}
		take(r)
	}
	if r, ok := b.Poll(); ok {
		t.Errorf("an end too many: %+v", r)
	}
	t.Logf("%d actions: %v", accepted, byKind)
	exact(t, n.Stats())
	if lg := n.Stats().Ledger; lg.Accepted != accepted || lg.DisconnectedMaybe+lg.DisconnectedUnsent == 0 {
		t.Errorf("ledger %+v", lg)
	}
	for { // the subscriber sees the gap in its place
		ev, err := sub.Next(ctx)
		if err != nil {
			t.Fatalf("no gap: %v", err)
		}
		if ev.Gap != nil && ev.Gap.Reason == ami.GapDisconnect {
			break
		}
	}
}
