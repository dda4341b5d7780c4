package web

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/internal/skip"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A browser is a headless Chromium with one page, driven over its DevTools protocol.
type browser struct {
	t       *testing.T
	out     *os.File
	session string

	mu      sync.Mutex // guards what follows
	next    int
	answers map[int]chan gjson.Result
	wrong   []string // what the browser complained of
}

// newBrowser starts Chromium. Where there is none the test is skipped.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		skip.Loudly(t, "there is no chromium, which the page is tried in")
	}
	in, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	theirIn, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
		"--remote-debugging-pipe", "--user-data-dir="+profile(t), "about:blank")
	c.ExtraFiles = []*os.File{theirIn, theirOut}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	theirIn.Close()
	theirOut.Close()
	b := &browser{t: t, out: out, answers: make(map[int]chan gjson.Result)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.read(in)
	}()
	t.Cleanup(func() {
		out.Close()
		_ = c.Process.Kill()
		_ = c.Wait()
		<-done
		in.Close()
	})
	target := b.call("", "Target.createTarget", map[string]any{"url": "about:blank"}).Get("targetId").String()
	b.session = b.call("", "Target.attachToTarget", map[string]any{"targetId": target, "flatten": true}).Get("sessionId").String()
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(b.session, domain+".enable", nil)
	}
	return b
}

// profile is a folder for Chromium's files. Its processes write there for a moment after the first of them is gone.
func profile(t *testing.T) string {
	dir, err := os.MkdirTemp("", "chromium")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		var err error
		for range 100 {
			if err = os.RemoveAll(dir); err == nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Error(err)
	})
	return dir
}

func (b *browser) read(in *os.File) {
	lines := bufio.NewReaderSize(in, 1<<20)
	for {
		text, err := lines.ReadString(0)
		if err != nil {
			return
		}
		m := gjson.Parse(strings.TrimSuffix(text, "\x00"))
		b.mu.Lock()
		switch method := m.Get("method").String(); {
		case m.Get("id").Exists():
			if answer := b.answers[int(m.Get("id").Int())]; answer != nil {
				answer <- m
			}
		case method == "Runtime.exceptionThrown", method == "Log.entryAdded" && m.Get("params.entry.level").String() == "error":
			b.wrong = append(b.wrong, m.Get("params").String())
		}
		b.mu.Unlock()
	}
}

func (b *browser) call(session, method string, params any) gjson.Result {
	b.t.Helper()
	b.mu.Lock()
	b.next++
	id, answer := b.next, make(chan gjson.Result, 1)
	b.answers[id] = answer
	b.mu.Unlock()
	m := map[string]any{"id": id, "method": method, "params": params}
	if session != "" {
		m["sessionId"] = session
	}
	if params == nil {
		delete(m, "params")
	}
	text, _ := json.Marshal(m)
	if _, err := b.out.Write(append(text, 0)); err != nil {
		b.t.Fatal(err)
	}
	select {
	case a := <-answer:
		if a.Get("error").Exists() {
			b.t.Fatalf("%s: %s", method, a.Get("error"))
		}
		return a.Get("result")
	case <-time.After(30 * time.Second):
		b.t.Fatalf("%s is not answered", method)
	}
	return gjson.Result{}
}

// page calls a method of the page.
func (b *browser) page(method string, params any) gjson.Result {
	b.t.Helper()
	return b.call(b.session, method, params)
}

// evaluate returns the value of an expression of JavaScript, or what it throws.
func (b *browser) evaluate(expression string) (value, thrown string) {
	b.t.Helper()
	r := b.page("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true})
	return r.Get("result.value").String(), r.Get("exceptionDetails").String()
}

// value is what an expression is that throws nothing.
func (b *browser) value(expression string) string {
	b.t.Helper()
	value, thrown := b.evaluate(expression)
	if thrown != "" {
		b.t.Fatalf("%s: %s", expression, thrown)
	}
	return value
}

// becomes waits until an expression has a value. It may throw before, while the page is not there.
func (b *browser) becomes(expression, want string) {
	b.t.Helper()
	got := ""
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		var thrown string
		if got, thrown = b.evaluate(expression); got == want && thrown == "" {
			return
		}
	}
	b.t.Fatalf("%s is %q, want %q; the page:\n%s\n%v", expression, got, want, b.value("document.body.innerText"), b.wrong)
}

