package loopback

import "testing"

func TestAddr(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1:80": true, "127.8.9.10:80": true, "localhost:80": true, "LOCALHOST:80": true, "[::1]:80": true, "[::ffff:127.0.0.1]:80": true,
		":80": false, "0.0.0.0:80": false, "[::]:80": false, "10.0.0.1:80": false, "localhost.example.com:80": false, "127.0.0.1": false, "": false,
		"127.0.0.1.example.com:80": false, "1:80": false,
	} {
		if got := Addr(addr); got != want {
			t.Errorf("%q is %v", addr, got)
		}
	}
}
