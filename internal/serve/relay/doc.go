// Package relay is what doors have in common that pass AMI packets on: a client's message becomes an action, a server's reply the
// client's, and a refusal of the daemon's own says how far the action came.
package relay
