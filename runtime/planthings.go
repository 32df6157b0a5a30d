package runtime

import (
	"slices"
	"strings"

	"pharos/state"
)

func isPending(c Container) bool { return strings.HasPrefix(c.Name, pendingPrefix) }

func networkKey(key string) string { return "network " + key }
func volumeKey(key string) string  { return "volume " + key }

// planNetwork makes a network that is missing, and makes anew one whose
// configuration changed once no container of the app is on it.
func (p *planning) planNetwork(key string) {
	n := p.want.project.Networks[key]
	if n.External {
		return
	}
	hash := p.want.hashes[key]
	labels := networkLabels(p.node, p.app, p.want.project.Name, key, hash, n.Labels)
	create := step{Action: state.Action{Verb: state.Create, What: "network", Name: n.Name, Cause: "the app has none"}, network: n, labels: labels}
	own, there := p.seen.network(key)
	if !there {
		if _, foreign := p.seen.named[n.Name]; !foreign {
			p.add(job{key: networkKey(key), steps: []step{create}})
		}
		return
	}
	if own.Labels[labelHash] == hash && own.Name == n.Name {
		return
	}
	p.stale[key] = true
	const cause = "its configuration changed"
	remove := step{Action: state.Action{Verb: state.Remove, What: "network", Name: own.Name, Cause: cause}, id: own.ID}
	for _, c := range p.seen.containers {
		if _, on := c.Networks[own.Name]; on {
			remove.wait = "container " + c.Name + " is still on it"
		}
	}
	create.Cause = cause
	p.add(job{key: networkKey(key), steps: []step{remove, create}})
}

// planVolume makes a volume that is missing. One that is there is never
// changed: its data would be lost.
func (p *planning) planVolume(key string) {
	v := p.want.project.Volumes[key]
	if v.External {
		return
	}
	if _, own := p.seen.volume(key); own {
		return
	}
	if _, there := p.seen.namedVols[v.Name]; there {
		return
	}
	p.add(job{key: volumeKey(key), steps: []step{{
		Action: state.Action{Verb: state.Create, What: "volume", Name: v.Name, Cause: "the app has none"},
		volume: v, labels: volumeLabels(p.node, p.app, p.want.project.Name, key, v.Labels),
	}}})
}

// needNetwork lets a step wait for a network, or blocks its job.
func (p *planning) needNetwork(j *job, st *step, key string) {
	n := p.want.project.Networks[key]
	_, own := p.seen.network(key)
	_, named := p.seen.named[n.Name]
	switch {
	case own && !p.stale[key] || named:
	case bool(n.External):
		j.blocked = "the external network " + n.Name + " is not there; create it: docker network create " + n.Name
		st.wait = j.blocked
	default:
		st.wait = "network " + n.Name + " is not there yet"
	}
}

func (p *planning) needVolume(j *job, st *step, key string) {
	v := p.want.project.Volumes[key]
	_, own := p.seen.volume(key)
	_, named := p.seen.namedVols[v.Name]
	switch {
	case own || named:
	case bool(v.External):
		j.blocked = "the external volume " + v.Name + " is not there; create it: docker volume create " + v.Name
		st.wait = j.blocked
	default:
		st.wait = "volume " + v.Name + " is not there yet"
	}
}

// planImage adds the pull that a service needs before a container can be made,
// and says why that must wait; empty when the image is there.
func (p *planning) planImage(j *job, s service, there bool) string {
	ref := s.config.Image
	if there && !p.pull[ref] {
		return ""
	}
	if s.config.PullPolicy == "never" {
		if there {
			return ""
		}
		if !p.dry {
			j.blocked = "image " + ref + " is not on the node and pull_policy is never; load it there, or allow the pull"
		}
		return "image " + ref + " is not there"
	}
	p.addPull(s)
	return "image " + ref + " is not there yet"
}

func (p *planning) addPull(s service) {
	key := imageKey(s.config.Image)
	if slices.ContainsFunc(p.jobs, func(o job) bool { return o.key == key }) {
		return
	}
	cause := "the node does not have it"
	switch {
	case p.pull[s.config.Image]:
		cause = "its pull_policy is always"
	case p.dry:
		cause = "unless the node has it"
	}
	p.add(job{key: key, steps: []step{{
		Action: state.Action{Verb: state.Pull, What: "image", Name: s.config.Image, Cause: cause}, platform: s.config.Platform,
	}}})
}

// status is how a service is, as those that depend on it see it.
type status struct {
	current   bool // each container is there, as wanted, with nothing to be done
	running   bool // each runs, or is being restarted by the engine
	healthy   bool // each runs and, if it is checked, is healthy
	completed bool // each ended with code 0
	unhealthy bool // one is
	checked   bool // one has a health check
	failed    bool // one keeps dying, or can't be made
}

func (st *status) look(c Container, there, done bool) {
	run := there && (c.State == "running" || c.State == "restarting")
	st.running = st.running && (run || done)
	st.healthy = st.healthy && there && c.State == "running" && (c.Health == "" || c.Health == "healthy")
	st.completed = st.completed && done
	st.unhealthy = st.unhealthy || c.Health == "unhealthy"
	st.checked = st.checked || c.Health != ""
	if !there || c.State == "created" {
		st.current = false
	}
}

// waitFor says what a service must wait for before it is started. again says
// that it has run before and died: then it waits for what it needs to be
// there, but not for the sick to get well, or a death would last.
func (p *planning) waitFor(s service, again bool) string {
	for _, name := range s.needs {
		d := s.config.DependsOn[name]
		st, known := p.status[name]
		if !known || !d.Required && st.failed {
			continue
		}
		switch {
		case d.Condition == "service_completed_successfully":
			if !st.completed {
				return "service " + name + " has not completed yet"
			}
		case d.Condition == "service_healthy":
			if !st.current || !st.running {
				return "service " + name + " is not running yet"
			}
			if !st.healthy && !(again && st.unhealthy) {
				return "service " + name + " is not healthy yet"
			}
		default:
			if !st.current || !st.running {
				return "service " + name + " is not running yet"
			}
		}
	}
	return ""
}
