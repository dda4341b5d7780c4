package ami_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

func TestLoginMethods(t *testing.T) {
	for _, tt := range []struct {
		name string
		auth ami.AuthMethod
	}{{"auto", ami.AuthAuto}, {"md5", ami.AuthMD5}, {"plain", ami.AuthPlain}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, s, cfg := simulate(t)
				cfg.Auth = tt.auth
				mustDial(t, cfg)
				synctest.Wait()
				if l := s.Ledger(); l.Logins != 1 || l.ErrorsSent != 0 {
					t.Errorf("the server counted %+v", l)
				}
			})
		})
	}
}

// loginHeaders returns what a client sends until it is logged in.
func loginHeaders(t *testing.T, l net.Listener, cfg ami.Config) []map[string]string {
	t.Helper()
	var mu sync.Mutex
	var got []map[string]string
	serveScript(t, l, func(p *peer) {
		p.send("Asterisk Call Manager/11.0.0\n")
		for {
			a, ok := p.action()
			if !ok {
				return
			}
			mu.Lock()
			got = append(got, a)
			mu.Unlock()
			p.send("Response: Success\nActionID: %s\nChallenge: 42\n\n", a["ActionID"])
		}
	})
	c := mustDial(t, cfg)
	_ = c.Close()
	mu.Lock()
	defer mu.Unlock()
	return got
}

// Whether the secret itself goes over the wire: only over loopback or if asked.
func TestLoginSendsTheSecretOnlyWhereItMay(t *testing.T) {
	const key = "d1afeb36ba90aea40da8c47da3591a11" // md5("42" + "secret")
	for _, tt := range []struct {
		name     string
		loopback bool
		auth     ami.AuthMethod
		plain    bool
	}{
		{"auto over loopback", true, ami.AuthAuto, true},
		{"auto elsewhere", false, ami.AuthAuto, false},
		{"md5 over loopback", true, ami.AuthMD5, false},
		{"md5 elsewhere", false, ami.AuthMD5, false},
		{"plain over loopback", true, ami.AuthPlain, true},
		{"plain elsewhere", false, ami.AuthPlain, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := ami.Config{Username: "joe", Secret: ami.StaticSecret("secret"), Auth: tt.auth, Events: "call,user"}
			var l net.Listener
			var err error
			if tt.loopback {
				l, err = net.Listen("tcp", "127.0.0.1:0")
			} else {
				n := amitest.NewNetwork()
				l, err = n.Listen("elsewhere:5038")
				cfg.Dial = n.DialContext
			}
			if err != nil {
				t.Fatal(err)
			}
			cfg.Addr = l.Addr().String()
			got := loginHeaders(t, l, cfg)
			last := got[len(got)-1]
			if last["Action"] != "Login" || last["Username"] != "joe" || last["Events"] != "call,user" || last["ActionID"] == "" {
				t.Errorf("Login was %v", last)
			}
			_, plain := last["Secret"]
			if plain != tt.plain {
				t.Errorf("the secret was sent: %v, want %v", plain, tt.plain)
			}
			if !tt.plain {
				if got[0]["Action"] != "Challenge" || got[0]["AuthType"] != "MD5" || last["AuthType"] != "MD5" || last["Key"] != key {
					t.Errorf("no MD5 login: %v", got)
				}
			}
		})
	}
}

func TestLoginRefused(t *testing.T) {
	for _, auth := range []ami.AuthMethod{ami.AuthPlain, ami.AuthMD5} {
		synctest.Test(t, func(t *testing.T) {
			_, s, cfg := simulate(t)
			cfg.Secret, cfg.Auth = ami.StaticSecret("not-the-word"), auth
			start := time.Now()
			_, err := ami.Dial(t.Context(), cfg)
			wantOp(t, err, "login", ami.ErrUnauthorized)
			if !strings.Contains(err.Error(), "Authentication failed") {
				t.Errorf("error %q does not say the server's words", err)
			}
			if strings.Contains(err.Error(), "not-the-word") {
				t.Errorf("error %q shows the secret", err)
			}
			if d := time.Since(start); d < time.Second || d > 2*time.Second {
				t.Errorf("it took %v, the server punishes by 1 s", d)
			}
			if ami.Retryable(err, "Ping") {
				t.Error("a refused login counts as retryable")
			}
			synctest.Wait()
			if l := s.Ledger(); l.Accepted != 1 || l.LoginsRefused != 1 || l.Sessions != 0 {
				t.Errorf("the server counted %+v: one attempt and no more", l)
			}
		})
	}
}

