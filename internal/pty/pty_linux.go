package pty

import (
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// Open makes a terminal of 24 rows and so many columns: the end at which a person sits, and the one that a process gets.
func Open(columns uint16) (person, tty *os.File, err error) {
	if person, err = os.OpenFile("/dev/ptmx", os.O_RDWR, 0); err != nil {
		return nil, nil, err
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		tty, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns})
	}
	return person, tty, err
}

// New is Open for as long as a test lasts.
func New(t testing.TB, columns uint16) (person, tty *os.File) {
	t.Helper()
	person, tty, err := Open(columns)
	t.Cleanup(func() { _, _ = person.Close(), tty.Close() }) // of nil, too
	if err != nil {
		t.Fatal(err)
	}
	return person, tty
}
