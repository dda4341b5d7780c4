// Package loopback says what certainly stays on this host.
package loopback

import (
	"net"
	"net/netip"
	"strings"
)

// Host reports whether a host's name or address means this host alone. No name server is asked.
func Host(host string) bool {
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

// Addr is Host of HOST:PORT; it is false where there is no port.
func Addr(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && Host(host)
}
