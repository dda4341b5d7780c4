package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A declaration is one top-level function, method, constant, variable or type of the module.
type declaration struct {
	dir        string // its package's folder, as "./pkg/ami"
	file       string
	start, end int // in the file's text
}

// A module has the source without tests, and where each name is declared.
type module struct {
	texts map[string]string // file → text
	named map[string][]declaration
}

// readModule parses every Go file under the working directory that is no test.
func readModule() (*module, error) {
	m := &module{texts: make(map[string]string), named: make(map[string][]declaration)}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() != "." && strings.HasPrefix(d.Name(), ".")):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		return m.read(path)
	})
	return m, err
}

func (m *module) read(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, path, text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	m.texts[path] = string(text)
	add := func(name string, n ast.Node) {
		d := declaration{
			dir: "./" + filepath.ToSlash(filepath.Dir(path)), file: path,
			start: files.Position(n.Pos()).Offset, end: files.Position(n.End()).Offset,
		}
		m.named[name] = append(m.named[name], d)
		m.named[tree.Name.Name+"."+name] = append(m.named[tree.Name.Name+"."+name], d)
	}
	for _, decl := range tree.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			add(funcName(d), d)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				var whole ast.Node = d
				if d.Lparen.IsValid() {
					whole = spec
				}
				switch s := spec.(type) {
				case *ast.ValueSpec:
					for _, name := range s.Names {
						add(name.Name, whole)
					}
				case *ast.TypeSpec:
					add(s.Name.Name, whole)
				}
			}
		}
	}
	return nil
}

// funcName is a function's name, or a method's behind its type: "Conn.held".
func funcName(f *ast.FuncDecl) string {
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return f.Name.Name
	}
	of := f.Recv.List[0].Type
	for {
		switch t := of.(type) {
		case *ast.StarExpr:
			of = t.X
		case *ast.IndexExpr:
			of = t.X
		case *ast.IndexListExpr:
			of = t.X
		case *ast.Ident:
			return t.Name + "." + f.Name.Name
		default:
			return f.Name.Name
		}
	}
}

// A place is some lines of a file.
type place struct {
	dir, file  string
	start, end int
}

// find looks for lines inside the declarations of a name. They must be there exactly once: how far they are indented does
// not matter, nor in which file or package the declaration is.
func (m *module) find(name, lines string) (place, error) {
	declared := m.named[name]
	if len(declared) == 0 {
		return place{}, fmt.Errorf("nothing is named %s", name)
	}
	want := trimmed(lines)
	if len(want) == 0 {
		return place{}, fmt.Errorf("no lines are given to look for in %s", name)
	}
	var found []place
	for _, d := range declared {
		found = append(found, d.lines(m.texts[d.file], want)...)
	}
	if len(found) != 1 {
		return place{}, fmt.Errorf("its place is in %s %d times", name, len(found))
	}
	return found[0], nil
}

// lines finds each run of these lines in a declaration, from the beginning of its first line to the end of its last.
func (d declaration) lines(text string, want []string) (found []place) {
	start, end := strings.LastIndexByte(text[:d.start], '\n')+1, d.end
	if behind := strings.IndexByte(text[end:], '\n'); behind >= 0 {
		end += behind + 1
	}
	type line struct {
		at   int
		text string
	}
	var have []line
	at := start
	for l := range strings.Lines(text[start:end]) {
		have = append(have, line{at, strings.TrimSpace(l)})
		at += len(l)
	}
	have = append(have, line{at: at})
	for i := 0; i+len(want) < len(have); i++ {
		same := true
		for j := range want {
			same = same && have[i+j].text == want[j]
		}
		if same {
			found = append(found, place{dir: d.dir, file: d.file, start: have[i].at, end: have[i+len(want)].at})
		}
	}
	return found
}

// trimmed splits into lines without their indentation, and without empty ones around them.
func trimmed(text string) []string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	if len(lines) == 1 && lines[0] == "" {
		return nil
	}
	return lines
}
