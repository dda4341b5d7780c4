package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

func testRedactor(t testing.TB, cfg Config) *Redactor {
	t.Helper()
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// digest looks like an MD5 sum.
const digest = "0123456789abcdef0123456789ABCDEF"

// redactedFields are headers, and what is left of their values.
var redactedFields = []struct{ name, value, want string }{
	// by key
	{"Secret", "x", "[secret]"},
	{"secret", "a b,c=d", "[secret]"},
	{"PASSWORD", "x", "[secret]"},
	{"Passwd", "x", "[secret]"},
	{"MD5Secret", "x", "[secret]"},
	{"md5_cred", "x", "[secret]"},
	{"RemoteSecret", "x", "[secret]"},
	{"AuthPass", "x", "[secret]"},
	{"auth_pass", "x", "[secret]"},
	{"authpass", "x", "[secret]"},
	{"SIPPASS", "x", "[secret]"},
	{"Token", "x", "[secret]"},
	{"AuthToken", "x", "[secret]"},
	{"API-Key", "x", "[secret]"},
	{"Authorization", "Bearer x", "[secret]"},
	{"Variable", "SIPADDHEADER01=Authorization: Basic dXNlcjpwYXNz", "SIPADDHEADER01=Authorization: [secret]"},
	{"AdminPin", "1", "[secret]"},
	{"VM_PIN", "1", "[secret]"},
	{"ExpectedResponse", "x", "[secret]"},
	{"x_customer", "x", "[secret]"},
	{"Secret", "", ""},
	{"Ping", "x", "x"},
	{"SecretExist", "Y", "Y"},
	{"MD5SecretExist", "N", "N"},
	{"password_file", "/etc/x", "/etc/x"},
	{"AuthType", "MD5", "MD5"},
	{"Key", "astdb/key", "astdb/key"},
	{"Key", digest, "[secret]"},
	{"Response", digest, "[secret]"},
	{"Response", "Success", "Success"},
	{"Uniqueid", digest, digest},
	{"Challenge", "123456789", "123456789"},
	{"Bypass", "1", "1"},
	// variables
	{"Variable", "PASSWORD=x", "PASSWORD=[secret]"},
	{"Variable", "a=1,PASS=2", "a=1,PASS=[secret]"},
	{"Variable", "PASS=2,a=1", "PASS=[secret],a=1"},
	{"Variable", `PASS="2,b=3",a=1`, `PASS=[secret],a=1`},
	{"Variable", `PASS=2\,b=3,a=1`, `PASS=[secret],a=1`},
	{"Variable", `PASS=(2,b=3),a=1`, `PASS=[secret],a=1`},
	{"Variable", "PASS=2,3,a=1", "PASS=[secret],a=1"},
	{"Variable", "__SIP_PASS=x y", "__SIP_PASS=[secret]"},
	{"Variable", "HASH(TRUNK_PASSWORD)=x", "HASH(TRUNK_PASSWORD)=[secret]"},
	{"Variable", "a=1,b=2", "a=1,b=2"},
	{"Variable", "PASS=", "PASS="},
	{"ChanVariable", "PASSWORD=a,b=c d", "PASSWORD=[secret]"},
	{"ChanVariable(PJSIP/a-1)", "PASSWORD=a,b=c", "PASSWORD=[secret]"},
	{"DestChanVariable", "PASSWORD=a,b=c", "PASSWORD=[secret]"},
	{"ChanVariable", "a=1", "a=1"},
	{"AppData", "PASSWORD=x", "PASSWORD=[secret]"},
	{"AppData", "A=1,PASSWORD=x y,B=2", "A=1,PASSWORD=[secret],B=2"},
	// configuration and command output
	{"Line-000001-000003", "secret=a,b=c d", "secret=[secret]"},
	{"Line-000001-000003", "host=dynamic", "host=dynamic"},
	{"Line-000001-000004", "register=100:pw/x@sip.example:5060/100", "register=100:[secret]@sip.example:5060/100"},
	{"Line-000000-000000", "register => joe@example.org:p@w:x:joe2@sip.example/1", "register => joe@example.org:[secret]@sip.example/1"},
	{"Line-000000-000000", "register=tls://joe:pw:auth@h:5061", "register=tls://joe:[secret]@h:5061"},
	{"Line-000000-000000", "register=peer?udp://joe@dom:pw@h~300", "register=peer?udp://joe@dom:[secret]@h~300"},
	{"Line-000000-000000", "Register=joe:[key]@h", "Register=joe:[secret]@h"},
	{"Line-000000-000000", "register=joe:mistyped", "register=joe:[secret]"},
	{"Line-000000-000000", "register=joe@h:5656", "register=joe@h:5656"},
	{"Line-000000-000000", "auth=mark:topsecret@digium.com", "auth=mark:[secret]@digium.com"},
	{"Line-000000-000000", "auth = mark#0123abc@digium.com", "auth = mark#[secret]@digium.com"},
	{"Line-000000-000000", "auth=auth100", "auth=auth100"},
	{"Line-000000-000000", "auth=md5,plaintext", "auth=md5,plaintext"},
	{"Line-000000-000000", "agent=1001,4321,Mark Spencer", "agent=1001,[secret],Mark Spencer"},
	{"Line-000000-000000", "agent => 1001,4321", "agent => 1001,[secret]"},
	{"Line-000000-000000", "conf=600,1234,9876", "conf=600,[secret]"},
	{"Line-000000-000000", "conf=600", "conf=600"},
	{"Line-000002-000000", "100=4242,Alice,a@example.org", "100=[secret],Alice,a@example.org"},
	{"Line-000002-000000", "100 => -4242,Alice", "100 => [secret],Alice"},
	{"Line-000002-000000", "exten=100,1,Dial(PJSIP/100)", "exten=100,1,Dial(PJSIP/100)"},
	{"Line-000002-000000", "priv=dundi-local,0,IAX2,dundi:pw/${NUMBER}@192.0.2.1,nounsolicited", "priv=dundi-local,0,IAX2,dundi:[secret]@192.0.2.1,nounsolicited"},
	{"Line-000002-000000", "sippeers=curl,http://u:pw@db/x", "sippeers=curl,http://u:[secret]@db/x"},
	{"Line-000002-000000", "dsn=host=db user=u password=pw dbname=x", "dsn=host=db user=u password=[secret] dbname=x"},
	{"Line-000002-000000", "dsn=Driver=x;UID=u;PWD=pw;Server=h", "dsn=Driver=x;UID=u;PWD=[secret];Server=h"},
	{"JSON", `{"general":["bindport":"5060","register":"joe:pw@h/1"],"peer":["secret":"pw","host":"h"]}`, `{"general":["bindport":"5060","register":"joe:[secret]@h/1"],"peer":["secret":"[secret]","host":"h"]}`},
	{"JSON", `{"general":{"register" : "tcp://joe:p@w:a@h:5061","auth":"joe:pw@realm"}}`, `{"general":{"register" : "tcp://joe:[secret]@h:5061","auth":"joe:[secret]@realm"}}`},
	{"JSON", `{"agents":["agent":"1001,4321,Mark"],"rooms":["conf":"600,1,2"],"default":["100":"4242,Alice","101":"4343"]}`, `{"agents":["agent":"1001,[secret],Mark"],"rooms":["conf":"600,[secret]"],"default":["100":"[secret],Alice","101":"[secret]"]}`},
	{"Message", `said {\"register\":\"joe:pw@h\"}`, `said {\"register\":\"joe:[secret]@h\"}`},
	{"Output", "register => joe:pw@h", "register => joe:[secret]@h"},
	{"Message", "in sip.conf: register=joe:pw@h", "in sip.conf: register=joe:[secret]@h"},
	{"Message", "please register: it is free", "please register: it is free"},
	{"Message", "agent=1001,4321 conf=600,1", "agent=1001,4321 conf=600,1"},
	{"Output", "             secret: <Set>", "             secret: [secret]"},
	{"Output", " password                  : a b, c=d", " password                  : [secret]"},
	{"Output", "  MD5 Secret   : x", "  MD5 Secret   : [secret]"},
	{"Output", "   SIPPASS=foo bar", "   SIPPASS=[secret]"},
	{"Output", "   username: bob", "   username: bob"},
	{"Command", "database put sip/100 password x y", "database put sip/100 password [secret]"},
	{"Command", "dialplan set global TRUNK_PASS x", "dialplan set global TRUNK_PASS [secret]"},
	{"Command", "core show help password", "core show help password"},
	{"Message", "the password is wrong", "the password is wrong"},
	// JSON and URLs
	{"JSON", `{"a":{"secret":"x\"y","port":"5060"}}`, `{"a":{"secret":"[secret]","port":"5060"}}`},
	{"JSON", `{"secret" : ["x","y"],"port":1}`, `{"secret" : [secret],"port":1}`},
	{"JSON", `{"pin":1234,"x":{"pin":5}}`, `{"pin":[secret],"x":{"pin":[secret]`},
	{"x", `{"Variable":"PASSWORD=x","Channel":"y"}`, `{"Variable":"PASSWORD=[secret]","Channel":"y"}`},
	{"x", `"{\"secret\":\"x\",\"a\":\"b\"}"`, `"{\"secret\":\"[secret]\",\"a\":\"b\"}"`},
	{"url", "https://h/?token=abc&x=1", "https://h/?token=[secret]&x=1"},
	{"url", "ami://bob:pw@h:5038", "ami://bob:[secret]@h:5038"},
	{"Channel", "IAX2/bob:pw@h/100", "IAX2/bob:[secret]@h/100"},
	{"Contact", "<sip:bob:pw@h:5060>", "<sip:bob:[secret]@h:5060>"},
	{"Contact", "<sip:bob@h:5060>", "<sip:bob@h:5060>"},
	{"Channel", "Local/100@default", "Local/100@default"},
	// by value
	{"Message", "say correct horse battery!", "say [secret]!"},
	{"Message", "correct horse", "correct horse"},
	{"Cause", "16", "16"}, // "1" is too short to be hidden by value
	{"Url", url.QueryEscape("correct horse battery"), "[secret]"},
	{"Url", url.PathEscape("correct horse battery"), "[secret]"},
	{"Blob", base64.StdEncoding.EncodeToString([]byte("correct horse battery")), "[secret]"},
	{"Secret", "[secret]", "[secret]"},
	{"x", "first\r\nSecret: y\r\n", "first\r\nSecret: [secret]\r\n"},
}

func TestRedactField(t *testing.T) {
	r := testRedactor(t, Config{Keys: []string{"X-Customer"}, Secrets: []Secret{NewSecret("correct horse battery"), NewSecret("1"), NewSecret("    ")}})
	for _, tt := range redactedFields {
		if got := r.Field(tt.name, tt.value); got != tt.want {
			t.Errorf("%s: %s\n gave %s\n want %s", tt.name, tt.value, got, tt.want)
		}
		if got := r.Field(tt.name, r.Field(tt.name, tt.value)); got != tt.want {
			t.Errorf("%s: %s\n again gave %s\n want        %s", tt.name, tt.value, got, tt.want)
		}
	}
}

// A Variable header alone, without the rules for assignments in any text, splits as Asterisk does.
func TestRedactVariables(t *testing.T) {
	r := testRedactor(t, Config{})
	for in, want := range map[string]string{
		`PASS=2\,b=3,a=1`:    `PASS=[secret],a=1`,
		`PASS="2,b=3",a=1`:   `PASS=[secret],a=1`,
		`PASS="2\",b=3",a=1`: `PASS=[secret],a=1`,
		`PASS=[2,b=3],a=1`:   `PASS=[secret],a=1`,
		`PASS=(2,(b)=3),a=1`: `PASS=[secret],a=1`,
		`PASS=2),a=1`:        `PASS=[secret],a=1`,
		`a=1,,PASS=2,3`:      `a=1,,PASS=[secret]`,
		`x,PASS=2`:           `x,PASS=[secret]`,
		`,`:                  `,`,
		`PASS=\`:             `PASS=[secret]`,
	} {
		if got := r.render(in, r.variables(nil, 0, in)); got != want {
			t.Errorf("%s\n gave %s\n want %s", in, got, want)
		}
	}
}

func TestRedactText(t *testing.T) {
	r := testRedactor(t, Config{Secrets: []Secret{NewSecret("hunter2x")}})
	for _, tt := range []struct{ in, want string }{
		{"Action: Login\r\nUsername: bob\r\nSecret: pw\r\n\r\n", "Action: Login\r\nUsername: bob\r\nSecret: [secret]\r\n\r\n"},
		{"Action: Login\r\nAuthType: MD5\r\nKey: short\r\n\r\nAction: DBGet\r\nKey: a\r\n\r\n", "Action: Login\r\nAuthType: MD5\r\nKey: [secret]\r\n\r\nAction: DBGet\r\nKey: a\r\n\r\n"},
		{"Key: short\r\nAction: login\r\n", "Key: [secret]\r\nAction: login\r\n"},
		{"Action: SetVar\nVariable: SIPPASS\nValue: a b\n\nEvent: VarSet\nVariable: X\nValue: 1\n\n", "Action: SetVar\nVariable: SIPPASS\nValue: [secret]\n\nEvent: VarSet\nVariable: X\nValue: 1\n\n"},
		{"Value: a\r\nVariable: PASSWORD\r\n\r\n", "Value: [secret]\r\nVariable: PASSWORD\r\n\r\n"},
		{"Event: DBGetResponse\r\nFamily: sip\r\nKey: 100/secret\r\nVal: x\r\n\r\n", "Event: DBGetResponse\r\nFamily: sip\r\nKey: 100/secret\r\nVal: [secret]\r\n\r\n"},
		{"Var-000000: secret\r\nValue-000000: x\r\nMatch-000000: y\r\n", "Var-000000: secret\r\nValue-000000: [secret]\r\nMatch-000000: [secret]\r\n"},
		{"Var-000000: host\r\nValue-000000: x\r\n", "Var-000000: host\r\nValue-000000: x\r\n"},
		{"Response: Success\r\nMessage: ok\r\nOutput:   secret: pw\r\nOutput:   acl: no\r\n\r\n", "Response: Success\r\nMessage: ok\r\nOutput:   secret: [secret]\r\nOutput:   acl: no\r\n\r\n"},
		{"Response: Follows\r\n  secret : pw\n  acl: no\n--END COMMAND--\r\n\r\n", "Response: Follows\r\n  secret : [secret]\n  acl: no\n--END COMMAND--\r\n\r\n"},
		{"Variable: A=1\r\nVariable: PASS=x,B=2\r\nChanVariable(P/1): pin=3,4\r\n", "Variable: A=1\r\nVariable: PASS=[secret],B=2\r\nChanVariable(P/1): pin=[secret]\r\n"},
		{"ami: login on pbx1: wrong secret: closed", "ami: login on pbx1: wrong secret: closed"},
		{"ami: login failed password=pw x node=pbx1", "ami: login failed password=[secret] node=pbx1"},
		{"PASS=pw:x", "PASS=[secret]"},
		{`level=INFO msg="x" secret="p \" q" node=a`, `level=INFO msg="x" secret="[secret]" node=a`},
		{"x hunter2x y\nz hunter2xhunter2x", "x [secret] y\nz [secret][secret]"},
		{"hunter2x: 5\r\n", "[secret]: 5\r\n"},
		{"", ""},
		{"\r\n\r\n", "\r\n\r\n"},
		{":", ":"},
		{"Secret:", "Secret:"},
		{"Secret:x", "Secret:[secret]"},
		{"=", "="},
		{"Asterisk Call Manager/11.0.0\r\n", "Asterisk Call Manager/11.0.0\r\n"},
	} {
		if got := r.Text(tt.in); got != tt.want {
			t.Errorf("%q\n gave %q\n want %q", tt.in, got, tt.want)
		}
	}
}

func TestRedactKnownSecrets(t *testing.T) {
	r := testRedactor(t, Config{})
	if got := r.Field("x", "abcdef"); got != "abcdef" {
		t.Errorf("gave %q", got)
	}
	r.AddSecret(NewSecret("abcd"))
	r.AddSecret(NewSecret("cdef"))
	r.AddSecret(NewSecret("abcd"))
	r.AddSecret(NewSecret("secret"))
	r.AddSecret(NewSecret("t]ab"))
	r.AddSecret(NewSecret("say \"<ü>\", \\o/"))
	for _, tt := range []struct{ in, want string }{
		{"xabcdx", "x[secret]x"},
		{"xabcdefx", "x[secret]x"}, // both, where they overlap
		{"abcabcd", "abc[secret]"},
		{"ABCD", "ABCD"},
		{"my secret", "my [secret]"},
		{"my [secret]", "my [secret]"},
		{"abcdab", "[secre[secret]"}, // "[secret]ab" would hold t]ab
		{`{"m":"say \"\u003cü\u003e\", \\o/"}`, `{"m":"[secret]"}`},
		{`{"m":"say \"<ü>\", \\o/"}`, `{"m":"[secret]"}`},
		{`say \"<\u00fc>\", \\o/`, `[secret]`},
		{`say \"<ü>\"\, \\o/`, `[secret]`},
	} {
		if got := r.Field("m", tt.in); got != tt.want {
			t.Errorf("%s\n gave %s\n want %s", tt.in, got, tt.want)
		}
	}
	r.known.limit = 100
	for i := range 100 {
		r.known.add(fmt.Sprintf("number %d", i))
	}
	if n := len(r.known.order); n != 100 || len(r.known.needles) > 300 {
		t.Errorf("remembers %d", n)
	}
	if got := r.Field("m", fmt.Sprintf("abcd number %d", 99)); got != "abcd [secret]" {
		t.Errorf("gave %q", got)
	}
}

func TestRedactPatterns(t *testing.T) {
	r := testRedactor(t, Config{Patterns: []string{`\b\d{16}\b`, `(?i)card`}})
	if got, want := r.Text("A: 1234567812345678 x\nB: my Card\n"), "A: [secret] x\nB: my [secret]\n"; got != want {
		t.Errorf("gave %q", got)
	}
	for _, cfg := range []Config{{Patterns: []string{"a", "("}}, {Patterns: []string{"x*"}}, {Keys: []string{"--"}}} {
		if r, err := New(cfg); err == nil || r != nil || !strings.HasPrefix(err.Error(), "ami: redactor: ") {
			t.Errorf("%v: %v, %v", cfg, r, err)
		}
	}
}

type stringer struct{ s string }

func (s stringer) String() string { return s.s }

type panicker struct{}

func (panicker) String() string { panic("hunter2x") }
func (panicker) Error() string  { panic("hunter2x") }

type valuer struct{ v slog.Value }

func (v valuer) LogValue() slog.Value { return v.v }

type login struct {
	User   string
	Secret string
	Next   *login
}

// Whatever a record carries, neither of slog's handlers prints a secret of it, and what is none is printed.
func TestRedactAttr(t *testing.T) {
	r := testRedactor(t, Config{Secrets: []Secret{NewSecret("hunter2x")}})
	loop := map[string]any{}
	loop["next"] = loop
	for name, attr := range map[string]slog.Attr{
		"key":             slog.String("password", "zzz"),
		"key of int":      slog.Int("pin", 777),
		"value":           slog.String("m", "is hunter2x"),
		"group key":       slog.Group("credentials", slog.String("a", "zzz")),
		"nested group":    slog.Group("a", slog.Group("b", slog.String("token", "zzz"), slog.String("ok", "kept"))),
		"map":             slog.Any("f", map[string]string{"Secret": "zzz", "ok": "kept"}),
		"map pair":        slog.Any("f", map[string]string{"Variable": "PASSWORD", "Value": "zzz"}),
		"map key":         slog.Any("f", map[string]string{"hunter2x": "1"}),
		"map of lists":    slog.Any("f", map[string][]string{"Secret": {"zzz"}, "Variable": {"PASS=zzz", "ok=kept"}}),
		"map of any":      slog.Any("f", map[string]any{"a": map[string]any{"Secret": 777}, "l": []any{"hunter2x", "kept"}}),
		"list":            slog.Any("Variable", []string{"PASS=zzz", "a=kept"}),
		"list under key":  slog.Any("passwords", []string{"zzz"}),
		"fields":          slog.Any("f", []wire.Field{{Name: "Secret", Value: "zzz"}, {Name: "ok", Value: "kept"}}),
		"bytes":           slog.Any("f", []byte("Secret: zzz\r\n")),
		"error":           slog.Any("err", fmt.Errorf("x: %w", errors.New("bad hunter2x"))),
		"op error":        slog.Any("err", &wrapped{Op: "login", Node: "kept", Err: errors.New("Secret=zzz")}),
		"stringer":        slog.Any("s", stringer{"hunter2x"}),
		"struct":          slog.Any("s", login{User: "kept", Secret: "zzz"}),
		"pointer":         slog.Any("s", &login{User: "kept", Next: &login{Secret: "zzz"}}),
		"list of structs": slog.Any("s", []login{{Secret: "zzz"}}),
		"number":          slog.Any("s", valuer{slog.StringValue("hunter2x")}),
		"panics":          slog.Any("s", panicker{}),
		"loop":            slog.Any("s", loop),
		"secret":          slog.Any("s", NewSecret("zzz")),
		"raw json":        slog.Any("s", json.RawMessage(`{"secret":"zzz"}`)),
		"packet":          slog.String("wire", "Action: Login\r\nKey: zzz\r\nOk: kept\r\n"),
	} {
		for _, format := range []string{"text", "json"} {
			var out bytes.Buffer
			o := &slog.HandlerOptions{ReplaceAttr: r.Attr}
			var h slog.Handler = slog.NewTextHandler(&out, o)
			if format == "json" {
				h = slog.NewJSONHandler(&out, o)
			}
			rec := slog.NewRecord(time.Time{}, slog.LevelInfo, "msg hunter2x", 0)
			rec.AddAttrs(attr)
			if err := h.WithGroup("g").Handle(t.Context(), rec); err != nil {
				t.Errorf("%s, %s: %v", name, format, err)
			}
			if s := out.String(); strings.Contains(s, "zzz") || strings.Contains(s, "hunter2x") || strings.Contains(s, "777") ||
				strings.Contains(s, base64.StdEncoding.EncodeToString([]byte("Secret: zzz"))) {
				t.Errorf("%s, %s: %s", name, format, s)
			}
		}
	}
	for _, a := range []slog.Attr{
		slog.Group("a", slog.String("token", "zzz"), slog.String("ok", "kept")),
		slog.Group("a", slog.String("Variable", "PASSWORD"), slog.String("Value", "zzz"), slog.String("ok", "kept")),
		slog.Any("f", map[string]string{"Secret": "zzz", "ok": "kept"}),
		slog.Any("Variable", []string{"PASS=zzz", "a=kept"}),
		slog.Any("s", login{User: "kept", Secret: "zzz"}),
	} {
		if s := r.Attr(nil, a).String(); !strings.Contains(s, "kept") || !strings.Contains(s, hidden) || strings.Contains(s, "zzz") {
			t.Errorf("%s became %s", a, s)
		}
	}
}

func TestRedactAttrLeavesTheRest(t *testing.T) {
	r := testRedactor(t, Config{Secrets: []Secret{NewSecret("hunter2x")}})
	err := errors.New("x")
	for _, a := range []slog.Attr{
		slog.String("a", "b"), slog.Int("n", 1), slog.Bool("b", true), slog.Any("err", err), slog.Any("l", login{User: "u"}),
		slog.Any("nil", nil), slog.String("password", ""),
	} {
		if got := r.Attr(nil, a); !got.Equal(a) {
			t.Errorf("%v became %v", a, got)
		}
	}
	in := map[string]string{"Secret": "zzz"}
	r.Attr(nil, slog.Any("m", in))
	if diff := cmp.Diff(map[string]string{"Secret": "zzz"}, in); diff != "" {
		t.Errorf("the caller's map was changed: %s", diff)
	}
}

// Without patterns: a regexp's memory is pooled, and the race detector empties pools at random.
func TestRedactDoesNotAllocate(t *testing.T) {
	r := testRedactor(t, Config{Keys: []string{"mine"}, Secrets: []Secret{NewSecret("hunter2x")}})
	text := "Event: Hangup\r\nPrivilege: call,all\r\nChannel: Local/100@default-0001;1\r\nVariable: a=1,b=2\r\nContact: a@b:5060\r\nx: hunter2y\r\n\r\n"
	if n := testing.AllocsPerRun(100, func() {
		if r.Text(text) != text || r.Field("Variable", "a=1,b=2") != "a=1,b=2" || r.Field("Channel", "PJSIP/100") != "PJSIP/100" {
			t.Fatal("changed")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRedactorIsSafeForConcurrentUse(t *testing.T) {
	r := testRedactor(t, Config{})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 200 {
				s := fmt.Sprintf("secret of %d.%d", i, j)
				r.AddSecret(NewSecret(s))
				if got := r.Text("x " + s + "\n"); strings.Contains(got, s) {
					t.Errorf("%q right after it was added", got)
				}
			}
		})
	}
	wg.Wait()
}

// Hostile text must not take quadratic time: each of these takes minutes if it does.
func TestRedactTextIsLinear(t *testing.T) {
	r := testRedactor(t, Config{Secrets: []Secret{NewSecret("aaaa")}})
	const n = 1 << 19
	for _, s := range []string{"pass=", "pass='", `pass="`, "pass=[", `"pass":"`, "= ", ": ", "pass: x", "://a:", "a", `\"pass\":\"`, "\n", "k:\n"} {
		r.Text(strings.Repeat(s, n/len(s)))
		r.Field("Variable", strings.Repeat(s, n/len(s)))
	}
	r.Text("pass=x" + strings.Repeat(" ", n))
	r.Text(strings.Repeat(" ", n/2) + strings.Repeat("pass: ", n/12))
}

// wrapped is an error with fields and a cause.
type wrapped struct {
	Op, Node string
	Err      error
}

func (w *wrapped) Error() string { return w.Op + " on " + w.Node + ": " + w.Err.Error() }
func (w *wrapped) Unwrap() error { return w.Err }

// What UpdateConfig writes, and GetConfig answers, is hidden in whole packets, too.
func TestRedactSettingsInPackets(t *testing.T) {
	r := testRedactor(t, Config{})
	for in, want := range map[string]string{
		"Action: UpdateConfig\r\nAction-000000: Append\r\nVar-000000: register\r\nValue-000000: joe:pw@h\r\n\r\n":                             "Action: UpdateConfig\r\nAction-000000: Append\r\nVar-000000: register\r\nValue-000000: [secret]\r\n\r\n",
		"Response: Success\r\nCategory-000000: general\r\nLine-000000-000000: register=joe:pw@h\r\nLine-000000-000001: bindport=5060\r\n\r\n": "Response: Success\r\nCategory-000000: general\r\nLine-000000-000000: register=joe:[secret]@h\r\nLine-000000-000001: bindport=5060\r\n\r\n",
		"Response: Success\r\nJSON: {\"general\":[\"register\":\"joe:pw@h\",\"auth\":\"a:b@c\"]}\r\n\r\n":                                     "Response: Success\r\nJSON: {\"general\":[\"register\":\"joe:[secret]@h\",\"auth\":\"a:[secret]@c\"]}\r\n\r\n",
	} {
		if diff := cmp.Diff(want, r.Text(in)); diff != "" {
			t.Error(diff)
		}
	}
}
