// Package act makes an action of a command line's words and lets it pass: unknown names are warned of, a protected context asks,
// a dry run prints. It judges the text that comes back, too.
package act
