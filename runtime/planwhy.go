package runtime

import (
	"fmt"
	"slices"

	"pharos/state"
)

// revive lets an outdated container that died run on while it can't be
// replaced yet: a pull that fails leaves the old version running.
func (p *planning) revive(j *job, s service, c Container) {
	f := p.mem.failures[j.key]
	waits := j.steps[0].wait != "" || j.blocked != "" || f != nil && f.next.After(p.seen.at)
	due := c.State == "exited" && !c.Started.IsZero() && !p.mem.done(c, s, p.engine)
	if m := p.mem.slots[j.slot]; m != nil && m.next.After(p.seen.at) {
		due = false
	}
	if waits && due && !p.dry {
		j.steps = []step{{Action: state.Action{Verb: state.Start, What: "container", Name: c.Name, Cause: howItEnded(c) + ", and can't be replaced yet"}, id: c.ID}}
		j.revive, j.blocked = true, ""
	}
}

// outdated says why a container that is there must be replaced; empty: it must
// not.
func (p *planning) outdated(s service, c Container) string {
	switch {
	case c.State == "dead":
		return "the engine calls it dead"
	case c.Labels[labelHash] != s.hash:
		return "its configuration changed"
	case p.onStaleNetwork(s):
		return "the configuration of its network changed"
	}
	if img, ok := p.seen.images[s.config.Image]; ok && p.refresh[s.config.Image] && img.ID != c.ImageID && c.ImageID != "" {
		return "its image changed"
	}
	if s.config.NetworkMode == "" && c.Networks != nil {
		for key := range s.config.Networks {
			n := p.want.project.Networks[key]
			on, connected := c.Networks[n.Name]
			own, there := p.seen.network(key)
			if !connected {
				return "it is not on network " + n.Name
			}
			if there && on != "" && on != own.ID || !there && bool(!n.External) && on != "" && p.seen.named[n.Name].ID != on && !p.dry {
				return "network " + n.Name + " was made anew"
			}
		}
	}
	for _, name := range s.shared() {
		if id := p.ids[name]; id != "" && c.Shares != nil && !slices.Contains(c.Shares, id) {
			return "service " + name + ", whose namespace it uses, was replaced"
		}
	}
	return ""
}

func (p *planning) onStaleNetwork(s service) bool {
	for key := range s.config.Networks {
		if p.stale[key] && s.config.NetworkMode == "" {
			return true
		}
	}
	return false
}

// mustRestart says why a running container must be started anew.
func (p *planning) mustRestart(s service, c Container) string {
	for _, name := range s.needs {
		for _, d := range p.seen.containers {
			of, _, ok := slotOf(d)
			if !ok || of != name || isPending(d) || d.State != "running" {
				continue
			}
			if s.config.DependsOn[name].Restart && d.Created.After(c.Started) && !d.Created.IsZero() {
				return "service " + name + ", which it depends on with restart, was replaced"
			}
			if slices.Contains(c.Shares, d.ID) && d.Started.After(c.Started) {
				return "service " + name + ", whose namespace it uses, was restarted"
			}
		}
	}
	return ""
}

// howItEnded says in a few words how a container's last run ended.
func howItEnded(c Container) string {
	switch {
	case c.OOMKilled:
		return "it was killed: out of memory"
	case c.Error != "":
		return "it could not be started: " + c.Error
	}
	return fmt.Sprintf("it ended with exit code %d", c.ExitCode)
}
