package amitest

// Fault is one way for the server to misbehave.
type Fault struct{ Kind string }
