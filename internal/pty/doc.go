// Package pty makes terminals for tests of what people see and type. Only tests import it.
package pty
