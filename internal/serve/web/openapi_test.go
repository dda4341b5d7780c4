package web

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"mime"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "take over the schemas of docs/schema into the OpenAPI document")

// printed are the schemas of docs/schema that the document has, for its answers are what amictl prints.
var printed = []string{
	"reply", "error", "event", "gap", "packet", "node", "channel", "bridge", "live-call", "queue", "member", "caller", "endpoint",
	"device", "hint", "registration", "conference", "parked-call",
}

// The schemas of what amictl prints are those of the document. -update takes them over.
func TestOpenAPISchemas(t *testing.T) {
	document := parseDocument(t, openAPIDocument)
	schemas := within(document, "components", "schemas")
	for _, name := range printed {
		text, err := os.ReadFile(filepath.Join("../../../docs/schema", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		s := parseDocument(t, text)
		delete(s, "$schema")
		delete(s, "$id")
		if *update {
			schemas[name] = s
		} else if got, want := encode(t, schemas[name]), encode(t, s); got != want {
			t.Errorf("the document has another schema of %s than docs/schema: go test ./internal/serve/web -run OpenAPISchemas -update", name)
		}
	}
	if *update {
		if err := os.WriteFile("openapi.json", []byte(encode(t, document)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func parseDocument(t testing.TB, text []byte) map[string]any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return v.(map[string]any)
}

func encode(t testing.TB, v any) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func within(v map[string]any, keys ...string) map[string]any {
	for _, k := range keys {
		v, _ = v[k].(map[string]any)
	}
	return v
}

// A contract is the document as the tests hold answers to it.
type contract struct {
	document map[string]any

	mu       sync.Mutex // guards what follows
	compiler *jsonschema.Compiler
	seen     map[string]bool
}

var held = sync.OnceValue(func() *contract {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(openAPIDocument))
	if err != nil {
		panic(err)
	}
	c := &contract{document: v.(map[string]any), compiler: jsonschema.NewCompiler(), seen: make(map[string]bool)}
	closeObjects(within(c.document, "components", "schemas"))
	if err := c.compiler.AddResource("openapi.json", v); err != nil {
		panic(err)
	}
	return c
})

// closeObjects makes a key that a schema does not name a mistake: here every one is to be told of.
func closeObjects(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, open := v["additionalProperties"]; v["properties"] != nil && !open {
			v["additionalProperties"] = false
		}
		for _, inner := range v {
			closeObjects(inner)
		}
	case []any:
		for _, inner := range v {
			closeObjects(inner)
		}
	}
}

// operation is a route as the document has it.
func (c *contract) operation(method, route string) map[string]any {
	return within(c.document, "paths", route, strings.ToLower(method))
}

// response is what the document has of a status of a route, which may be one of the common ones; nil if it has nothing. at is
// its place in the document.
func (c *contract) response(method, route, status string) (r map[string]any, at string) {
	r = within(c.operation(method, route), "responses", status)
	at = "/paths/" + strings.ReplaceAll(route, "/", "~1") + "/" + strings.ToLower(method) + "/responses/" + status
	if ref, ok := r["$ref"].(string); ok {
		at = strings.TrimPrefix(ref, "#")
		r = within(c.document, strings.Split(strings.TrimPrefix(at, "/"), "/")...)
	}
	return r, at
}

// hold fails the test unless an answer is as the document says. Of a stream, body is what of it was read.
func (c *contract) hold(t testing.TB, method, path string, status int, contentType string, body []byte) {
	t.Helper()
	route := path
	if strings.HasPrefix(path, "/v1/state/") {
		route = "/v1/state/{part}"
	}
	if c.operation(method, route) == nil { // another method, or no path: the error is of the one shape all the same
		method, route = "GET", "/v1/state/{part}"
		if status == 405 {
			route = "/v1/nodes"
		}
	}
	key := fmt.Sprintf("%s %s %d", method, route, status)
	r, at := c.response(method, route, fmt.Sprint(status))
	if r == nil {
		t.Errorf("the document has no %s", key)
		return
	}
	c.mu.Lock()
	c.seen[key] = true
	c.mu.Unlock()
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil || within(r, "content", kind) == nil {
		t.Errorf("%s answers with %q, which the document has not", key, contentType)
		return
	}
	var objects [][]byte
	switch kind {
	case jsonType:
		objects = append(objects, body)
	case linesType:
		for line := range bytes.Lines(body) {
			objects = append(objects, line)
		}
	case sseType:
		for line := range bytes.Lines(body) {
			if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
				objects = append(objects, data)
			}
		}
	}
	c.mu.Lock() // tests run beside each other
	schema, err := c.compiler.Compile("openapi.json#" + at + "/content/" + strings.ReplaceAll(kind, "/", "~1") + "/schema")
	c.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(o))
		if err == nil {
			err = schema.Validate(v)
		}
		if err != nil {
			t.Errorf("%s: %.300s: %v", key, o, err)
		}
	}
}

// unseen are the statuses in the document that no test has met.
func (c *contract) unseen() (missing []string) {
	for route, methods := range within(c.document, "paths") {
		for method := range methods.(map[string]any) {
			for status := range within(c.operation(method, route), "responses") {
				key := strings.ToUpper(method) + " " + route + " " + status
				if !c.seen[key] && !c.elsewhere(route, status) {
					missing = append(missing, key)
				}
			}
		}
	}
	slices.Sort(missing)
	return missing
}

// elsewhere reports whether a status comes before a route is looked at, so that any route's will do.
func (c *contract) elsewhere(route, status string) bool {
	switch status {
	case "403", "405", "429", "503":
		return slices.ContainsFunc(slices.Collect(maps.Keys(c.seen)), func(key string) bool { return strings.HasSuffix(key, " "+status) })
	case "401":
		return strings.HasPrefix(route, "/v1/") && c.seen["GET /v1/nodes 401"]
	}
	return false
}

// Every route of the door is in the document, and the other way around.
func TestOpenAPIRoutes(t *testing.T) {
	f := open(t, setup{})
	c := held()
	for route, methods := range within(c.document, "paths") {
		for method := range methods.(map[string]any) {
			r := newRequest(t, strings.ToUpper(method), strings.ReplaceAll(route, "{part}", "queues"))
			if _, pattern := f.door.mux.Handler(r); pattern != strings.ToUpper(method)+" "+route && pattern != "GET "+route+"{$}" {
				t.Errorf("%s %s of the document is %q", method, route, pattern)
			}
		}
	}
	for pattern := range f.door.patterns() {
		method, route, _ := strings.Cut(strings.TrimSuffix(pattern, "{$}"), " ")
		if c.operation(method, route) == nil && !strings.HasPrefix(route, "/board/") {
			t.Errorf("%s is not in the document", pattern)
		}
	}
}
