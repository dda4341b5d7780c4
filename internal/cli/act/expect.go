package act

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/pkg/ami"
)

// TextConditions are what --expect and --reject want of a command's output.
type TextConditions struct{ expect, reject []*regexp.Regexp }

// NewTextConditions compiles the expressions of --expect and --reject.
func NewTextConditions(expect, reject []string) (c TextConditions, err error) {
	if c.expect, err = compileAll("--expect", expect); err != nil {
		return c, err
	}
	c.reject, err = compileAll("--reject", reject)
	return c, err
}

// compileAll compiles expressions in which ^ and $ match at the ends of lines.
func compileAll(flag string, texts []string) (all []*regexp.Regexp, err error) {
	for _, s := range texts {
		re, err := regexp.Compile("(?m)" + s)
		if err != nil {
			return nil, fail.Usage("the syntax is RE2's", "%s %q: %s", flag, s, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
		all = append(all, re)
	}
	return all, nil
}

// OutputText is what a command printed, without its last line end.
func OutputText(r *ami.Reply) string {
	return strings.Join(slices.Collect(r.Output()), "\n")
}

// outputHint says where to look when a condition does not hold; silentHint, where there is nothing to look at.
const (
	outputHint = "the command's output, on standard output, shows why"
	silentHint = "some commands tell what they did to Asterisk's log alone: leave --expect out, and look at what they change with another command"
)

// Unmatched says that a command's output does not match what is wanted of it.
func Unmatched(text, wanted string) string {
	if strings.TrimSpace(text) == "" {
		return "the command printed nothing, which does not match " + wanted
	}
	return "the output does not match " + wanted
}

// Check returns the error of the first condition that does not hold.
func (c *TextConditions) Check(node string, r *ami.Reply) error {
	if len(c.expect)+len(c.reject) == 0 {
		return nil
	}
	text := OutputText(r)
	for _, re := range c.expect {
		if !re.MatchString(text) {
			hint := outputHint
			if strings.TrimSpace(text) == "" {
				hint = silentHint
			}
			return &fail.Error{Code: fail.CodeCondition, Message: node + ": " + Unmatched(text, "--expect '"+re.String()[len("(?m)"):]+"'"), Hint: hint}
		}
	}
	for _, re := range c.reject {
		if found := re.FindString(text); re.MatchString(text) {
			return &fail.Error{Code: fail.CodeCondition, Message: fmt.Sprintf("%s: the output matches --reject '%s': %s", node, re.String()[len("(?m)"):], found), Hint: outputHint}
		}
	}
	return nil
}
