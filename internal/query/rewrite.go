package query

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// rewrite returns the path with what gjson does not do put in the words of our modifiers:
//
//	#(PATH>100)   is  #([:PATH].@amictl_ordered:"gt 100")
//	#(>100)#      is  @amictl_each:"gt 100"
//	[A,B]         is  [[:A],[:B]].@amictl_columns
//
// A path in brackets of its own is there or not as a whole, whichever part of it is missing; the colon keeps gjson from
// taking one further on for the end of a name. A path that needs none of it stays byte for byte what it is, and so does
// what cannot be read.
func rewrite(path string) string {
	var out strings.Builder
	start := 0
	if strings.HasPrefix(path, "..") { // lines as an array
		out.WriteString(path[:2])
		start = 2
	}
	rest, begins := path[start:], start == 0 // begins: a literal or a list of paths may stand here
	for rest != "" {
		text, size, ok := component(rest, begins)
		if !ok {
			return path
		}
		out.WriteString(text)
		rest = rest[size:]
		if rest == "" {
			break
		}
		if rest[0] != '.' && rest[0] != '|' {
			return path
		}
		out.WriteByte(rest[0])
		rest, begins = rest[1:], true
	}
	return out.String()
}

// component rewrites what stands at the front of a path, up to a dot or pipe, and returns how long it was.
func component(path string, begins bool) (text string, size int, ok bool) {
	switch {
	case !begins:
	case path[0] == '[' || path[0] == '{':
		return several(path)
	case path[0] == '!' && len(path) > 1:
		return literal(path)
	case path[0] == '@':
		if size := modifier(path); size > 0 {
			return path[:size], size, true
		}
	}
	if strings.HasPrefix(path, "#(") || strings.HasPrefix(path, "#[") {
		return selection(path, begins)
	}
	size = 0
	for size < len(path) && path[size] != '.' && path[size] != '|' {
		if path[size] == '\\' {
			size++
		}
		size++
	}
	size = min(size, len(path))
	return path[:size], size, true
}

// literal is !VALUE.
func literal(path string) (text string, size int, ok bool) {
	switch path[1] {
	case '{', '[', '"':
		size, ok = balanced(path[1:])
		return path[:min(1+size, len(path))], 1 + size, ok
	case '+', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return path, len(path), true // gjson takes the rest of the path for the number
	}
	if size = strings.IndexAny(path, ".|"); size < 0 {
		size = len(path)
	}
	return path[:size], size, true
}

// modifier returns the length of @NAME or @NAME:ARGUMENT, 0 if there is no such modifier: it is a key then.
func modifier(path string) int {
	size := strings.IndexAny(path, ".|:")
	if size < 0 {
		size = len(path)
	}
	if !gjson.ModifierExists(path[1:size], nil) {
		return 0
	}
	if size == len(path) || path[size] != ':' || size+1 == len(path) {
		return size
	}
	size++
	if strings.IndexByte(`{["`, path[size]) >= 0 {
		n, _ := balanced(path[size:])
		return size + n
	}
	for size < len(path) && path[size] != '|' {
		if strings.IndexByte(`{["(`, path[size]) >= 0 {
			n, _ := balanced(path[size:])
			size += n - 1
		}
		size++
	}
	return min(size, len(path))
}

// balanced returns the length of the string, or of what stands in brackets, at the front of text.
func balanced(text string) (size int, ok bool) {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '{', '[', '(':
			depth++
		case '}', ']', ')':
			depth--
		}
		if depth == 0 {
			return min(i+1, len(text)), i < len(text)
		}
	}
	return len(text), false
}

// several rewrites [PATH,PATH] or {PATH,NAME:PATH}.
func several(path string) (text string, size int, ok bool) {
	if size, ok = balanced(path); !ok {
		return "", 0, false
	}
	if size < len(path) && path[size] != '.' && path[size] != '|' {
		return "", 0, false
	}
	list := path[0] == '['
	var out strings.Builder
	out.WriteByte(path[0])
	for i, s := range selectors(path[1 : size-1]) {
		if i > 0 {
			out.WriteByte(',')
		}
		was := s.path
		s.path = rewrite(was)
		switch {
		case list:
			out.WriteString("[:" + s.path + "]")
			continue
		case s.name != "":
			out.WriteString(s.name + ":")
		case s.path != was:
			out.Write(append(gjson.AppendJSONString(nil, nameOf(was)), ':'))
		case s.named:
			out.WriteByte(':')
		}
		out.WriteString(s.path)
	}
	out.WriteByte(path[size-1])
	if list {
		out.WriteString(".@" + columns)
	}
	return out.String(), size, true
}

// A selector is one of several paths, with its name if it has one.
type selector struct {
	name, path string
	named      bool
}

