package fail

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/catalog"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// HintOf is what to do about failures that nobody knows more of.
var HintOf = map[Code]string{
	CodeUsage:     "see `amictl --help`",
	CodeConfig:    "`amictl config explain` shows the settings in use, and where each comes from",
	CodeInput:     "`amictl actions NAME` shows what an action takes",
	CodeTimeout:   "it may have run; --timeout allows more time",
	CodeLost:      "it may have run: check before you try again",
	CodeUnsent:    "nothing was sent: safe to try again",
	CodeConnect:   "check the address, the port and the network in between",
	CodeRefused:   "these are the server's own words; its log may say more",
	CodeInvalid:   "use a smaller load, or an idle machine",
	CodeGap:       "it may have happened meanwhile: check before you try again",
	codeBug:       "amictl does not know this error, and what was asked for may have run: check before you try again, and please report it",
	codeThreshold: "the figures are on standard output",
}

// Hints for files.
const (
	ReadHint  = "check the path, and that you may read it"
	WriteHint = "check the path, that you may write there, and that the disk is not full"
)

func bannerHint(err error) string {
	var banner *wire.BannerError
	switch {
	case errors.Is(err, ami.ErrDisconnected):
		return "it closed the connection before its greeting: it is starting or stopping, or authlimit in manager.conf is reached, which counts sessions that are not logged in yet, or it is a TLS port, which needs amis://"
	case !errors.As(err, &banner):
		return "is this the manager's port (5038)? A TLS port needs amis://"
	case strings.HasPrefix(banner.Got, "HTTP/"):
		return "that is an HTTP server; the manager's port is usually 5038"
	case strings.HasPrefix(banner.Got, "SSH-"):
		return "that is an SSH server; the manager's port is usually 5038"
	case strings.HasPrefix(banner.Got, "\x15\x03"):
		return "that is a TLS port: use amis://"
	}
	return "the manager's port is usually 5038"
}

func permissionHint(action string) string {
	a, ok := catalog.Lookup(action)
	if !ok || len(a.Classes) == 0 {
		return "the user's write= in manager.conf lacks a class that this action needs"
	}
	return "the user's write= in manager.conf needs one of: " + strings.Join(a.Classes, ", ")
}

func unknownActionHint(action string) string {
	var names []string
	for _, a := range catalog.Actions() {
		if wire.EqualFold(a.Name, action) {
			return "the module that has it is not loaded there, or not yet; `amictl send ListCommands` shows what is"
		}
		names = append(names, a.Name)
	}
	if near := Nearest(action, names); near != "" {
		return "did you mean " + near + "?"
	}
	return "`amictl actions` lists the known ones, `amictl send ListCommands` those of this server"
}

// saysMissing reports whether a refusal is about a parameter that is missing or wrong, in the words of Asterisk's modules.
func saysMissing(message string) bool {
	message = strings.ToLower(message)
	return slices.ContainsFunc([]string{"specif", "missing", "requir", "must ", "invalid "}, func(words string) bool {
		return strings.Contains(message, words)
	})
}

// parameterHint says what an action takes.
func parameterHint(action string) string {
	a, ok := catalog.Lookup(action)
	if !ok || len(a.Params) == 0 {
		return HintOf[CodeRefused]
	}
	hint := "`amictl actions " + a.Name + "` shows what it takes"
	var needs []string
	for _, p := range a.Params {
		if p.Required {
			needs = append(needs, p.Name)
		}
	}
	if len(needs) > 0 {
		hint += "; it needs " + strings.Join(needs, ", ")
	}
	return hint
}

// encodedHint names the parameter that takes what a value of one line cannot hold, "" if the action has none: MessageSend has Base64Body
// beside Body.
func encodedHint(action string, e *wire.FieldError) string {
	a, _ := catalog.Lookup(action)
	at := slices.IndexFunc(a.Params, func(p catalog.Param) bool { return wire.EqualFold(p.Name, "Base64"+e.Header) })
	if at < 0 || !errors.Is(e.Err, wire.ErrNewline) && !errors.Is(e.Err, wire.ErrNUL) {
		return ""
	}
	return fmt.Sprintf(`a value is one line of text; %[1]s takes any: %[1]s="$(base64 < FILE | tr -d '\n')"`, a.Params[at].Name)
}

func fieldHint(e *wire.FieldError) string {
	switch {
	case errors.Is(e.Err, wire.ErrNewline), errors.Is(e.Err, wire.ErrNUL):
		return "a value is one line of text"
	case errors.Is(e.Err, wire.ErrLineTooLong):
		return "Asterisk reads no longer lines; a long value has to reach it another way, such as AstDB or a file"
	case errors.Is(e.Err, wire.ErrHeaders):
		return "send fewer headers in one action"
	case errors.Is(e.Err, wire.ErrLeadingSpace):
		return "leave the white space out"
	case errors.Is(e.Err, wire.ErrEmpty):
		return "such as `amictl send CoreStatus`"
	case errors.Is(e.Err, wire.ErrName):
		return "Key=Value, and Key a name such as Variable"
	case errors.Is(e.Err, wire.ErrReserved):
		return "amictl numbers its actions itself; give your own id with `send -`"
	}
	return ""
}
