// Package held has what subcommands share that show what servers hold: how they are followed, and how their objects look.
package held
