package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// flips has what an operator may become: its nearest neighbour, where a test must know the bound, and its opposite.
var flips = map[token.Token][]token.Token{
	token.EQL: {token.NEQ}, token.NEQ: {token.EQL},
	token.LSS: {token.LEQ, token.GEQ}, token.LEQ: {token.LSS, token.GTR},
	token.GTR: {token.GEQ, token.LEQ}, token.GEQ: {token.GTR, token.LSS},
	token.LAND: {token.LOR}, token.LOR: {token.LAND},
	token.ADD: {token.SUB}, token.SUB: {token.ADD}, token.MUL: {token.QUO}, token.QUO: {token.MUL}, token.REM: {token.QUO},
	token.AND: {token.OR}, token.OR: {token.AND}, token.XOR: {token.OR}, token.AND_NOT: {token.AND},
	token.SHL: {token.SHR}, token.SHR: {token.SHL},
	token.ADD_ASSIGN: {token.SUB_ASSIGN}, token.SUB_ASSIGN: {token.ADD_ASSIGN},
	token.OR_ASSIGN: {token.AND_ASSIGN}, token.AND_ASSIGN: {token.OR_ASSIGN},
	token.INC: {token.DEC}, token.DEC: {token.INC},
	token.NOT: {token.ILLEGAL}, // left out
}

// A flip is one operator of a package that becomes another.
type flip struct {
	file     string
	text     string // of the whole file
	at       int    // where the operator is
	line     int
	column   int
	from, to string
	in       string // the function
	source   string // the line, as it is
	rank     uint64 // by the seed; the smallest are taken
}

func (f flip) String() string {
	return fmt.Sprintf("%s:%d:%d: %s: %q for %q in: %s", f.file, f.line, f.column, f.in, f.to, f.from, f.source)
}

// changed is the file's text with the flip.
func (f flip) changed() string { return f.text[:f.at] + f.to + f.text[f.at+len(f.from):] }

// readFlips finds all flips of a package as it is built on this system, in an order that the seed alone gives. Each has
// its own place in it, which a change in another function does not move.
func readFlips(pkg string, seed uint64) ([]flip, error) {
	out, err := exec.Command("go", "list", "-json=Dir,GoFiles", pkg).Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w", pkg, err)
	}
	var listed struct {
		Dir     string
		GoFiles []string
	}
	if err := json.Unmarshal(out, &listed); err != nil {
		return nil, err
	}
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	var all []flip
	for _, name := range listed.GoFiles {
		path, err := filepath.Rel(here, filepath.Join(listed.Dir, name))
		if err != nil {
			return nil, err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		found, err := flipsOf(path, string(text), seed)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b flip) int {
		switch {
		case a.rank < b.rank:
			return -1
		case a.rank > b.rank:
			return 1
		}
		return 0
	})
	return all, nil
}

// flipsOf finds the flips in the functions of one file.
func flipsOf(path, text string, seed uint64) ([]flip, error) {
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, path, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var all []flip
	for _, d := range tree.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		n := 0
		add := func(at token.Pos, op token.Token) {
			becomes := flips[op]
			if len(becomes) == 0 {
				return
			}
			n++
			where := files.Position(at)
			begin := strings.LastIndexByte(text[:where.Offset], '\n') + 1
			source, _, _ := strings.Cut(text[begin:], "\n")
			x := flip{file: path, text: text, at: where.Offset, line: where.Line, column: where.Column, from: op.String(), in: funcName(f), source: strings.TrimSpace(source)}
			x.rank = rank(seed, tree.Name.Name, x.in, n)
			if to := becomes[x.rank>>32%uint64(len(becomes))]; to != token.ILLEGAL {
				x.to = to.String()
			}
			all = append(all, x)
		}
		ast.Inspect(f.Body, func(node ast.Node) bool { return operators(node, add) })
	}
	return all, nil
}

// operators adds the operator of one node, but for what no build has in it or cannot be anything else.
func operators(node ast.Node, add func(token.Pos, token.Token)) bool {
	switch x := node.(type) {
	case *ast.BinaryExpr:
		if !isText(x.X) && !isText(x.Y) || x.Op != token.ADD {
			add(x.OpPos, x.Op)
		}
	case *ast.UnaryExpr:
		if x.Op == token.NOT {
			add(x.OpPos, x.Op)
		}
	case *ast.AssignStmt:
		if len(x.Rhs) != 1 || !isText(x.Rhs[0]) {
			add(x.TokPos, x.Tok)
		}
	case *ast.IncDecStmt:
		add(x.TokPos, x.Tok)
	}
	return true
}

// isText reports whether an operand is a string by its looks: "-" of it does not compile.
func isText(e ast.Expr) bool {
	switch x := e.(type) {
	case *ast.BasicLit:
		return x.Kind == token.STRING
	case *ast.BinaryExpr:
		return x.Op == token.ADD && (isText(x.X) || isText(x.Y))
	}
	return false
}

// rank is where the nth operator of a function comes under a seed.
func rank(seed uint64, pkg, in string, n int) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, seed))
	_, _ = fmt.Fprintf(h, "%s.%s#%d", pkg, in, n)
	x := h.Sum64() // its last bytes hardly reach the upper bits: mix
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return x
}
