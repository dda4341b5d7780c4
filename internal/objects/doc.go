// Package objects knows the objects of the state by what the command line calls them: their parts, their keys, what a condition
// finds in them, and how they look to people.
package objects
