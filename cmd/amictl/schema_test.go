package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/schema"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// schemaRuns print every kind of object: the schema of those without a type of their own, and a line of bash that runs
// against two simulated servers.
var schemaRuns = []struct{ schema, line string }{
	{"", `amictl send CoreStatus --all`},
	{"", `amictl send QueueStatus -n pbx1`},
	{"", `amictl send QueueStatus -n pbx1 --items`},
	{"", `amictl send DBGet Family=none Key=none --all`},                                                    // error, twice
	{"", `printf '{"action":"Ping","id":"x"}\n{"action":"No"}\nno\n' | amictl send - --keep-going -n pbx1`}, // reply, errors
	{"", `printf '{"action":"QueueStatus","node":"pbx2"}\n' | amictl send - `},
	{"", `amictl command -o jsonl core show channels --all`},
	{"", `amictl command -o jsonl no such -n pbx1`},
	{"", `amictl originate --channel Local/100@default --exten 200 -n pbx1`},
	{"", `amictl originate --channel Local/300@default --exten 200 -n pbx1`},
	{"", `amictl originate --channel Local/100@default --exten 200 --all --async`},
	{"", `amictl originate --channel Local/100@default --exten 200 -n pbx1 --wait hangup`},
	{"", `amictl send Ping --all --dry-run -o jsonl`},
	{"", `printf '{"action":"Ping","node":"pbx1"}\n' | amictl send - --dry-run -o jsonl`},
	{"", `amictl context check`},
	{"", `AMICTL_TIMEOUT=1s amictl --config <(printf '[contexts.c.nodes.x]\nurl="ami://127.0.0.1:1"\nuser="u"\nsecret="env:HOME"\n') context check c`},
	{"", `amictl actions --live -n pbx1`},
	{"action", `amictl -o jsonl actions Originate`},
	{"", `amictl tail UserEvent --count 1 -n pbx1 -- UserEvent UserEvent=A X=1`},
	{"", `amictl wait UserEvent -n pbx1 -- UserEvent UserEvent=B`},
	{"", `amictl tail --stats --for 300ms --all -- UserEvent UserEvent=C`},
	{"", `printf 'Event: A\r\nX: 1\r\nX: \xff\r\nfree text\r\n\r\n' | amictl tail --from -`},
	{"", `printf '%s\n' '{"type":"gap","node":"pbx1","time":"2026-11-23T12:00:00.123456Z","ts":1795435200.123456,"reason":"overflow","dropped":3}' | amictl tail --from -`},
	{"", `printf 'Event: Newchannel\r\nPrivilege: call,all\r\nTimestamp: 1795435200.0\r\nChannel: PJSIP/a-1\r\nChannelState: 4\r\nUniqueid: 1\r\n\r\nEvent: Hangup\r\nPrivilege: call,all\r\nUniqueid: 1\r\nCause: 17\r\n\r\n' | amictl calls --from -`},
	{"", `printf 'Event: QueueCallerJoin\r\nPrivilege: agent,all\r\nQueue: q\r\nUniqueid: 1\r\n\r\nEvent: AgentConnect\r\nPrivilege: agent,all\r\nQueue: q\r\nUniqueid: 1\r\nInterface: a\r\n\r\n' | amictl state queues --stats --from -`},
	{"", `amictl health`},
	{"", `AMICTL_NODE=ami://admin@127.0.0.1:1 amictl health; printf 'pbx1\nami://127.0.0.1:1\n' | AMICTL_NODE= amictl --secret-file <(echo secret) health -n @-`},
	{"", `amictl health --warn 'ping>1ns'; amictl health --crit 'uptime<1h'; amictl health --watch --rounds 2 --every 10ms -o jsonl`},
	{"", `printf 'number\n100\n300\n' | amictl dial - -n pbx1 --channel 'Local/{number}@default' --application Wait --data 0.1`},
	{"", `amictl drain -n pbx2 --hangup-after 1ms --run 'core show uptime'; amictl drain -n pbx2 --hangup-after 1ms --run 'core restart now'`},
	{"", `amictl check; printf 'modules = ["nosuch"]\nqueues = ["support"]\n' > p.toml; amictl check p.toml`},
	{"", `amictl tail --for 100ms --stats -n pbx1; amictl wait --ready -o jsonl; amictl wait --until 'CoreCurrentCalls<9' --every 1s -n pbx1 -- CoreStatus`},
	{"", `amictl version`},
	{"", `cat "$AMICTL_SIM"`},
	{"", `printf 'on pbx1 ledger\nkick\nnonsense\nstop\n' | amictl sim`},
	{"", `amictl bench --sim 1 --duration 300ms -o jsonl`},
	{"bench-file", `amictl bench --sim 1 --duration 300ms --out r.json -o none -q; amictl bench report r.json -o json`},
	{"", `amictl bench report r.json -o jsonl; amictl bench compare r.json r.json --fail-if 'p99>+1000%' -o jsonl`},
	{"action", `amictl actions`},
	{"event-name", `amictl events 'Q*'; amictl events 'M*'`},
	{"schema-name", `amictl schema`},
	{"context", `amictl context list`},
	{"context-node", `amictl context show`},
	{"setting", `amictl config explain`},
	{"", `amictl sim check "$SCENARIO"`},
}

