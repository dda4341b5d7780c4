package actionline

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A line of very many headers is refused. Each header is compared with those before it, so no more of them are taken than
// Asterisk reads: the work follows the length of the line and not its square.
func TestLineOfVeryManyFields(t *testing.T) {
	for _, n := range []int{2_000, 40_000} {
		var b strings.Builder
		b.WriteString(`{"action":"Ping","fields":{"a":1`)
		for i := range n {
			fmt.Fprintf(&b, `,"a%d":1`, i)
		}
		b.WriteString(`},"id":"7"}`)
		l, err := Parse(b.String())
		if err == nil || l.ID != "7" {
			t.Errorf("%d fields: error %v, id %q", n, err, l.ID)
		}
		if taken := len(l.Action.Fields); taken > wire.MaxHeaders+1 {
			t.Errorf("%d fields: %d were taken, and each compared with all before it; Asterisk reads %d", n, taken, wire.MaxHeaders)
		}
	}
}

func TestFieldsOfALine(t *testing.T) {
	for line, want := range map[string]string{ // the headers, or what is wrong
		`{"action":"A","fields":{}}`:                                  "",
		`{"action":"A","fields":{"a":"x","b":1.50,"c":true}}`:         "a=x b=1.50 c=true",
		`{"action":"A","fields":{"a":["x",2,false],"b":"y"}}`:         "a=x a=2 a=false b=y",
		`{"action":"A","fields":{"a":[],"b":"y"}}`:                    "b=y",
		`{"action":"A","fields":{"a":["x",null,"z"],"b":"y"}}`:        `"a" is null`,
		`{"action":"A","fields":{"a":["x",[1]],"b":"y"}}`:             `"a"`,
		`{"action":"A","fields":{"a":null,"b":"y"}}`:                  `"a" is null`,
		`{"action":"A","fields":{"a":{},"b":"y"}}`:                    `"a"`,
		`{"action":"A","fields":{"a":1,"b":2,"a":3}}`:                 `the field "a" repeats`,
		`{"action":"A","fields":[1]}`:                                 "fields is not an object",
		`{"action":"A","fields":{"a":1},"fields":{"b":1}}`:            `the key "fields" repeats`,
		`{"action":"A","id":7,"node":"n","timeout":"1500ms"}`:         "id 7 node n timeout 1.5s",
		`{"action":"A","timeout":"soon"}`:                             `timeout "soon"`,
		`{"action":"A","Action":"B"}`:                                 `unknown key "Action"`,
		`{"fields":{"a":1}}`:                                          "no action",
		`{"action":"A","fields":{"Action":"B"}}`:                      "Action",
		`[]`:                                                          "not a JSON object",
		`{"action"`:                                                   "not JSON",
		`{"action":"A","id":"` + strings.Repeat("x", longLine) + `"}`: "id " + strings.Repeat("x", longLine),
	} {
		l, err := Parse(line)
		got := ""
		for _, f := range l.Action.Fields {
			got += " " + f.Name + "=" + f.Value
		}
		if l.ID != "" {
			got += " id " + l.ID
		}
		if l.Node != "" {
			got += " node " + l.Node
		}
		if l.Action.Timeout != 0 {
			got += " timeout " + l.Action.Timeout.String()
		}
		if err != nil {
			if got = err.Error(); strings.Contains(got, want) && want != "" {
				continue
			}
		}
		if strings.TrimSpace(got) != want {
			t.Errorf("%.80s: %.200s, want %.200s", line, got, want)
		}
	}
}
