package completion

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
)

const help = `Examples:
  source <(amictl completion bash)                     # in ~/.bashrc
  amictl completion zsh > "${fpath[1]}/_amictl"        # then a new zsh
  amictl completion fish > ~/.config/fish/completions/amictl.fish
  amictl completion pwsh | Out-String | iex            # in $PROFILE
  amictl completion fish -- send Queue                 # what may follow

Prints the script that lets a shell complete subcommands, flags and their values, contexts, nodes, actions, their
parameters, and events. A package and ` + "`make install`" + ` put it where bash (which needs its package bash-completion), zsh
and fish look for it. No server is asked.

After ` + "`--`" + ` give the words of an unfinished command line, the last one to be completed (bash: the line as it is, and the
characters that end a word there). Prints one candidate per line, with a tab and its description, and at the end a line
that says what may follow: ":done", ":nospace" or ":files".`

// scripts are what `completion SHELL` prints. They know nothing of amictl: each asks it, for amictld too, which has the same words.
var scripts = map[string]string{
	"bash": `# amictl: completion for bash. Made by "amictl completion bash".
_amictl() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
        :done) ;;
        :nospace) compopt -o nospace 2>/dev/null ;;
        :files) compopt -o default 2>/dev/null ;;
        *) COMPREPLY+=("${line%%$'\t'*}") ;;
        esac
    done < <("${1:-amictl}" completion bash -- "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null)
}
complete -F _amictl amictl amictld
`,
	"zsh": `#compdef amictl amictld
# amictl: completion for zsh. Made by "amictl completion zsh".
_amictl() {
    local -a lines values shown suffix
    local line value
    integer widest=0
    lines=("${(@f)$(amictl completion zsh -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    case ${lines[-1]} in
    :files)
        compset -P '*='
        _files
        return
        ;;
    :nospace) suffix=(-S '') ;;
    esac
    for line in "${(@)lines[1,-2]}"; do
        value=${line%%$'\t'*}
        values+=("$value")
        (( ${#value} > widest )) && widest=${#value}
    done
    for line in "${(@)lines[1,-2]}"; do
        value=${line%%$'\t'*}
        if [[ $line == *$'\t'?* ]]; then
            value="${(r:widest:)value}  ${line#*$'\t'}"
        fi
        shown+=("${value[1,COLUMNS-1]}")
    done
    if [[ "${lines[*]}" == *$'\t'?* ]]; then
        compadd -M 'm:{[:lower:][:upper:]}={[:upper:][:lower:]}' "${suffix[@]}" -l -d shown -a values
    else
        compadd -M 'm:{[:lower:][:upper:]}={[:upper:][:lower:]}' "${suffix[@]}" -a values
    fi
}
if [[ $funcstack[1] == _amictl ]]; then
    _amictl "$@"
else
    compdef _amictl amictl amictld
fi
`,
	"fish": `# amictl: completion for fish. Made by "amictl completion fish".
function __amictl_complete
    set -l words (commandline -opc)
    set -e words[1]
    set -l word (commandline -ct)
    set -l lines (amictl completion fish -- $words "$word" 2>/dev/null)
    if test "$lines[-1]" = :files
        set -l before (string match -r '^[^=]*=' -- $word)
        for path in (__fish_complete_path (string replace -r '^[^=]*=' '' -- $word))
            printf '%s\n' "$before$path"
        end
        return
    end
    set -e lines[-1]
    printf '%s\n' $lines
end
complete -c amictl -f -a '(__amictl_complete)'
complete -c amictld -f -a '(__amictl_complete)'
`,
	"pwsh": `# amictl: completion for PowerShell. Made by "amictl completion pwsh".
Register-ArgumentCompleter -Native -CommandName amictl, amictld -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
            Select-Object -Skip 1 | ForEach-Object { if ($_.Value) { $_.Value } else { $_.ToString() } })
    amictl completion pwsh -- @words ".$wordToComplete" 2>$null | ForEach-Object {
        $value, $about = $_ -split "` + "`" + `t", 2
        if ($value -eq ':files') {
            $before = if ($wordToComplete -match '^[^=]*=') { $Matches[0] } else { '' }
            [System.Management.Automation.CompletionCompleters]::CompleteFilename($wordToComplete.Substring($before.Length)) |
                ForEach-Object {
                    [System.Management.Automation.CompletionResult]::new($before + $_.CompletionText, $_.ListItemText, $_.ResultType, $_.ToolTip)
                }
        } elseif ($value -notmatch '^:(done|nospace)$') {
            if (-not $about) { $about = $value }
            $word = if ($value -match '[^\w=:@./,+-]') { "'" + $value.Replace("'", "''") + "'" } else { $value }
            [System.Management.Automation.CompletionResult]::new($word, $value, 'ParameterValue', $about)
        }
    }
}
`,
}

