// Package wire is the codec of the Asterisk Manager Interface (AMI): bytes to messages and actions to bytes.
//
// A [Reader] iterates over the messages of a stream, such as a capture. A [Decoder] does no I/O: it is fed with whatever a
// socket gave, split anywhere, and hands out one [Message] a packet. [AppendAction] appends one action to a buffer and
// refuses whatever Asterisk would misread. Protocol facts are Asterisk's own (main/manager.c); the functions they come
// from are named where they matter.
package wire