// size sets the window, and the colours that its user prefers.
func (b *browser) size(width, height int, scheme string) {
	b.page("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
	b.page("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}})
}

// shoot keeps a picture of the page where AMICTL_SCREENSHOTS says.
func (b *browser) shoot(name string) {
	dir := os.Getenv("AMICTL_SCREENSHOTS")
	if dir == "" {
		return
	}
	picture, err := base64.StdEncoding.DecodeString(b.page("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true}).Get("data").String())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// number is the expression of one of the board's large numbers.
func number(id string) string { return `document.querySelector("#n-` + id + ` dd").textContent` }

// logIn gives the page a wrong token, and then the right one.
func logIn(t *testing.T, b *browser) {
	t.Helper()
	b.becomes(`document.getElementById("login").hidden`, "false")
	if got := b.value(`document.activeElement.id`); got != "token" {
		t.Errorf("the focus is on %q, not where the token goes", got)
	}
	b.shoot("token")
	b.value(`document.getElementById("token").value = "wrong"; document.querySelector("#login button").click()`)
	b.becomes(`document.getElementById("why").textContent`, "That secret is nobody's, or no longer.")
	b.value(fmt.Sprintf(`document.getElementById("token").value = %q; document.querySelector("#login button").click()`, token("wall")))
	b.becomes(`document.getElementById("link").textContent`, "live")
	b.wrong = nil // the two 401s, which a browser complains of
}

// fitsEveryWindow shows the page on screens of several sizes, light and dark.
func fitsEveryWindow(t *testing.T, b *browser) {
	t.Helper()
	for name, view := range map[string][3]any{"wall-light": {1920, 1080, "light"}, "wall-dark": {1920, 1080, "dark"}, "phone-light": {390, 844, "light"}, "phone-dark": {390, 844, "dark"}, "laptop": {1280, 800, "light"}} {
		b.size(view[0].(int), view[1].(int), view[2].(string))
		if got := b.value(`document.documentElement.scrollWidth <= document.documentElement.clientWidth`); got != "true" {
			t.Errorf("%s: the page is wider than its window", name)
		}
		b.shoot(name)
	}
}

// The board shows what there is, follows it, asks for its token once, and comes back by itself when the daemon does.
func TestPageInChromium(t *testing.T) {
	b := newBrowser(t)
	f := open(t, setup{nodes: 2, server: busy, users: []users.Spec{{Name: "wall", Events: []string{"*"}}}})
	// A listener of its own, so that it can go and come back.
	door := &http.Server{Handler: f.door} //nolint:gosec // the test's own
	front := httptest.NewUnstartedServer(f.door)
	front.Config = door
	front.Start()
	addr := front.Listener.Addr().String()
	defer func() { front.Close() }()
	b.page("Page.addScriptToEvaluateOnNewDocument", map[string]any{"source": `window.violations = []; document.addEventListener("securitypolicyviolation", (e) => violations.push(e.violatedDirective + " " + e.blockedURI));`})
	b.size(1920, 1080, "light")
	b.page("Page.navigate", map[string]any{"url": "http://" + addr + "/"})
	logIn(t, b)

	b.becomes(number("nodes"), "2 / 2")
	b.becomes(number("calls"), "8")
	b.becomes(number("waiting"), "2")
	b.becomes(number("down"), "2")
	b.becomes(`document.querySelectorAll("#s-calls tbody tr").length`, "8")
	b.becomes(`document.querySelector("#s-queues tbody th").textContent`, "supportpbx1")
	fitsEveryWindow(t, b)

	c := f.servers[0].Dial("", amitest.Channel{Name: "PJSIP/frank", CallerIDName: "<b>Frank</b>", CallerIDNum: "30"}) // what comes is live, and never markup
	f.servers[0].Answer(c.Uniqueid)
	b.becomes(number("calls"), "9")
	b.becomes(`[...document.querySelectorAll("#s-calls tbody tr")].filter((r) => r.innerText.includes("<b>Frank</b> 30")).length`, "1")
	f.servers[1].SetDown(true)
	b.becomes(number("nodes"), "1 / 2")
	b.becomes(`document.getElementById("news").textContent`, "pbx2 is away")
	b.shoot("away")

	front.CloseClientConnections()
	front.Close()
	b.becomes(`document.getElementById("link").classList.contains("lost")`, "true")
	f.servers[1].SetDown(false)
	again := httptest.NewUnstartedServer(f.door)
	listenAgain(t, again, addr)
	front = again
	b.becomes(`document.getElementById("link").textContent`, "live")
	b.becomes(number("nodes"), "2 / 2")
	b.page("Page.reload", nil) // the tab knows its token
	b.becomes(`document.getElementById("link").textContent`, "live")

	f.dir.Replace(load(t, []users.Spec{{Name: "wall", Events: []string{"Queue*"}}}))
	b.becomes(`document.getElementById("s-calls").hidden`, "true")
	b.becomes(`document.getElementById("s-queues").hidden`, "false")
	f.dir.Replace(load(t, []users.Spec{{Name: "other"}}))
	b.becomes(`document.getElementById("login").hidden`, "false")
	if got := b.value(`violations.join()`); got != "" {
		t.Errorf("against its policy the page did: %s", got)
	}
	for _, w := range b.wrong {
		if strings.Contains(w, "exceptionDetails") || strings.Contains(w, "Content Security Policy") {
			t.Errorf("the browser says: %s", w)
		}
	}
}

// listenAgain starts a server where another one was.
func listenAgain(t *testing.T, s *httptest.Server, addr string) {
	t.Helper()
	s.Listener.Close()
	var err error
	for range 100 {
		if s.Listener, err = net.Listen("tcp", addr); err == nil {
			s.Start()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal(err)
}
