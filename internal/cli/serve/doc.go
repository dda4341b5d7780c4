// Package serve is `amictl serve`: from flags and configuration to the daemon of internal/serve.
package serve