// typeSchemas are the schemas of objects whose type is not the schema's name.
var typeSchemas = map[string]string{"result": "bench-result", "interval": "bench-interval", "comparison": "bench-comparison"}

// Whatever the subcommands really print is as the schemas say, key by key, and every schema is of something printed.
func TestSchemas(t *testing.T) {
	script := "cd \"$SCRATCH\"\n"
	for i, r := range schemaRuns {
		script += fmt.Sprintf("echo '@@ %d'\n%s\n", i, r.line)
	}
	seen := make(map[string]bool)
	var run int
	var document strings.Builder
	for line := range strings.Lines(underSim(t, []string{"--nodes", "2"}, script)) {
		if n, err := fmt.Sscanf(line, "@@ %d\n", &run); n == 1 && err == nil {
			continue
		}
		if name := schemaRuns[run].schema; name == "bench-file" { // a document, not a line
			if document.WriteString(line); line == "}\n" {
				holdToSchema(t, "bench-file", document.String(), schemaRuns[run].line)
				seen[name] = true
			}
			continue
		}
		name := schemaRuns[run].schema
		if name == "" {
			var head struct{ Type string }
			if err := json.Unmarshal([]byte(line), &head); err != nil {
				t.Errorf("%s printed %q: %v", schemaRuns[run].line, line, err)
				continue
			}
			name = head.Type
			if other := typeSchemas[name]; other != "" {
				name = other
			} else if name == "error" && strings.Contains(schemaRuns[run].line, "amictl sim") {
				name = "control"
			}
		}
		if schema.Schemas()[name] == nil {
			t.Errorf("%s printed an object of type %q, and there is no schema of it: %s", schemaRuns[run].line, name, line)
			continue
		}
		seen[name] = true
		holdToSchema(t, name, line, schemaRuns[run].line)
	}
	holdToSchema(t, "packet", packetObject(t), "tail --packets") // no simulated server sends such text by itself
	seen["packet"] = true
	for line := range strings.Lines(stateObjects(t)) {
		name := gjson.Get(line, "type").String()
		holdToSchema(t, name, line, "state --follow")
		seen[name] = true
	}
	for _, name := range schema.Names() {
		if !seen[name] && !strings.HasPrefix(name, "bus-") { // which amictld prints: see internal/cli/bus
			t.Errorf("nothing was printed that the schema %s is of", name)
		}
	}
}

// stateObjects are what `state` and `state --follow` print of a server that has something of each part.
func stateObjects(t *testing.T) string {
	t.Helper()
	srv := newPBX(t)
	dialplan(srv)
	busy(srv)
	_, held, _ := runApp(t, srv, strings.NewReader(""), "state", "-o", "jsonl")
	_, followed, _ := runApp(t, srv, strings.NewReader(""), "state", "--follow", "--for", "300ms", "-o", "jsonl")
	return held + followed
}

// packetObject is what `tail --packets` prints of a server that sends text.
func packetObject(t *testing.T) string {
	t.Helper()
	srv := newPBX(t)
	srv.Handle("Babble", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Raw("text: \xff\r\n\r\n"); w.Ack("") })
	_, stdout, _ := runApp(t, srv, strings.NewReader(""), "tail", "--for", "1s", "-o", "jsonl", "--packets", "NoSuchEvent", "--", "Babble")
	for line := range strings.Lines(stdout) {
		if strings.HasPrefix(line, `{"type":"packet"`) {
			return line
		}
	}
	t.Fatalf("no packet in %s", stdout)
	return ""
}

