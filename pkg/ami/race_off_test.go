//go:build !race

package ami_test

const raceEnabled = false
