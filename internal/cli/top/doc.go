// Package top has the subcommand top: what servers hold, on a screen that is kept up to date.
//
// A [Model] is pure: it takes what servers hold, keys and the time, and draws a [Grid]. The shell around it follows the servers,
// sends what the model orders, and puts the grid on a terminal.
package top
