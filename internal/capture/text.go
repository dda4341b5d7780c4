package capture

import (
	"bytes"
	"strings"
)

// trimEnd returns a line without its end, and without a byte order mark at its front. script(1) doubles the carriage return.
func trimEnd(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte{'\n'})
	line = bytes.TrimRight(line, "\r")
	return bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
}

// withoutColours returns the line without escape sequences. It copies nothing if there is none.
func withoutColours(line []byte) []byte {
	if bytes.IndexByte(line, '\x1b') < 0 {
		return line
	}
	out := make([]byte, 0, len(line))
	for len(line) > 0 {
		if line[0] != '\x1b' {
			out = append(out, line[0])
			line = line[1:]
			continue
		}
		line = line[sequence(line):]
	}
	return bytes.TrimRight(out, "\r") // a colour may stand behind it
}

// sequence returns the length of the escape sequence that b begins with.
func sequence(b []byte) int {
	if len(b) < 2 {
		return len(b)
	}
	switch b[1] {
	case '[': // CSI: parameters, and a final byte
		for i := 2; i < len(b); i++ {
			if b[i] >= 0x40 && b[i] <= 0x7e {
				return i + 1
			}
		}
		return len(b)
	case ']': // OSC: up to BEL or ST
		for i := 2; i < len(b); i++ {
			if b[i] == '\a' {
				return i + 1
			}
			if b[i] == '\x1b' && i+1 < len(b) && b[i+1] == '\\' {
				return i + 2
			}
		}
		return len(b)
	case '(', ')': // a character set
		return min(3, len(b))
	}
	return 2
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

// headerName returns the name of a line that is spelled as Asterisk spells headers, or "". A name may hold anything within
// parentheses, as in ChanVariable(PJSIP/a).
func headerName(line []byte) string {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 || colon+1 < len(line) && line[colon+1] != ' ' || !isLetter(line[0]) {
		return ""
	}
	name := line[:colon]
	if open := bytes.IndexByte(name, '('); open > 0 && name[colon-1] == ')' {
		name = name[:open]
	}
	for _, c := range name {
		if !isLetter(c) && !isDigit(c) && c != '-' && c != '_' && c != '/' && c != '.' {
			return ""
		}
	}
	return string(name)
}

func isHeader(line []byte) bool { return headerName(line) != "" }

// likeHeader is isHeader for names of several words, too: SIPshowpeer has some.
func likeHeader(line []byte) bool {
	colon := bytes.IndexByte(line, ':')
	return colon > 0 && isLetter(line[0]) && isHeader(bytes.ReplaceAll(line[:colon+1], []byte{' '}, []byte{'-'}))
}

// known are headers by which the rest of a packet is known whose beginning is missing. Other text has lines of the form of a
// header too ("Note: …", "tcpdump: …").
var known = map[string]bool{
	"privilege": true, "actionid": true, "channel": true, "uniqueid": true, "linkedid": true, "channelstate": true,
	"channelstatedesc": true, "calleridnum": true, "connectedlinenum": true, "destchannel": true, "destuniqueid": true,
	"bridgeuniqueid": true, "sequencenumber": true, "eventlist": true, "listitems": true, "cause-txt": true, "chanvariable": true,
	"objectname": true, "peerstatus": true, "channeltype": true, "accountcode": true,
}

func isKnown(name string) bool { return known[strings.ToLower(name)] }

// eventName and others are what a packet's first line begins with.
var eventStart, responseStart = []byte("Event:"), []byte("Response:")

// startsPacket tells the first line of a packet, whatever its case.
func startsPacket(line []byte) bool { return begins(line, eventStart) || begins(line, responseStart) }

func begins(line, with []byte) bool {
	return len(line) >= len(with) && bytes.EqualFold(line[:len(with)], with)
}

const banner = "Asterisk Call Manager/"

func isBanner(line []byte) bool { return bytes.HasPrefix(line, []byte(banner)) }
func isAction(line []byte) bool { return begins(line, []byte("Action:")) }

// isDebug tells the line that `manager set debug on` writes before each packet (manager.c, match_filter).
func isDebug(line []byte) bool { return bytes.Contains(line, []byte("<-- Examining AMI event")) }

// isDump tells the line that tcpdump writes before each packet's bytes.
func isDump(line []byte) bool {
	flags := bytes.Index(line, []byte(": Flags ["))
	return flags > 0 && bytes.Contains(line[:flags], []byte(" > ")) && bytes.Contains(line[flags:], []byte(", length "))
}

// isPrivileged tells the header that stands behind an event's first line and nowhere else.
func isPrivileged(line []byte) bool {
	return begins(line, []byte("Privilege:")) && bytes.HasSuffix(line, []byte(",all"))
}

// answers tells the header behind a response's first line, which an event with a Response header has elsewhere.
func answers(line []byte) bool {
	switch name := headerName(line); name {
	case "ActionID", "Message", "EventList", "Ping":
		return true
	}
	return false
}

// fenceOf returns the character of a code fence, and whether there is nothing else in the line.
func fenceOf(line []byte) (c byte, bare bool) {
	line = bytes.Trim(line, "> \t")
	if len(line) < 3 || line[0] != '`' && line[0] != '~' {
		return 0, false
	}
	c = line[0]
	rest := bytes.TrimLeft(line, string(c))
	if len(line)-len(rest) < 3 {
		return 0, false
	}
	return c, len(rest) == 0
}

// isEscaped tells a whole packet in one line, its line ends spelled out, which cannot be told from text that speaks of it.
func isEscaped(line []byte) bool {
	i := bytes.Index(line, []byte("Event: "))
	return i >= 0 && bytes.Contains(line[i:], []byte(`\r\n`))
}
