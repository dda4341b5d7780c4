// Package benchsim simulates the cluster that a load run without a target drives, in a process of its own or in this
// one: then the figures for memory and processor are the client's alone.
package benchsim
