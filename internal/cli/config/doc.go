// Package config reads, checks and edits the configuration file: contexts, their nodes, references to secrets.
package config
