package shapes

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Calls is a megabyte of the events of calls, as Asterisk sends them, with their usual sizes.
func Calls() string {
	var b strings.Builder
	for i := 0; b.Len() < 1<<20; i++ {
		channel := fmt.Sprintf("PJSIP/100-%08x", i)
		head := func(event string) {
			b.WriteString("Event: " + event + "\r\nPrivilege: call,all\r\nChannel: " + channel + "\r\nChannelState: 6\r\nChannelStateDesc: Up\r\n" +
				"CallerIDNum: 100\r\nCallerIDName: Alice\r\nConnectedLineNum: 200\r\nConnectedLineName: Bob\r\nLanguage: en\r\nAccountCode: \r\n" +
				"Context: default\r\nExten: 200\r\nPriority: 1\r\nUniqueid: 1795435200." + strconv.Itoa(i) + "\r\nLinkedid: 1795435200." + strconv.Itoa(i) + "\r\n")
		}
		head("Newchannel")
		b.WriteString("\r\n")
		head("VarSet")
		b.WriteString("Variable: CAMPAIGN\r\nValue: spring\r\n\r\n")
		head("Hangup")
		b.WriteString("Cause: 16\r\nCause-txt: Normal Clearing\r\n\r\n")
	}
	return b.String()
}

// LetIn takes a client's login, whatever it says, as a server that then sends events and nothing else.
func LetIn(c net.Conn) error {
	if _, err := c.Write([]byte("Asterisk Call Manager/11.0.0\r\n")); err != nil {
		return err
	}
	in := bufio.NewReader(c)
	for id := ""; ; {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		if v, ok := strings.CutPrefix(line, "ActionID: "); ok {
			id = strings.TrimSpace(v)
		}
		if line == "\r\n" {
			_, err = c.Write([]byte("Response: Success\r\nActionID: " + id + "\r\nMessage: Authentication accepted\r\n\r\n"))
			return err
		}
	}
}
