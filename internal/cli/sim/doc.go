// Package sim has the subcommand sim: simulated servers, alone or around a command.
package sim
