//go:build race

package testnet_test

// raceFlags have the processes under test watch for races too.
var raceFlags = []string{"-race"}
