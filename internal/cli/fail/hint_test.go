package fail

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// Every error that the command line makes says what to do next.
func TestErrorsAreMadeWithHints(t *testing.T) {
	made := 0
	err := filepath.WalkDir("..", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if f := ofThisPackage(n.Fun); f != "Usage" && f != "Config" && f != "Input" {
					return true
				}
				made++
				if text, ok := n.Args[0].(*ast.BasicLit); ok && text.Value == `""` {
					t.Errorf("%s: an error without a hint", set.Position(n.Pos()))
				}
			case *ast.CompositeLit:
				if ofThisPackage(n.Type) == "Error" {
					made++
					if !hasField(n, "Hint") && !hasField(n, "Silent") {
						t.Errorf("%s: an error without a hint", set.Position(n.Pos()))
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if made < 100 {
		t.Errorf("only %d errors were looked at", made)
	}
}

// ofThisPackage returns the name of what an expression takes from package fail, else "".
func ofThisPackage(e ast.Expr) string {
	if s, ok := e.(*ast.SelectorExpr); ok {
		if x, ok := s.X.(*ast.Ident); ok && x.Name == "fail" {
			return s.Sel.Name
		}
	}
	return ""
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
		"connect, lost":      op("connect", ami.SentNo, fmt.Errorf("%w: %w", ami.ErrTimeout, ami.ErrDisconnected)),
		"connect, not yet":   op("connect", ami.SentNo, ami.ErrNotReady),
		"banner, cut":        op("banner", ami.SentNo, ami.ErrDisconnected),
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
		f := Classify(err)
		if f.Hint == "" {
			t.Errorf("%s: no hint: %s", name, f.Message)
		}
		if f.Exit == 0 || f.Code == "" || strings.Contains(f.Message, "the operation") {
			t.Errorf("%s: code %q, status %d: %s", name, f.Code, f.Exit, f.Message)
		}
	}
}

// Half of all channels' names hold a ;, where a shell ends the command.
func TestHintOfChannels(t *testing.T) {
	f := Classify(&ami.OpError{Op: "do", Node: "n", Action: "Hangup", Sent: ami.SentYes, Err: &ami.ResponseError{Action: "Hangup", Message: "No such channel"}})
	if !strings.Contains(f.Hint, "state channels") || !strings.Contains(f.Hint, "'Local/200@default-1;2'") {
		t.Errorf("the hint is %q", f.Hint)
	}
}

// A refusal for a parameter that is missing, in words that real servers send, says where the parameters are listed.
func TestHintOfMissingParameters(t *testing.T) {
	for message, want := range map[string]string{
		"'Queue' not specified.":  "`amictl actions QueueAdd` shows what it takes; it needs Queue, Interface",
		"No family specified.":    "`amictl actions QueueAdd` shows what it takes; it needs Queue, Interface",
		"Missing interface":       "`amictl actions QueueAdd` shows what it takes; it needs Queue, Interface",
		"Unable to add interface": HintOf[CodeRefused],
	} {
		if got := Classify(&ami.OpError{Op: "do", Node: "pbx1", Err: &ami.ResponseError{Action: "QueueAdd", Message: message}}).Hint; got != want {
			t.Errorf("%s: %q, want %q", message, got, want)
		}
	}
	if got := Classify(&ami.OpError{Op: "do", Node: "pbx1", Err: &ami.ResponseError{Action: "NoSuch", Message: "Missing x"}}).Hint; got != HintOf[CodeRefused] {
		t.Errorf("of an unknown action: %q", got)
	}
}

// A value that is no line has a parameter of its own, where the action has one.
func TestHintOfManyLines(t *testing.T) {
	for action, want := range map[string]string{
		"MessageSend": "a value is one line of text; Base64Body takes any: Base64Body=\"$(base64 < FILE | tr -d '\\n')\"",
		"UserEvent":   "a value is one line of text",
	} {
		err := &ami.OpError{Op: ami.OpDo, Action: action, Err: &wire.FieldError{Header: "body", Err: wire.ErrNewline}}
		if got := Classify(err).Hint; got != want {
			t.Errorf("%s: %s", action, got)
		}
	}
	long := &ami.OpError{Op: ami.OpDo, Action: "MessageSend", Err: &wire.FieldError{Header: "Body", Err: wire.ErrLineTooLong}}
	if got := Classify(long).Hint; !strings.Contains(got, "no longer lines") {
		t.Errorf("a long one: %s", got)
	}
}

// What Go's packages call an end or a timeout is told in words, wherever it comes from.
func TestNoWordsOfGo(t *testing.T) {
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 5038}, Err: err}
	}
	var all []error
	for _, cause := range []error{context.DeadlineExceeded, context.Canceled, os.ErrDeadlineExceeded, net.ErrClosed, io.EOF, io.ErrUnexpectedEOF} {
		read := &net.OpError{Op: "read", Net: "tcp", Err: cause}
		all = append(all, dial(cause), fmt.Errorf("the window: %w", cause), Usage("a", "--from: %v", cause), Config("a", "%s", read), Input("a", "%v", cause),
			&fs.PathError{Op: "read", Path: "x", Err: cause}, &fs.PathError{Op: "write", Path: "x", Err: cause})
		for _, op := range []ami.Op{ami.OpConnect, ami.OpDial, ami.OpTLS, ami.OpBanner, ami.OpLogin, ami.OpSetup, ami.OpDo, ami.OpDrain} {
			for _, err := range []error{cause, read, dial(cause), fmt.Errorf("%w: %w", ami.ErrTimeout, cause), fmt.Errorf("%w: %w", ami.ErrDisconnected, read)} {
				all = append(all, &ami.OpError{Op: op, Node: "pbx1", Action: "Ping", Err: err})
			}
		}
	}
	for _, err := range all {
		f := Classify(err)
		for _, word := range []string{"context ", "i/o timeout", "closed network", "EOF", "operation was", "timed out: timed out", "ami: "} {
			if strings.Contains(f.Message, word) {
				t.Errorf("%v is told as %s", err, f.Message)
			}
		}
	}
	if got := Classify(&ami.OpError{Op: ami.OpDo, Node: "n", Err: &ami.ResponseError{Action: "A", Message: "unexpected EOF"}}).Message; got != "n: A: unexpected EOF" {
		t.Errorf("the server's own words become %s", got)
	}
}
