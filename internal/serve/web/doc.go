// Package web is the daemon's HTTP door: metrics, health, state, events and actions, and the page of the wall board.
// docs/serve.md and the OpenAPI document that it serves describe it to clients.
package web
