package main

import (
	"bytes"
	"encoding/binary"
	"net"
	"strconv"
	"sync"
	"syscall"
)

// A wire is a witness of what left for the server: it sees the packets on the loopback interface, so that `"sent":"no"` can
// be held against them.
type wire struct {
	fd   int
	port uint16

	mu   sync.Mutex
	seen map[string]bool
	rest map[uint16][]byte // by the client's port: the end of the last packet, where a mark may have begun
}

func watchWire(addr string) (*wire, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		return nil, err
	}
	protocol := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, syscall.ETH_P_IP))
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, int(protocol))
	if err != nil {
		return nil, err
	}
	_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, 64<<20)
	if err := syscall.Bind(fd, &syscall.SockaddrLinklayer{Protocol: protocol, Ifindex: lo.Index}); err != nil {
		_ = syscall.Close(fd)
		return nil, err
	}
	w := &wire{fd: fd, port: uint16(n), seen: make(map[string]bool), rest: make(map[uint16][]byte)}
	go w.read()
	return w, nil
}

func (w *wire) Close() { _ = syscall.Close(w.fd) }

// left reports whether a mark was seen on its way to the server.
func (w *wire) left(mark string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen[mark]
}

func (w *wire) read() {
	buf := make([]byte, 1<<17)
	for {
		n, _, err := syscall.Recvfrom(w.fd, buf, 0)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return
		}
		w.packet(buf[:n])
	}
}

// packet takes an IPv4 packet.
func (w *wire) packet(p []byte) {
	if len(p) < 20 || p[0]>>4 != 4 || p[9] != syscall.IPPROTO_TCP {
		return
	}
	p = p[:min(len(p), int(binary.BigEndian.Uint16(p[2:])))]
	header := int(p[0]&15) * 4
	if len(p) < header+20 {
		return
	}
	tcp := p[header:]
	offset := int(tcp[12]>>4) * 4
	if binary.BigEndian.Uint16(tcp[2:]) != w.port || len(tcp) <= offset {
		return
	}
	w.text(binary.BigEndian.Uint16(tcp), tcp[offset:])
}

// text takes what a client sent; on loopback it comes in order.
func (w *wire) text(client uint16, p []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	const size = len(marked) + markDigits
	all := append(w.rest[client], p...)
	for at := 0; ; {
		i := bytes.Index(all[at:], []byte(marked))
		if i < 0 || at+i+size > len(all) {
			break
		}
		w.seen[string(all[at+i:at+i+size])] = true
		at += i + size
	}
	w.rest[client] = bytes.Clone(all[max(0, len(all)-size):])
}