// Every type that the sources write has a schema.
func TestTypesHaveSchemas(t *testing.T) {
	written := regexp.MustCompile(`Key: "type", Value: "([a-z-]+)"|writeLine\([A-Za-z.]+, "([a-z-]+)"`)
	found := 0
	err := filepath.WalkDir("../../internal", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, ".go") {
			return err
		}
		text, err := os.ReadFile(name)
		for _, m := range written.FindAllStringSubmatch(string(text), -1) {
			typ := m[1] + m[2]
			if other := typeSchemas[typ]; other != "" {
				typ = other
			}
			if found++; schema.Schemas()[typ] == nil {
				t.Errorf("%s writes objects of type %s, which have no schema", name, typ)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 10 {
		t.Errorf("only %d types were found", found)
	}
}

// underSim runs a script in bash against simulated servers and returns its standard output.
func underSim(t *testing.T, flags []string, script string) string {
	t.Helper()
	bash := needs(t, "bash")
	scenario, err := filepath.Abs("../../testdata/scenarios/flood-20000.toml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c := exec.CommandContext(t.Context(), "amictl", slices.Concat([]string{"sim"}, flags, []string{"--", bash, "-c", script})...) //nolint:gosec // the test's own
	c.Env = append(os.Environ(), "SCRATCH="+dir, "HOME="+dir, "SCENARIO="+scenario, "TERM=dumb")
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); err != nil {
		t.Logf("the script ended with %v", err)
	}
	if testing.Verbose() {
		t.Logf("%s", stderr.String())
	}
	return stdout.String()
}

func holdToSchema(t *testing.T, name, text, from string) {
	t.Helper()
	var s map[string]any
	if err := json.Unmarshal(schema.Document(name), &s); err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Errorf("%s printed %q: %v", from, text, err)
		return
	}
	for _, wrong := range validate(s, v, name) {
		t.Errorf("%s: %s\nin %s", from, wrong, strings.TrimSpace(text))
	}
}

// validate holds a value against a schema, in the part of JSON Schema that schema.go writes. It is stricter in one
// point: a key that the schema does not name is wrong.
func validate(s map[string]any, v any, at string) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, at+": "+fmt.Sprintf(format, args...)) }
	if c, ok := s["const"]; ok && c != v {
		say("%v is not %v", v, c)
	}
	if words, ok := s["enum"].([]any); ok && !slices.Contains(words, v) {
		say("%v is none of %v", v, words)
	}
	if typ, ok := s["type"].(string); ok && !isType(typ, v) {
		say("%v is no %s", v, typ)
		return wrong
	}
	switch v := v.(type) {
	case string:
		if p, ok := s["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(v) {
			say("%q is not as %s", v, p)
		}
	case float64:
		if low, ok := s["minimum"].(float64); ok && v < low {
			say("%v is under %v", v, low)
		}
	case []any:
		items, _ := s["items"].(map[string]any)
		for i, e := range v {
			wrong = append(wrong, validate(items, e, fmt.Sprintf("%s[%d]", at, i))...)
		}
	case map[string]any:
		wrong = append(wrong, validateObject(s, v, at)...)
	}
	return wrong
}

func validateObject(s, v map[string]any, at string) (wrong []string) {
	known, _ := s["properties"].(map[string]any)
	values, open := s["additionalProperties"].(map[string]any)
	for key, e := range v {
		switch k, ok := known[key].(map[string]any); {
		case ok:
			wrong = append(wrong, validate(k, e, at+"."+key)...)
		case open:
			wrong = append(wrong, validate(values, e, at+"."+key)...)
		case len(s) > 0:
			wrong = append(wrong, at+"."+key+" is not in the schema")
		}
	}
	required, _ := s["required"].([]any)
	for _, key := range required {
		if _, ok := v[key.(string)]; !ok {
			wrong = append(wrong, fmt.Sprintf("%s.%s is missing", at, key))
		}
	}
	return wrong
}

func isType(typ string, v any) bool {
	switch v := v.(type) {
	case string:
		return typ == "string"
	case bool:
		return typ == "boolean"
	case float64:
		return typ == "number" || typ == "integer" && v == float64(int64(v))
	case []any:
		return typ == "array"
	case map[string]any:
		return typ == "object"
	}
	return false // nothing is ever null
}

// The validator refuses what it should: a test by it can fail.
func TestValidate(t *testing.T) {
	var s map[string]any
	if err := json.Unmarshal(schema.Document("error"), &s); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ Text, want string }{
		{`{"type":"error","code":"usage","exit":2,"message":"m"}`, ``},
		{`{"type":"reply","code":"usage","exit":2,"message":"m"}`, `error.type: reply is not error`},
		{`{"type":"error","code":"other","exit":2,"message":"m"}`, `none of`},
		{`{"type":"error","code":"usage","exit":"2","message":"m"}`, `error.exit: 2 is no integer`},
		{`{"type":"error","code":"usage","exit":-2,"message":"m"}`, `under 0`},
		{`{"type":"error","code":"usage","exit":2}`, `error.message is missing`},
		{`{"type":"error","code":"usage","exit":2,"message":null}`, `no string`},
		{`{"type":"error","code":"usage","exit":2,"message":"m","x":1}`, `error.x is not in the schema`},
		{`{"type":"error","code":"usage","exit":2,"message":"m","time":"now"}`, `is not as`},
	} {
		var v any
		if err := json.Unmarshal([]byte(tt.Text), &v); err != nil {
			t.Fatal(err)
		}
		got := strings.Join(validate(s, v, "error"), "; ")
		if !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
			t.Errorf("%s: %q, want %q", tt.Text, got, tt.want)
		}
	}
}