func TestRefusedChallengeNeverFallsBackToPlain(t *testing.T) {
	for _, auth := range []ami.AuthMethod{ami.AuthAuto, ami.AuthMD5} {
		synctest.Test(t, func(t *testing.T) {
			var actions []string
			_, cfg := scripted(t, func(p *peer) {
				p.send("Asterisk Call Manager/11.0.0\n")
				for {
					a, ok := p.action()
					if !ok {
						return
					}
					actions = append(actions, a["Action"])
					p.send("Response: Error\nActionID: %s\nMessage: Must specify AuthType\n\n", a["ActionID"])
				}
			})
			cfg.Auth = auth
			_, err := ami.Dial(t.Context(), cfg)
			wantOp(t, err, "login", ami.ErrUnauthorized)
			synctest.Wait()
			if len(actions) != 1 || actions[0] != "Challenge" {
				t.Errorf("the client sent %v, want a Challenge and nothing behind it", actions)
			}
		})
	}
}

func sendBanner(p *peer) { p.send("Asterisk Call Manager/11.0.0\n") }

// loginEndings are servers that let nobody in, and how the attempt ends.
var loginEndings = []struct {
	name   string
	script func(*peer)
	op     ami.Op
	cause  error
	says   string
	after  time.Duration // exactly
}{
	{"closed before the banner", func(*peer) {}, "banner", ami.ErrDisconnected, "", 0},
	{"closed inside the banner", func(p *peer) { p.send("Asterisk Call M") }, "banner", ami.ErrDisconnected, "", 0},
	{"silent", (*peer).drain, "banner", ami.ErrTimeout, "another protocol", ami.DefaultLoginTimeout},
	{"drips its banner", func(p *peer) {
		for _, c := range "Asterisk Call Manager/11.0.0\r\n" {
			p.send("%c", c)
			time.Sleep(time.Second)
		}
	}, "banner", ami.ErrTimeout, "", ami.DefaultLoginTimeout},
	{"closed behind the banner", sendBanner, "login", ami.ErrDisconnected, "", 0},
	{"login never answered", func(p *peer) { sendBanner(p); p.drain() }, "login", ami.ErrTimeout, "", ami.DefaultLoginTimeout},
	{"HTTP that speaks first", func(p *peer) { p.send("HTTP/1.1 400 Bad Request\nConnection: close\n\n"); p.drain() }, "banner", ami.ErrProtocol, "HTTP/1.1 400 Bad Request", 0},
	{"SSH", func(p *peer) { p.send("SSH-2.0-OpenSSH_9.6\n"); p.drain() }, "banner", ami.ErrProtocol, "SSH-2.0-OpenSSH_9.6", 0},
	{"SMTP", func(p *peer) { p.send("220 mail ESMTP\n"); p.drain() }, "banner", ami.ErrProtocol, "220 mail", 0},
	{"a TLS alert", func(p *peer) { _, _ = p.Write([]byte{21, 3, 1, 0, 2, 2, 70}); p.drain() }, "banner", ami.ErrProtocol, "", 0},
	{"shutting down", func(p *peer) {
		sendBanner(p)
		a, _ := p.action()
		p.send("Response: Error\nActionID: %s\nMessage: Asterisk is shutting down\n\n", a["ActionID"])
		p.drain()
	}, "login", ami.ErrStopping, "shutting down", 0},
	{"a stopping server's Challenge", func(p *peer) {
		sendBanner(p)
		for {
			a, ok := p.action()
			if !ok {
				return
			}
			p.send("Response: Error\nActionID: %s\nMessage: Asterisk is shutting down\n\n", a["ActionID"])
		}
	}, "login", ami.ErrStopping, "shutting down", 0},
	{"one session a user", func(p *peer) {
		sendBanner(p)
		a, _ := p.action()
		p.send("Response: Error\nActionID: %s\nMessage: Login Already In Use\n\n", a["ActionID"])
	}, "login", ami.ErrUnauthorized, "allowmultiplelogin=no", 0},
	{"closed before the banner", func(*peer) {}, "banner", ami.ErrDisconnected, "authlimit", 0},
	{"the Login is answered for somebody else", func(p *peer) {
		sendBanner(p)
		p.send("Response: Success\nActionID: 1-000000000000000000-login\n\n")
		p.drain()
	}, "login", ami.ErrTimeout, "", ami.DefaultLoginTimeout},
}