var shells = []string{"bash", "zsh", "fish", "pwsh"}

// options are those of completion.
type options struct {
	args     []string
	commands func() *cli.Command // the whole command line
}

// Command makes the subcommand. commands returns the command line that it is part of.
func Command(r *run.Run, commands func() *cli.Command) *cli.Command {
	o := &options{commands: commands}
	return r.Tell(&cli.Command{
		Name:        "completion",
		Usage:       "print the completion script of a shell",
		ArgsUsage:   "bash|zsh|fish|pwsh",
		Description: help,
		Action: func(_ context.Context, c *cli.Command) error {
			o.args = c.Args().Slice()
			return completion(r, o)
		},
	}, run.About{
		Args: run.Words{Kind: run.OneOf, Choices: func() []string { return shells }}, Rest: run.Words{Kind: run.AnyWords}, Config: run.ConfigMayBeBroken,
		Prints: true,
	})
}

// completion prints a shell's script, or the candidates for the words behind `--`.
func completion(r *run.Run, o *options) error {
	if len(o.args) != 1 || !slices.Contains(shells, o.args[0]) {
		return fail.Usage("such as `amictl completion bash`", "completion takes the name of one shell: %s", strings.Join(shells, ", "))
	}
	if err := r.RefuseOutput("a script is text"); err != nil {
		return err
	}
	text := scripts[o.args[0]]
	if r.HasTo {
		text = Candidates(r, o.commands(), o.args[0], r.Rest)
	}
	_, err := io.WriteString(r.Stdout, text)
	return err
}

// Candidates answers a completion script: one candidate a line, then what may follow.
func Candidates(r *run.Run, root *cli.Command, shell string, words []string) string {
	cut, quote := 0, func(s string) string { return s }
	switch shell {
	case "bash": // bash hands over its line, and replaces only what follows the last of its word breaks
		line, breaks := "", ""
		if len(words) > 0 {
			line = words[0]
		}
		if len(words) > 1 {
			breaks = words[1]
		}
		words, cut = split(line, keep(breaks, "=:@"))
		words, quote = words[1:], fail.ShellWord
	case "pwsh": // which drops empty words: the last one has a dot before it
		if n := len(words); n > 0 {
			words[n-1] = strings.TrimPrefix(words[n-1], ".")
		}
	}
	if len(words) == 0 {
		return ":done\n"
	}
	c := &completer{run: r, root: root}
	c.complete(words[:len(words)-1], words[len(words)-1])
	var b strings.Builder
	for _, v := range c.found {
		value := quote(v.value[min(cut, len(v.value)):])
		b.WriteString(value)
		if v.about != "" {
			b.WriteString("\t" + v.about)
		}
		b.WriteByte('\n')
	}
	b.WriteString(c.follows() + "\n")
	return b.String()
}

// keep returns the characters of want that are in s.
func keep(s, want string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(s, r) {
			return r
		}
		return -1
	}, want)
}

// SplitLine splits a line as bash does, quotes and backslashes removed, down to the word at its end, which may be
// unfinished or empty. There are always two words at least: the program and what is to be completed.
func SplitLine(line string) []string {
	words, _ := split(line, "")
	return words
}

// split is SplitLine, and says how much of the last word is before what bash replaces: all up to the last of its word breaks,
// which are none where they are quoted.
func split(line, breaks string) (words []string, cut int) {
	word, open := strings.Builder{}, false
	var quote rune
	escaped := false
	for _, r := range line {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, open = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, open = r, true
		case quote == 0 && (r == ' ' || r == '\t' || r == '\n'):
			if open {
				words = append(words, word.String())
			}
			word.Reset()
			open, cut = false, 0
		default:
			word.WriteRune(r)
			open = true
			if quote == 0 && strings.ContainsRune(breaks, r) {
				cut = word.Len()
			}
		}
	}
	words = append(words, word.String())
	if len(words) < 2 {
		words, cut = append(words, ""), 0
	}
	return words, cut
}
