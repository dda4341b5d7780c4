// Package pattern parses regular expressions that anybody may have written, and refuses those that would be compiled to far more than
// they are long: repetitions within repetitions, up to millions of instructions for twenty bytes.
package pattern

import (
	"fmt"
	"regexp/syntax"
)

// mostInstructions are what an expression may be compiled to beyond what stands there written out.
const mostInstructions = 5_000

// Parse is syntax.Parse for expressions that are not too costly.
func Parse(expr string, flags syntax.Flags) (*syntax.Regexp, error) {
	tree, err := syntax.Parse(expr, flags)
	if err != nil {
		return nil, err
	}
	if n := instructions(tree); n > mostInstructions+2*len(expr) {
		return nil, fmt.Errorf("the regular expression repeats too much: it is compiled to %d instructions, over %d", n, mostInstructions)
	}
	return tree, nil
}

// instructions returns about how many a tree is compiled to. The compiler writes out each repetition.
func instructions(tree *syntax.Regexp) int {
	n := 0
	for _, sub := range tree.Sub {
		n += instructions(sub)
	}
	switch tree.Op {
	case syntax.OpLiteral:
		return len(tree.Rune)
	case syntax.OpCapture:
		return n + 2
	case syntax.OpAlternate:
		return n + len(tree.Sub)
	case syntax.OpConcat:
		return n
	case syntax.OpRepeat: // the parser keeps its product within a thousand, and the whole within millions
		return (n + 1) * max(tree.Max, tree.Min+1, 1)
	}
	return n + 1
}