func TestLoginEndings(t *testing.T) {
	for _, tt := range loginEndings {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, cfg := scripted(t, tt.script)
				start := time.Now()
				_, err := ami.Dial(t.Context(), cfg)
				wantOp(t, err, tt.op, tt.cause)
				if !strings.Contains(err.Error(), tt.says) {
					t.Errorf("error %q does not say %q", err, tt.says)
				}
				if d := time.Since(start); d != tt.after {
					t.Errorf("it took %v, want %v", d, tt.after)
				}
				if tt.cause == ami.ErrProtocol && !errors.As(err, new(*wire.BannerError)) {
					t.Errorf("error %v has no *wire.BannerError", err)
				}
			})
		})
	}
}

func TestAuthLimitClosesBeforeTheBanner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, cfg := simulate(t, amitest.WithSettings(amitest.Settings{AuthLimit: -1}))
		_, err := ami.Dial(t.Context(), cfg)
		wantOp(t, err, "banner", ami.ErrDisconnected)
		synctest.Wait()
		if l := s.Ledger(); l.AuthLimited != 1 {
			t.Errorf("the server counted %+v", l)
		}
	})
}

func TestDialEndings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _, cfg := simulate(t)
		_, _ = n.Listen("cutoff:1")
		n.Partition("cutoff")
		for _, tt := range []struct {
			name, addr string
			after      time.Duration
		}{
			{"refused", "pbx:1", 0},
			{"unknown name", "nowhere:5038", 0},
			{"black hole", "cutoff:1", ami.DefaultDialTimeout},
		} {
			cfg.Addr = tt.addr
			start := time.Now()
			_, err := ami.Dial(t.Context(), cfg)
			wantOp(t, err, "dial", nil)
			if d := time.Since(start); d != tt.after {
				t.Errorf("%s: took %v, want %v", tt.name, d, tt.after)
			}
			if !ami.Retryable(err, "Originate") {
				t.Errorf("%s: nothing was sent, so it may be retried", tt.name)
			}
		}
	})
}

func TestLoginCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := scripted(t, func(p *peer) { p.send("Asterisk Call Manager/11.0.0\n"); p.drain() })
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		start := time.Now()
		_, err := ami.Dial(ctx, cfg)
		wantOp(t, err, "login", ami.ErrCancelled)
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("took %v to notice a cancel at 3s", d)
		}
	})
}

func TestSecretProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, cfg := simulate(t)
		asked, word := 0, "first"
		cfg.Secret = func(context.Context) (ami.Secret, error) {
			asked++
			return ami.NewSecret(word), nil
		}
		s.SetUser(amitest.User{Name: "admin", Secret: "first", Read: amitest.ClassAll, Write: amitest.ClassAll})
		mustDial(t, cfg)
		s.SetUser(amitest.User{Name: "admin", Secret: "second", Read: amitest.ClassAll, Write: amitest.ClassAll})
		word = "second"
		mustDial(t, cfg)
		if asked != 2 {
			t.Errorf("the provider was asked %d times for 2 logins", asked)
		}
		broken := errors.New("vault sealed")
		cfg.Secret = func(context.Context) (ami.Secret, error) { return ami.Secret{}, broken }
		_, err := ami.Dial(t.Context(), cfg)
		wantOp(t, err, "login", broken)
		for _, bad := range []string{"with\nnewline", "with\rreturn", "with\x00nul", strings.Repeat("s", 1022)} {
			cfg.Secret, cfg.Auth = ami.StaticSecret(bad), ami.AuthPlain
			_, err := ami.Dial(t.Context(), cfg)
			if err == nil || !errors.As(err, new(*wire.FieldError)) || strings.Contains(err.Error(), bad) {
				t.Errorf("a secret that cannot be sent: %v", err)
			}
		}
	})
}

