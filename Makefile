# amictl: the habits of the project. "make" lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
FUZZ ?= 20000x
HOURS ?= 8

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 12

build: ## build ./amictl and ./amictld, reproducibly
	CGO_ENABLED=0 go build -trimpath -tags=urfave_cli_no_template -ldflags='-s -w' -o . ./cmd/amictl ./cmd/amictld

run: ## the main job: load on the embedded simulated cluster
	go run ./cmd/amictl bench

test: ## all tests that need nothing but Go
	go test ./...

race: ## the same under the race detector, the processes too
	scripts/race

lint: ## formatting, vet, golangci-lint, all pinned
	scripts/lint

fuzz: ## every fuzz target, by count (FUZZ=200000x)
	scripts/fuzz $(FUZZ)

interop: ## against real Asterisk 22 and 16, each from a clean start (root, debootstrap)
	scripts/interop

bench: ## all benchmarks with their references, and a table of ratios
	scripts/bench

soak: ## the simulation for hours, new seeds each time (HOURS=8)
	scripts/soak $(HOURS)

supply: ## modules, reproducible builds, known vulnerabilities
	scripts/supply

prove: ## every promise with faults, in numbers (long; scripts/prove --short for a part)
	scripts/prove

docs: ## write the reference, man pages and schemas anew, from the commands
	go test ./internal/cli -count=1 -run TestGenerated -update

pictures: ## make the pictures of the README anew (installs what is missing)
	scripts/pictures

pages: ## run every command of the pages, and completion in bash, zsh and fish (installs what is missing)
	scripts/pages

release: ## archives, packages, an image, materials and sums of VERSION in dist/, from what is committed
	scripts/release $(VERSION)

packages: ## install, upgrade and purge what a release makes, in Debian trees and under a real systemd (root)
	scripts/packages

install: build ## install the binary, man pages and completion (PREFIX=/usr/local)
	scripts/install

.PHONY: help build run test race lint fuzz interop bench soak supply prove docs pictures pages release packages install
