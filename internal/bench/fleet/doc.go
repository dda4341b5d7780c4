// Package fleet shares one load out to several processes, here or on other hosts, and makes one result of what they measured.
//
// A coordinator gathers workers, gives each its segment of the load, measures how their clocks stand, has all start at one
// instant, and adds up what they report while they run and at the end. They talk over a Bus. Whoever does not hear the other
// side for a while stops: no worker loads servers that nobody watches, and no result lacks a worker without saying so.
//
// What decides is apart from what talks: plan.go, clock.go, pulse.go, chunk.go and audit.go are plain functions of their
// arguments; coordinator.go and worker.go are the two sides.
package fleet
