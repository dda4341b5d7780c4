// Package target is the way from flags and contexts to connected nodes: names, secrets, TLS, this host's manager.conf, dialling,
// and what to do with several nodes at once.
package target
