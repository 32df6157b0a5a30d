package main

import (
	"cmp"
	"runtime/debug"
	"strings"
)

// built is the version that the build sets: -ldflags "-X main.built=v0.2.0".
var built string

// version is the program's, or the commit it was built from.
func version() string {
	if built != "" {
		return built
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return cmp.Or(strings.Trim(info.Main.Version, "()"), "devel")
}
