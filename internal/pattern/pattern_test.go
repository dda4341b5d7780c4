package pattern

import (
	"regexp/syntax"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for expr, ok := range map[string]bool{
		`^PJSIP/(100|2..)-[0-9a-f]{8}$`: true,
		`.{1,1000}`:                     true,
		`(a|b)*c?d+`:                    true,
		strings.Repeat("(1001|", 2000) + strings.Repeat(")", 2000): false, // the parser's own bound on depth
		strings.Repeat("1001|", 4000):                              true,
		`((a{10}){10}){10}`:                                        true,
		`(\pL{1000}){3}`:                                           false, // the parser's own bound
		strings.Repeat(`\pL{1000}`, 6):                             false,
		strings.Repeat(`(abcdefghij|x){0,999}`, 20):                false,
		`(`: false,
	} {
		tree, err := Parse(expr, syntax.Perl)
		if ok != (err == nil) {
			t.Errorf("%.40s: %v", expr, err)
		}
		if err != nil {
			continue
		}
		prog, err := syntax.Compile(tree.Simplify())
		if err != nil {
			t.Fatal(err)
		}
		if n := instructions(tree); len(prog.Inst) > 2*n+10 {
			t.Errorf("%.40s: %d instructions, and %d were expected", expr, len(prog.Inst), n)
		}
	}
}
