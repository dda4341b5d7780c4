package main

import (
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
	packets := []byte(shapes.Calls())
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
	if shapes.LetIn(c) != nil {
		return
	}
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
