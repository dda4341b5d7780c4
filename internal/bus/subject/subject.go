// Package subject names things on the bus: clusters, nodes, events and actions as tokens of NATS subjects.
package subject

import (
	"errors"
	"fmt"
	"strings"
)

// The first tokens of all subjects.
const (
	events = "ami.ev"  // batches: the truth
	single = "ami.one" // single events as JSON
	acts   = "ami.act" // actions, by request and reply
)

// Events is the subject of a node's batches.
func Events(cluster, node string) string { return join(events, cluster, node) }

// AllEvents is what a stream of all nodes' batches listens to.
func AllEvents(cluster string) string { return join(events, cluster) + ".*" }

// One is the subject of a node's single events of a name.
func One(cluster, node, event string) string { return join(single, cluster, node, event) }

// NodeOne is what all of a node's single events match.
func NodeOne(cluster, node string) string { return join(single, cluster, node) + ".*" }

// AllOne is what a stream of all single events listens to.
func AllOne(cluster string) string { return join(single, cluster) + ".*.*" }

// Beats is the subject of the bridges' heartbeats.
func Beats(cluster string) string { return join("ami.beat", cluster) }

// Reader is the subject on which whoever reads a durable says that he is there.
func Reader(cluster, durable string) string { return join("ami.read", cluster, durable) }

// Action is the subject of a user's requests for an action on a node. Who may publish there speaks in the user's name.
func Action(cluster, node, user, action string) string {
	return join(acts, cluster, node, user, action)
}

// Actions is what the owner of a node listens to.
func Actions(cluster, node string) string { return join(acts, cluster, node) + ".*.*" }

// Owner is the subject on which the owner of a node says whether it takes actions.
func Owner(cluster, node string) string { return join("ami.own", cluster, node) }

// Move is the subject on which the owner of a node is asked to hand it over to another bridge.
func Move(cluster, node string) string { return join("ami.move", cluster, node) }

// Take is the subject on which owners ask a bridge to take a node over.
func Take(cluster, bridge string) string { return join("ami.take", cluster, bridge) }

// Standbys is the subject on which bridges are asked for which nodes they stand by.
func Standbys(cluster string) string { return join("ami.hot", cluster) }

// UserAndAction returns these of a subject of Action.
func UserAndAction(subject string) (user, action string, err error) {
	parts := strings.Split(subject, ".")
	if len(parts) != 6 || parts[0]+"."+parts[1] != acts {
		return "", "", fmt.Errorf("bus: %q is no subject of actions", subject)
	}
	if user, err = Name(parts[4]); err == nil {
		action, err = Name(parts[5])
	}
	return user, action, err
}

func join(prefix string, names ...string) string {
	var b strings.Builder
	b.WriteString(prefix)
	for _, name := range names {
		b.WriteByte('.')
		b.WriteString(Token(name))
	}
	return b.String()
}

// Node returns the node of a subject of batches.
func Node(subject string) (string, error) {
	parts := strings.Split(subject, ".")
	if len(parts) != 4 || parts[0]+"."+parts[1] != events {
		return "", fmt.Errorf("bus: %q is not a subject of events", subject)
	}
	return Name(parts[3])
}

const hexDigits = "0123456789ABCDEF"

// Token makes any name a token: every byte that is not a letter, a digit, _ or - is written %XX, and the empty name is %.
func Token(name string) string {
	if name == "" {
		return "%"
	}
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return b.String()
}

// StreamName is Token for the names of streams and buckets, which may not have a %: = stands for it.
func StreamName(name string) string { return strings.ReplaceAll(Token(name), "%", "=") }

// NodeOfKey returns the node of a key of leases, which is its StreamName.
func NodeOfKey(key string) (string, error) { return Name(strings.ReplaceAll(key, "=", "%")) }

var errToken = errors.New("is no token of ours")

// Name is the inverse of Token. It refuses what Token does not write, so that no two tokens are one name.
func Name(token string) (string, error) {
	if token == "%" {
		return "", nil
	}
	var b strings.Builder
	for i := 0; i < len(token); i++ {
		c := token[i]
		if c == '%' && i+2 < len(token) {
			high, low := strings.IndexByte(hexDigits, token[i+1]), strings.IndexByte(hexDigits, token[i+2])
			if high >= 0 && low >= 0 && !plain(byte(high<<4|low)) {
				b.WriteByte(byte(high<<4 | low))
				i += 2
				continue
			}
		}
		if !plain(c) {
			return "", fmt.Errorf("bus: %q %w", token, errToken)
		}
		b.WriteByte(c)
	}
	if b.Len() == 0 {
		return "", fmt.Errorf("bus: %q %w", token, errToken)
	}
	return b.String(), nil
}

func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}
