//go:build !race

package testnet_test

var raceFlags []string
