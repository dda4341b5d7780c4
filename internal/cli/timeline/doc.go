// Package timeline tells the story of one call: which events are its own, what they say in a few words, and its channels side
// by side.
package timeline
