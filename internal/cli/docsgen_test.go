package cli

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/bus"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/schema"
	"github.com/apntalk/amictl/internal/cli/serve"
	"github.com/apntalk/amictl/internal/cli/top"
	"github.com/apntalk/amictl/pkg/output"
)

var updateDocs = flag.Bool("update", false, "write the generated pages of docs/ anew")

// The pages of docs/ that are made from the commands are as the commands are. `go test ./internal/cli -run TestGenerated
// -update` writes them.
func TestGenerated(t *testing.T) {
	root := everything(run.New(nil, nil, nil, nil, noEnv))
	want := map[string][]byte{"reference.md": reference(root)}
	for c := range everyCommand(root) {
		want["man/"+manName(c)+".1"] = manPage(root, c)
	}
	for _, name := range schema.Names() {
		want["schema/"+name+".json"] = schema.Document(name)
	}
	docs := filepath.Join("..", "..", "docs")
	for _, dir := range []string{"man", "schema"} {
		if *updateDocs {
			if err := os.MkdirAll(filepath.Join(docs, dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		there, _ := os.ReadDir(filepath.Join(docs, dir))
		for _, f := range there {
			name := dir + "/" + f.Name()
			if _, ok := want[name]; ok {
				continue
			}
			if !*updateDocs {
				t.Errorf("docs/%s is of nothing that exists", name)
			} else if err := os.Remove(filepath.Join(docs, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, text := range want {
		path := filepath.Join(docs, name)
		if *updateDocs {
			if err := os.WriteFile(path, text, 0o644); err != nil { //nolint:gosec // everybody may read it
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Errorf("%v; run with -update", err)
		} else if diff := cmp.Diff(string(got), string(text)); diff != "" {
			t.Errorf("docs/%s is not as the commands are; run with -update (-there +made):\n%s", name, diff)
		}
	}
}

// everything is the command line of amictld, which has the subcommands of both programs.
func everything(r *run.Run) *cli.Command { return Commands(r, top.Command, serve.Command, bus.Command) }

// everyCommand yields a command and all below it, in order; hidden ones are left out.
func everyCommand(c *cli.Command) func(yield func(*cli.Command) bool) {
	return func(yield func(*cli.Command) bool) {
		_ = c.Walk(func(c *cli.Command) error {
			if !c.Hidden && !yield(c) {
				return context.Canceled
			}
			return nil
		})
	}
}

func manName(c *cli.Command) string { return strings.ReplaceAll(c.UsageText, " ", "-") }

// A passage is a piece of a command's description: text, or lines to be shown as they are.
type passage struct {
	head  string // "Examples" if the line "Examples:" stands before it, or another of headings
	lines []string
	plain bool // lines as they are
}

// headings begin a section of a page.
var headings = []string{"Examples:", "Configuration:", "Paths:", "Files:"}

// passages takes a description apart. Lines that begin with two spaces are shown as they are.
func passages(description string) (all []passage) {
	head := ""
	for line := range strings.SplitSeq(strings.TrimSpace(description), "\n") {
		plain := strings.HasPrefix(line, "  ")
		last := len(all) - 1
		switch {
		case slices.Contains(headings, line):
			head = strings.TrimSuffix(line, ":")
		case line == "":
			if last >= 0 && all[last].plain { // a blank line among plain ones
				all[last].lines = append(all[last].lines, "")
			} else {
				all = append(all, passage{})
			}
		case last >= 0 && all[last].plain == plain && head == "" && (plain || len(all[last].lines) > 0):
			all[last].lines = append(all[last].lines, strings.TrimPrefix(line, "  "))
		default:
			all = append(all, passage{head: head, lines: []string{strings.TrimPrefix(line, "  ")}, plain: plain})
			head = ""
		}
	}
	for i := range all {
		for n := len(all[i].lines); n > 0 && all[i].lines[n-1] == ""; n-- {
			all[i].lines = all[i].lines[:n-1]
		}
	}
	return slices.DeleteFunc(all, func(p passage) bool { return len(p.lines) == 0 })
}

// flagDoc returns a flag's names with the name of its value, and what it is for.
func flagDoc(f cli.Flag) (names, about string) {
	var all []string
	for _, n := range f.Names() {
		if len(n) == 1 {
			all = append([]string{"-" + n}, all...)
		} else {
			all = append(all, "--"+n)
		}
	}
	names = strings.Join(all, ", ")
	if doc, ok := f.(cli.DocGenerationFlag); ok {
		value, text := flags.UnquoteUsage(doc.GetUsage())
		if about = text; value != "" {
			names += " " + value
		}
	}
	return names, about
}

// manPage makes the man page of a command.
func manPage(root, c *cli.Command) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, ".\\\" Made from the commands; see TestGenerated.\n.TH %s 1 \"\" amictl \"User Commands\"\n.SH NAME\n%s \\- %s\n",
		strings.ToUpper(manName(c)), roff(manName(c)), roff(c.Usage))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(synopsis(c)))
	section := ""
	for _, p := range passages(description(root, c)) {
		want := section
		switch {
		case p.head != "":
			want = strings.ToUpper(p.head)
		case section == "" || section == "EXAMPLES" && !p.plain:
			want = "DESCRIPTION"
		}
		if want != section {
			section = want
			b.WriteString(".SH " + want + "\n")
		} else {
			b.WriteString(".PP\n")
		}
		if !p.plain {
			b.WriteString(roffLine(strings.Join(p.lines, " ")) + "\n")
			continue
		}
		b.WriteString(".nf\n")
		for _, line := range p.lines {
			b.WriteString(roffLine(line) + "\n")
		}
		b.WriteString(".fi\n")
	}
	if len(c.Commands) > 0 {
		b.WriteString(".SH COMMANDS\n")
		for _, sub := range c.Commands {
			if !sub.Hidden {
				fmt.Fprintf(&b, ".TP\n.BR %s (1)\n%s\n", roff(manName(sub)), roffLine(sub.Usage))
			}
		}
	}
	manFlags(&b, root, c)
	manEnd(&b, root, c)
	return b.Bytes()
}

func manFlags(b *bytes.Buffer, root, c *cli.Command) {
	flags := c.Flags
	if c == root {
		b.WriteString(".SH \"GLOBAL FLAGS\"\nThey may stand anywhere before \\-\\-.\n")
	} else if len(flags) > 0 {
		b.WriteString(".SH FLAGS\n")
	}
	for _, f := range flags {
		names, about := flagDoc(f)
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(names), roffLine(about))
	}
	if c != root {
		b.WriteString(".PP\nGlobal flags, such as \\-\\-node, \\-\\-context, \\-\\-output and \\-\\-timeout, the environment\nand the files are in\n.BR amictl (1).\n")
	}
}

func manEnd(b *bytes.Buffer, root, c *cli.Command) {
	b.WriteString(".SH \"EXIT STATUS\"\n")
	for _, e := range exitStatuses {
		if c == root || c.Name == "bench" || !strings.HasPrefix(e.meaning, "bench:") {
			fmt.Fprintf(b, ".TP\n.B %s\n%s\n", e.status, roffLine(e.meaning))
		}
	}
	if c == root {
		b.WriteString(".SH ENVIRONMENT\n")
		for _, e := range environment {
			fmt.Fprintf(b, ".TP\n.B %s\n%s\n", e.name, roffLine(e.About))
		}
		b.WriteString(".SH FILES\n.TP\n.I ~/.config/amictl/config.toml\nsettings and contexts; see\n.BR amictl-context (1)\n.TP\n.I /etc/amictl/config.toml\nwhat the services of a package read, and whoever sets AMICTL_CONFIG to it; see\n.BR amictl-serve (1)\n.TP\n.I /etc/asterisk/manager.conf\nwith \\-\\-local: users and secrets of this host\\(aqs own Asterisk\n.TP\n.I /usr/share/doc/amictl/\nthe pages that are called docs/NAME.md here and in messages, where a package is installed; in an archive they are in docs/\n")
		return
	}
	b.WriteString(".SH \"SEE ALSO\"\n.BR amictl (1)\n")
	for _, page := range slices.Compact(slices.Sorted(slices.Values(docsPage.FindAllString(c.Description, -1)))) {
		fmt.Fprintf(b, ".PP\n%s is\n.I %s\nof a package, and stands in the folder docs of an archive.\n", roff(page), roff("/usr/share/doc/amictl/"+path.Base(page)))
	}
}

// docsPage is a page that help names.
var docsPage = regexp.MustCompile(`docs/[a-z-]+\.md`)

var roffEscapes = strings.NewReplacer(`\`, `\e`, `-`, `\-`, `'`, `\(aq`, "`", "\\`", `"`, `\(dq`, `^`, `\(ha`, `~`, `\(ti`)

func roff(s string) string { return roffEscapes.Replace(s) }

// roffLine escapes a line of text, and a dot at its beginning, which would be a request.
func roffLine(s string) string {
	if strings.HasPrefix(s, ".") {
		return `\&` + roff(s)
	}
	return roff(s)
}

// reference makes the Markdown page of all commands.
func reference(root *cli.Command) []byte {
	var b bytes.Buffer
	b.WriteString("# Reference\n\nMade from the commands; `amictl COMMAND --help` and the man pages say the same.\n\n")
	for c := range everyCommand(root) {
		if c != root {
			fmt.Fprintf(&b, "- [`%s`](#%s): %s\n", c.UsageText, strings.ReplaceAll(c.UsageText, " ", "-"), c.Usage)
		}
	}
	b.WriteString("\n## Global flags\n\nThey may stand anywhere before `--`.\n\n")
	markdownFlags(&b, root.Flags)
	b.WriteString("\n## Exit status\n\n| status | meaning |\n|---|---|\n")
	for _, e := range exitStatuses {
		fmt.Fprintf(&b, "| %s | %s |\n", e.status, e.meaning)
	}
	b.WriteString("\n## Environment\n\nA flag takes precedence; then come the environment, the context, the file and the default.\n\n| variable | what |\n|---|---|\n")
	for _, e := range environment {
		fmt.Fprintf(&b, "| `%s` | %s |\n", e.name, e.About)
	}
	for c := range everyCommand(root) {
		if c == root {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\n    %s\n", c.UsageText, strings.ToUpper(c.Usage[:1])+c.Usage[1:], synopsis(c))
		for _, p := range passages(c.Description) {
			if p.head != "" && p.head != "Examples" {
				b.WriteString("\n### " + p.head + "\n")
			}
			switch {
			case p.plain:
				b.WriteString("\n```\n" + strings.Join(p.lines, "\n") + "\n```\n")
			default:
				b.WriteString("\n" + strings.Join(p.lines, "\n") + "\n")
			}
		}
		if len(c.Flags) > 0 {
			b.WriteByte('\n')
			markdownFlags(&b, c.Flags)
		}
	}
	return b.Bytes()
}

func markdownFlags(b *bytes.Buffer, flags []cli.Flag) {
	b.WriteString("| flag | what |\n|---|---|\n")
	for _, f := range flags {
		names, about := flagDoc(f)
		fmt.Fprintf(b, "| `%s` | %s |\n", names, strings.ReplaceAll(about, "|", `\|`))
	}
}

// What the pages say about statuses is what the program does.
func TestExitStatusesAreDocumented(t *testing.T) {
	for code, status := range fail.ExitOf {
		if !slices.ContainsFunc(exitStatuses, func(e struct{ status, meaning string }) bool { return e.status == fmt.Sprint(status) }) {
			t.Errorf("status %d of %s is in no page", status, code)
		}
	}
}

// Help fits a terminal of 80 columns, and so does a man page, which indents by seven.
func TestHelpFits(t *testing.T) {
	root := everything(run.New(nil, nil, nil, nil, noEnv))
	for c := range everyCommand(root) {
		for _, p := range passages(description(root, c)) {
			for _, line := range p.lines {
				if w := output.Width(line); p.plain && w > 80-7 {
					t.Errorf("%s: %d columns: %s", c.UsageText, w, line)
				}
			}
		}
		for _, width := range []int{60, 80} {
			for line := range strings.Lines(helpText(root, c, width)) {
				line = strings.TrimSuffix(line, "\n")
				if w := output.Width(line); w > width && !strings.Contains(description(root, c), line) && !strings.HasPrefix(line, "Usage:") {
					t.Errorf("%s --help: %d columns at %d: %s", c.UsageText, w, width, line)
				}
			}
		}
	}
}