// selectors takes a list of paths apart as gjson does.
func selectors(list string) (all []selector) {
	depth, start, colon, isModifier := 0, 0, -1, false
	add := func(end int) {
		s := selector{path: list[start:end]}
		if colon >= 0 {
			s = selector{name: list[start:colon], path: list[colon+1 : end], named: true}
		}
		all = append(all, s)
		start, colon, isModifier = end+1, -1, false
	}
	for i := 0; i < len(list); i++ {
		switch list[i] {
		case '\\':
			i++
		case '@':
			isModifier = isModifier || i > 0 && (list[i-1] == '.' || list[i-1] == '|')
		case ':':
			if !isModifier && colon < 0 && depth == 0 {
				colon = i
			}
		case ',':
			if depth == 0 {
				add(i)
			}
		case '"':
			for i++; i < len(list) && list[i] != '"'; i++ {
				if list[i] == '\\' {
					i++
				}
			}
		case '[', '(', '{':
			depth++
		case ']', ')', '}':
			depth--
		}
	}
	add(len(list))
	return all
}

// nameOf is the name that gjson gives a path in an object of several.
func nameOf(path string) string {
	name := path
	for i := len(path) - 1; i >= 0; i-- {
		if (path[i] == '|' || path[i] == '.') && (i == 0 || path[i-1] != '\\') {
			name = path[i+1:]
			break
		}
	}
	if strings.ContainsAny(name, "[]{}()#|!") || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) {
		return "_"
	}
	return name
}

// selection rewrites #(PATH OP VALUE) or #(PATH OP VALUE)#.
func selection(path string, begins bool) (text string, size int, ok bool) {
	end, op := 2, 0
	for depth := 1; ; end++ {
		if end >= len(path) {
			return "", 0, false
		}
		if depth == 1 && op == 0 && strings.IndexByte("!=<>%", path[end]) >= 0 {
			op = end
			continue
		}
		switch path[end] {
		case '\\':
			end++
		case '[', '(':
			depth++
		case ']', ')':
			depth--
		case '"':
			for end++; end < len(path) && path[end] != '"'; end++ {
				if path[end] == '\\' {
					end++
				}
			}
		}
		if depth == 0 {
			break
		}
	}
	size = end + 1
	all := size < len(path) && path[size] == '#'
	if all {
		size++
	}
	inner, compared := path[2:end], ""
	if op > 0 {
		inner, compared = path[2:op], path[op:end]
	}
	order, isOrder := readOrder(compared)
	of := trim(inner)
	switch {
	case isOrder && of == "" && begins && all && size < len(path) && path[size] == '.': // what follows is of each member
		return "@" + each + ":" + order + ".#", size, true
	case isOrder && of == "" && begins && all:
		return "@" + each + ":" + order, size, true
	case isOrder && of == "" && begins:
		return "@" + first + ":" + order, size, true
	case isOrder && of != "":
		of = "[:" + escapeCommas(rewrite(of)) + "].@" + ordered + ":" + order
	default:
		if of = rewrite(of); of == trim(inner) {
			return path[:size], size, true
		}
		of += compared
	}
	return path[:2] + of + path[end:size], size, true
}

// escapeCommas keeps a path with commas in its keys one path in a list.
func escapeCommas(path string) string {
	if !strings.Contains(path, ",") {
		return path
	}
	var out strings.Builder
	depth := 0
	for i := 0; i < len(path); i++ {
		start := i
		switch path[i] {
		case '\\':
			i++
		case '"':
			n, _ := balanced(path[i:])
			i += n - 1
		case '[', '(', '{':
			depth++
		case ']', ')', '}':
			depth--
		case ',':
			if depth == 0 {
				out.WriteByte('\\')
			}
		}
		out.WriteString(path[start:min(i+1, len(path))])
	}
	return out.String()
}

// readOrder reads <, <=, > or >= with a number or a time, and returns the argument of a modifier that stands for it.
func readOrder(compared string) (argument string, ok bool) {
	for _, word := range []string{"le", "ge", "lt", "gt"} {
		value, found := strings.CutPrefix(trim(compared), orders[word])
		if !found {
			continue
		}
		if value = trim(value); len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
			value = trim(value[1 : len(value)-1])
		}
		value = plainNumber(value)
		_, err := condition(orders[word], value)
		return `"` + word + " " + value + `"`, err == nil && !strings.ContainsAny(value, `"\`)
	}
	return "", false
}

// plainNumber writes a number with an exponent without one; any other text stays.
func plainNumber(s string) string {
	if !strings.ContainsAny(s, "eE") || strings.ContainsAny(s, "xX_pP") {
		return s
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f-f != 0 {
		return s
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}
