// Package fail turns whatever went wrong into what the user sees: a message, a hint what to do next, and the exit status.
// It is the one place where errors become exit statuses.
package fail
