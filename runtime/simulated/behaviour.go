package simulated

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"pharos/runtime"
)

// Behaviour is what a container's program does in every run.
type Behaviour struct {
	Ends      bool          // by itself
	After     time.Duration // when it ends
	Code      int           // with what
	StopCode  int           // with what it ends when it is stopped
	Unhealthy bool          // its health check fails
	Prints    []string      // at its start
}

// Specimen does what the test image of package testnet/image does for the same
// command: "done" ends at once, --exit-after and --code say when and how,
// --sick fails the health check. Other images' programs run until stopped.
func Specimen(spec runtime.ContainerSpec) Behaviour {
	var b Behaviour
	args := slices.Clone([]string(spec.Service.Command))
	b.Prints = []string{"specimen: " + strings.Join(args, " ")}
	if len(args) > 0 && args[0] == "done" {
		b.Ends = true
	}
	for i, a := range args {
		name, value, found := strings.Cut(strings.TrimLeft(a, "-"), "=")
		if !found && i+1 < len(args) {
			value = args[i+1]
		}
		switch {
		case !strings.HasPrefix(a, "-"):
		case name == "exit-after":
			if d, err := time.ParseDuration(value); err == nil {
				b.Ends, b.After = true, d
			}
		case name == "code":
			b.Code, _ = strconv.Atoi(value)
		case name == "sick":
			b.Unhealthy = true
		case name == "print":
			b.Prints = append(b.Prints, value)
		}
	}
	return b
}
