// Package capture reads AMI packets out of text that was kept of a session: what a server sent, byte for byte, or that with
// other text around it, such as a debug log, the notes of a capture program, a quote or a terminal's record. It does no
// I/O of its own and holds at most one packet at a time.
//
// A packet begins at its Event or Response line when no header of another packet stands before it in the paragraph, and ends
// at a blank line. What stands before each of its lines alike (time stamps, names, "> ", an indent) is taken off.
package capture
