package runtime

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pharos/state"
)

var (
	takenPort = regexp.MustCompile(`(?:0\.0\.0\.0|\[?::\]?|\d+\.\d+\.\d+\.\d+):(\d+)`)
	takenName = regexp.MustCompile(`container name "/?([^"]+)"`)
)

// explain says in one line what failed, why, and what to do. Of a port or name
// that is taken it says by whom, which the engine itself does not.
func explain(o outcome, e Engine) string {
	text := strings.Join(strings.Fields(o.err.Error()), " ")
	doing := fmt.Sprintf("can't %s %s %s: ", o.step.Verb, o.step.What, o.step.Name)
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	switch {
	case o.step.Verb == state.Pull:
		return doing + text
	case strings.Contains(text, "port is already allocated") || strings.Contains(text, "address already in use"):
		if m := takenPort.FindStringSubmatch(text); m != nil {
			port, _ := strconv.Atoi(m[1])
			return doing + fmt.Sprintf("port %d is taken by %s; free it, or publish another", port, portHolder(ctx, e, uint16(port)))
		}
	case strings.Contains(text, "is already in use by container"):
		if m := takenName.FindStringSubmatch(text); m != nil {
			return doing + fmt.Sprintf("the name is taken by %s; remove it, or choose another container_name", nameHolder(ctx, e, m[1]))
		}
	}
	return doing + text
}

func portHolder(ctx context.Context, e Engine, port uint16) string {
	list, err := e.Containers(ctx, nil)
	if err != nil {
		return "somebody unknown (" + err.Error() + ")"
	}
	for _, c := range list {
		if c.State == "running" && slices.ContainsFunc(c.Ports, func(p Port) bool { return p.HostPort == port }) {
			return holder(c)
		}
	}
	return "a program outside the engine"
}

func nameHolder(ctx context.Context, e Engine, name string) string {
	list, err := e.Containers(ctx, nil)
	if err != nil {
		return "somebody unknown (" + err.Error() + ")"
	}
	for _, c := range list {
		if c.Name == name {
			return holder(c)
		}
	}
	return "a container that has just gone"
}

func holder(c Container) string {
	s := "container " + c.Name
	if app := c.Labels[LabelApp]; app != "" {
		return s + " (app " + app + " of node " + state.NodeID(c.Labels[LabelNode]).Short() + ")"
	}
	if p := c.Labels[labelProject]; p != "" {
		return s + " (project " + p + ")"
	}
	return s
}
