package main

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// Every error that the command line makes says what to do next.
func TestErrorsAreMadeWithHints(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	made := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				f, ok := n.Fun.(*ast.Ident)
				if !ok || f.Name != "usageError" && f.Name != "configError" && f.Name != "inputError" {
					return true
				}
				made++
				if text, ok := n.Args[0].(*ast.BasicLit); ok && text.Value == `""` {
					t.Errorf("%s: an error without a hint", set.Position(n.Pos()))
				}
			case *ast.CompositeLit:
				if kind, ok := n.Type.(*ast.Ident); ok && kind.Name == "cliError" {
					made++
					if !hasField(n, "hint") && !hasField(n, "silent") {
						t.Errorf("%s: an error without a hint", set.Position(n.Pos()))
					}
				}
			}
			return true
		})
	}
	if made < 100 {
		t.Errorf("only %d errors were looked at", made)
	}
}

func hasField(c *ast.CompositeLit, name string) bool {
	for _, e := range c.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if key, ok := kv.Key.(*ast.Ident); ok && key.Name == name {
				return true
			}
		}
	}
	return false
}

// So does what the engine and the system report.
func TestClassifiedErrorsHaveHints(t *testing.T) {
	op := func(op ami.Op, sent ami.Sent, err error) error {
		return &ami.OpError{Op: op, Node: "n", Action: "Ping", Sent: sent, Err: err}
	}
	for name, err := range map[string]error{
		"dial":               op("dial", ami.SentNo, syscall.ECONNREFUSED),
		"dial, other":        op("dial", ami.SentNo, errors.New("x")),
		"tls":                op("tls", ami.SentNo, errors.New("x")),
		"banner":             op("banner", ami.SentNo, errors.New("x")),
		"login":              op("login", ami.SentNo, ami.ErrUnauthorized),
		"login, cut":         op("login", ami.SentNo, errors.New("x")),
		"connect":            op("connect", ami.SentNo, ami.ErrTimeout),
		"connect, cause":     op("connect", ami.SentNo, op("banner", ami.SentNo, ami.ErrTimeout)),
		"setup":              op("setup", ami.SentNo, errors.New("x")),
		"refused":            op("do", ami.SentYes, &ami.ResponseError{Action: "QueueStatus", Message: "No such queue"}),
		"permission":         op("do", ami.SentYes, &ami.ResponseError{Action: "Ping", Message: "Permission denied"}),
		"unknown":            op("do", ami.SentYes, &ami.ResponseError{Action: "Pong", Message: "Invalid/unknown command: Pong"}),
		"call":               op("do", ami.SentYes, &ami.ResponseError{Action: "Originate", Outcome: ami.OutcomeFailed}),
		"busy":               op("do", ami.SentYes, &ami.ResponseError{Action: "Originate", Outcome: ami.OutcomeBusy}),
		"timeout":            op("do", ami.SentYes, ami.ErrTimeout),
		"timeout, unsent":    op("do", ami.SentNo, ami.ErrTimeout),
		"lost":               op("do", ami.SentMaybe, errors.New("x")),
		"list":               op("do", ami.SentYes, ami.ErrListTooLong),
		"empty":              op("do", ami.SentNo, &wire.FieldError{Header: "Action", Err: wire.ErrEmpty}),
		"leading space":      op("do", ami.SentNo, &wire.FieldError{Header: "A", Err: wire.ErrLeadingSpace}),
		"name":               op("do", ami.SentNo, &wire.FieldError{Header: "A b", Err: wire.ErrName}),
		"deadline":           context.DeadlineExceeded,
		"file":               &fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist},
		"full":               &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC},
		"anything":           errors.New("x"),
		"unsent, away":       op("do", ami.SentNo, op("dial", ami.SentNo, syscall.ECONNREFUSED)),
		"unsent, bad secret": op("do", ami.SentNo, op("login", ami.SentNo, ami.ErrUnauthorized)),
	} {
		f := classify(err)
		if f.Hint == "" {
			t.Errorf("%s: no hint: %s", name, f.Message)
		}
		if f.Exit == 0 || f.Code == "" || strings.Contains(f.Message, "the operation") {
			t.Errorf("%s: code %q, status %d: %s", name, f.Code, f.Exit, f.Message)
		}
	}
}
