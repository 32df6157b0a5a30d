package runtime

import (
	"slices"

	"pharos/state"
)

// planDown stops the app (state.Stopped) or takes it away (state.Gone), in
// reverse dependency order. The order of dependencies is read from the
// containers' own labels: an order to take away carries no project.
func (p *planning) planDown(w state.Want) []job {
	cause := "it was ordered to stop"
	if w == state.Gone {
		cause = "it was ordered to go"
	}
	for _, c := range p.seen.containers {
		runs := c.State == "running" || c.State == "restarting" || c.State == "paused"
		if w == state.Stopped && !runs && !isPending(c) {
			continue
		}
		of, number, _ := slotOf(c)
		if p.busy[containerKey(slotKey(of, number))] {
			continue
		}
		j := removal(c, cause)
		if w == state.Stopped && !isPending(c) {
			j.key = containerKey(slotKey(of, number))
			j.steps = []step{{Action: state.Action{Verb: state.Stop, What: "container", Name: c.Name, Cause: cause}, id: c.ID, grace: c.Grace}}
		}
		if by := p.neededBy(of); by != "" {
			j.steps[0].wait = "container " + by + ", which depends on it, is still running"
		}
		p.add(j)
	}
	if w != state.Gone {
		return p.jobs
	}
	for _, n := range p.seen.networks {
		s := step{Action: state.Action{Verb: state.Remove, What: "network", Name: n.Name, Cause: cause}, id: n.ID}
		if len(p.seen.containers) > 0 {
			s.wait = "there are still containers on it"
		}
		p.add(job{key: networkKey(n.Labels[labelNetwork]), steps: []step{s}})
	}
	return p.jobs
}

// neededBy names a running container that depends on the service, if any.
func (p *planning) neededBy(service string) string {
	for _, c := range p.seen.containers {
		of, _, _ := slotOf(c)
		if of != service && c.State == "running" && slices.Contains(dependencies(c.Labels), service) && !p.cyclic(of, service) {
			return c.Name
		}
	}
	return ""
}

// cyclic says that labels name each other, which no file of ours does: such
// containers must not wait for each other forever.
func (p *planning) cyclic(a, b string) bool {
	seen := map[string]bool{}
	var reaches func(from string) bool
	reaches = func(from string) bool {
		if from == a {
			return true
		}
		if seen[from] {
			return false
		}
		seen[from] = true
		for _, c := range p.seen.containers {
			if of, _, _ := slotOf(c); of == from && slices.ContainsFunc(dependencies(c.Labels), reaches) {
				return true
			}
		}
		return false
	}
	return reaches(b)
}
