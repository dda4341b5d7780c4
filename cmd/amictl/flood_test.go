package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/shapes"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// shapePrefix makes the server send events of the shape whose name follows, as many as are read.
const shapePrefix = "shape:"

// serverVariable makes the test binary a server, so that a benchmark's process is the client's alone: one that sends so
// many events a second, or with "max" as many as are read, or with "answers" a simulated Asterisk.
const serverVariable = "AMICTL_TEST_SERVER"

// floodPackets are events as Asterisk sends them, with their usual sizes.
func floodPackets() string {
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

// serve serves until its standard input is closed, and prints its address.
func serve() {
	if os.Getenv(serverVariable) == "answers" {
		s := amitest.NewServer()
		defer s.Close()
		fmt.Println(s.Addr())
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	packets := []byte(floodPackets())
	if name, ok := strings.CutPrefix(os.Getenv(serverVariable), shapePrefix); ok {
		packets = []byte(shapePackets(name))
	}
	rate, _ := strconv.ParseFloat(os.Getenv(serverVariable), 64) // 0: no limit
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go floodSession(c, packets, rate)
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func floodSession(c net.Conn, packets []byte, rate float64) {
	defer func() { _ = c.Close() }()
	_, _ = c.Write([]byte("Asterisk Call Manager/11.0.0\r\n"))
	in := bufio.NewReader(c)
	id := ""
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		if v, ok := strings.CutPrefix(line, "ActionID: "); ok {
			id = strings.TrimSpace(v)
		}
		if line == "\r\n" {
			break
		}
	}
	_, _ = c.Write([]byte("Response: Success\r\nActionID: " + id + "\r\nMessage: Authentication accepted\r\n\r\n"))
	events := float64(bytes.Count(packets, []byte("\r\n\r\n")))
	for start, sent := time.Now(), 0.0; ; sent += events {
		if rate > 0 {
			time.Sleep(time.Until(start.Add(time.Duration(sent / rate * float64(time.Second)))))
		}
		if _, err := c.Write(packets); err != nil {
			return
		}
	}
}

// shapePackets returns a megabyte or so of a shape's packets.
func shapePackets(name string) string {
	s, ok := shapes.Named(name)
	if !ok {
		panic("no shape " + name)
	}
	all := strings.Join(s.Packets(), "")
	return strings.Repeat(all, 1+(1<<20)/len(all))
}
