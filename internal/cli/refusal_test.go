package cli

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// refusals are what makes an error whose status is 2.
var refusals = map[string]bool{"Usage": true, "Config": true, "Input": true, "CodeUsage": true, "CodeConfig": true, "CodeInput": true}

// The page on exit statuses names each file that can refuse something, and no other.
func TestEachWayTo2IsOnItsPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/exit-status.md")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	_, table, _ := strings.Cut(string(page), "## Each reason for a 2")
	for line := range strings.Lines(table) {
		if cells := strings.Split(line, "|"); len(cells) > 3 {
			for _, name := range regexp.MustCompile(`[a-z0-9/_]+\.go`).FindAllString(cells[1], -1) {
				if told[name] {
					t.Errorf("docs/exit-status.md: %s has two rows", name)
				}
				told[name] = true
			}
		}
	}
	there := map[string]bool{}
	err = filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "fail"+string(filepath.Separator)) {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && refusals[s.Sel.Name] {
				if pkg, ok := s.X.(*ast.Ident); ok && pkg.Name == "fail" && !compared(file, s) {
					there[filepath.ToSlash(path)] = true
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(there)), slices.Sorted(maps.Keys(told))); diff != "" {
		t.Errorf("docs/exit-status.md: whatever can refuse something has a row there, which says why nothing was sent before (-there +told):\n%s", diff)
	}
}

// compared reports whether a code is only looked at.
func compared(file *ast.File, s *ast.SelectorExpr) (yes bool) {
	ast.Inspect(file, func(n ast.Node) bool {
		if b, ok := n.(*ast.BinaryExpr); ok && (b.X == s || b.Y == s) {
			yes = true
		}
		return true
	})
	return yes
}

// A refusal that comes when something was sent never says that nothing was.
func TestRefusalsThatComeTooLate(t *testing.T) {
	srv := amitest.NewServer()
	t.Cleanup(srv.Close)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(amitest.DefaultSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"HOME": t.TempDir(), "AMICTL_SECRET_FILE": secret, "AMICTL_NODE": "ami://" + amitest.DefaultUser + "@" + srv.Addr()}
	for name, tt := range map[string]struct {
		err    error
		before int // status when nothing was sent
		after  int // and when something was
	}{
		"usage":   {fail.Usage("do it", "no"), fail.ExitUsage, fail.ExitBug},
		"input":   {fail.Input("do it", "no"), fail.ExitUsage, fail.ExitBug},
		"config":  {fail.Config("do it", "no"), fail.ExitUsage, fail.ExitLost},
		"file":    {&fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}, fail.ExitUsage, fail.ExitLost},
		"tally":   {fail.Silent(fail.ExitUsage), fail.ExitUsage, fail.ExitBug},
		"Nagios":  {fail.Foreign(fail.ExitUsage), fail.ExitUsage, fail.ExitUsage},
		"output":  {&fs.PathError{Op: "write", Path: "x", Err: fs.ErrInvalid}, fail.ExitLost, fail.ExitLost},
		"close":   {&fs.PathError{Op: "close", Path: "x", Err: fs.ErrInvalid}, fail.ExitLost, fail.ExitLost},
		"unknown": {os.ErrProcessDone, fail.ExitBug, fail.ExitBug},
	} {
		for _, how := range []string{"before", "once", "cluster"} {
			late := func(r *run.Run) *cli.Command {
				return &cli.Command{Name: "late", Action: func(ctx context.Context, _ *cli.Command) error {
					sendPing(ctx, t, r, how)
					return tt.err
				}}
			}
			var stderr strings.Builder
			r := run.New([]string{"late"}, nil, os.Stdout, &stderr, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
			want := tt.after
			if how == "before" {
				want = tt.before
			}
			if status := Execute(t.Context(), r, late); status != want {
				t.Errorf("%s, %s: status %d, want %d: %s", name, how, status, want, stderr.String())
			}
			if want == fail.ExitLost && strings.Contains(stderr.String(), "safe to") {
				t.Errorf("%s, %s: %s", name, how, stderr.String())
			}
		}
	}
}

// sendPing sends a Ping in one of the ways that subcommands have.
func sendPing(ctx context.Context, t *testing.T, r *run.Run, how string) {
	nodes, err := target.Nodes(r)
	if err != nil {
		t.Fatal(err)
	}
	switch how {
	case "once":
		e := target.Once(ctx, r, nodes[0], func(ctx context.Context, c *ami.Conn) (*ami.Reply, error) {
			return c.Do(ctx, ami.NewAction("Ping"))
		})
		err = e.Err
	case "cluster":
		c, failed := target.Cluster(r, nodes)
		if failed != nil {
			t.Fatal(failed)
		}
		defer target.Finish(ctx, c)
		if err = target.Await(ctx, r, c, 1); err == nil {
			_, err = c.Nodes()[0].Do(ctx, ami.NewAction("Ping"))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}