// What arrives with the login's answer in one segment must not be lost.
func TestEventsBehindTheLoginAnswerAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := scripted(t, func(p *peer) {
			p.send("Asterisk Call Manager/11.0.0\n")
			a, _ := p.action()
			p.send("Response: Success\nActionID: %s\nMessage: Authentication accepted\n\nEvent: FullyBooted\nPrivilege: system,all\nStatus: Fully Booted\n\nEvent: First\nPrivilege: call,all\n\n", a["ActionID"])
			p.drain()
		})
		cfg.Auth, cfg.Name = ami.AuthPlain, "fake"
		cluster := ami.NewCluster(ami.ClusterConfig{})
		defer cluster.Close()
		sub, err := cluster.Subscribe(ami.SubscribeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cluster.Add(cfg); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"FullyBooted", "First"} {
			ev, err := sub.Next(t.Context())
			if err != nil || ev.Name() != want {
				t.Fatalf("got %v %v, want %s", ev, err, want)
			}
		}
	})
}

// A secret's provider is bounded by the login's deadline.
func TestSecretThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, cfg := simulate(t)
		cfg.Secret = func(ctx context.Context) (ami.Secret, error) {
			<-ctx.Done() // a vault that does not answer
			return ami.Secret{}, ctx.Err()
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		end := make(chan error, 1)
		go func() {
			_, err := ami.Dial(ctx, cfg)
			end <- err
		}()
		select {
		case err := <-end:
			t.Log(err)
		case <-time.After(24 * time.Hour):
			t.Error("Dial waits for the secret for a day: LoginTimeout is 10 s, DialTimeout 5 s")
			cancel()
			<-end
		}
	})
}

// A countedConn is one of those that are open.
type countedConn struct {
	net.Conn
	open *atomic.Int64
	once sync.Once
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}

// A callback that panics costs its dial: the connection is closed, and the error does not tell what may be a secret.
func TestPanicsOfADial(t *testing.T) {
	for _, tt := range []struct {
		name  string
		set   func(cfg *ami.Config)
		wants string
	}{
		{"Secret", func(cfg *ami.Config) { cfg.Secret = func(context.Context) (ami.Secret, error) { panic("hunter2") } }, "panicked with a string"},
		{"Wrap", func(cfg *ami.Config) { cfg.Wrap = func(net.Conn) net.Conn { panic(errors.New("hunter2")) } }, "panicked with a *errors"},
		{"Wrap, of the runtime", func(cfg *ami.Config) {
			cfg.Wrap = func(net.Conn) net.Conn { var none []net.Conn; return none[len(cfg.Name)] }
		}, "index out of range"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, _, cfg := simulate(t)
				var open atomic.Int64
				cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
					c, err := n.DialContext(ctx, network, addr)
					if err == nil {
						open.Add(1)
						c = &countedConn{Conn: c, open: &open}
					}
					return c, err
				}
				tt.set(&cfg)
				cluster := ami.NewCluster(ami.ClusterConfig{})
				defer cluster.Close()
				node, err := cluster.Add(cfg)
				if err != nil {
					t.Fatal(err)
				}
				err = node.Connect(t.Context())
				if err == nil || !strings.Contains(err.Error(), tt.wants) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("error %v, want one that has %q", err, tt.wants)
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				if open.Load() != 0 {
					t.Errorf("%d connections are open after %d dials", open.Load(), node.Stats().Dials)
				}
			})
		})
	}
}

// The error of a secret's provider names it.
func TestErrorOfASecretThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, cfg := simulate(t)
		cfg.Secret = func(ctx context.Context) (ami.Secret, error) {
			<-ctx.Done()
			return ami.Secret{}, ctx.Err()
		}
		_, err := ami.Dial(t.Context(), cfg)
		t.Log(err)
		if err == nil || err.Error() == "ami: login on "+cfg.Addr+": timed out: the login was not answered" {
			t.Errorf("a vault that hangs is told as %q, but no login was sent", err)
		}
	})
}
