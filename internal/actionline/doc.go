// Package actionline reads an action as one JSON object: a line of `amictl send -`, or what the daemon's HTTP door is sent.
package actionline
