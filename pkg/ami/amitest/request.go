package amitest

import (
	"strings"

	"github.com/apntalk/amictl/internal/manager"
)

// Header is one "Name: Value" line.
type Header struct{ Name, Value string }

// Request is one action as the server understood it. It is valid only until
// its handler returns; Headers gives a copy that may be kept.
type Request struct {
	in   *manager.Input
	sess *session
	// action and id borrow the message's memory.
	action, id []byte
}

// Action returns the action's name as the client spelled it.
func (r *Request) Action() string { return string(r.action) }

// ActionID returns the client's ActionID, "" if there is none.
func (r *Request) ActionID() string { return string(r.id) }

// Get returns the value of the first header of that name, ignoring case; ""
// if there is none or it is empty (astman_get_header).
func (r *Request) Get(name string) string { return string(r.in.First(name, false)) }

// Has says whether a header of that name was sent, even an empty one.
func (r *Request) Has(name string) bool {
	for i := range r.in.Len() {
		if _, ok := manager.HeaderValue(r.in.Line(i), name); ok {
			return true
		}
	}
	return false
}

// Values returns the values of all headers of that name, in order.
func (r *Request) Values(name string) []string {
	var vs []string
	for i := range r.in.Len() {
		if v, ok := manager.HeaderValue(r.in.Line(i), name); ok {
			vs = append(vs, string(v))
		}
	}
	return vs
}

// Headers returns a copy of all header lines, in order. A line without a colon
// has its text in Name.
func (r *Request) Headers() []Header {
	hs := make([]Header, 0, r.in.Len())
	for i := range r.in.Len() {
		name, value, _ := strings.Cut(string(r.in.Line(i)), ":")
		hs = append(hs, Header{name, strings.TrimLeft(value, manager.Blanks)})
	}
	return hs
}

// User returns the name that the session logged in as.
func (r *Request) User() string { return r.sess.user }

// Session returns the number of the session, counted from 1 for each server.
func (r *Request) Session() uint64 { return r.sess.id }

// Server returns the server that received the action.
func (r *Request) Server() *Server { return r.sess.srv }

// vars collects the Variable headers (astman_get_variables_order): each is
// split on commas outside of quotes, and quotes and backslashes are removed.
func (r *Request) vars(header string) []Header {
	const maxVars = 64
	var out []Header
	for _, v := range r.Values(header) {
		for _, pair := range splitArgs(v, maxVars) {
			name, value, _ := strings.Cut(pair, "=")
			if name = strings.TrimSpace(name); name != "" {
				out = append(out, Header{name, value})
			}
		}
	}
	return out
}

// splitArgs is AST_STANDARD_APP_ARGS (app.c): commas inside quotes, brackets or
// parentheses do not split, quotes and backslashes vanish.
func splitArgs(s string, limit int) []string {
	var args []string
	var cur strings.Builder
	var quoted bool
	var depth int
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			i++
			cur.WriteByte(s[i])
			continue
		case c == '"':
			quoted = !quoted
			continue
		case !quoted && (c == '(' || c == '['):
			depth++
		case !quoted && (c == ')' || c == ']') && depth > 0:
			depth--
		case c == ',' && !quoted && depth == 0 && len(args) < limit-1:
			args = append(args, cur.String())
			cur.Reset()
			continue
		}
		cur.WriteByte(s[i])
	}
	return append(args, cur.String())
}
