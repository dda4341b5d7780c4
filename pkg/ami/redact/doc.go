// Package redact keeps secrets out of what is printed.
//
// A [Secret] is a password that no way of formatting shows. A [Redactor] takes secrets out of text, log attributes and
// whole AMI packets: by the names beside them, by patterns, and by their values. A [LogSink] is a slog.Handler that
// redacts, and that never makes its caller wait for the handler behind it.
package redact
