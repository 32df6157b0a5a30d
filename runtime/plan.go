package runtime

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"pharos/state"
)

// step is one action with all that its execution needs.
type step struct {
	state.Action
	wait string // why it, and what follows in its job, can't be done yet

	id       string   // of the container or network acted on
	rename   string   // what to call the container first
	keep     bool     // the anonymous volumes of a container that is removed
	volumes  []string // to be removed with a container, if nobody else uses them
	grace    time.Duration
	spec     *ContainerSpec
	labels   map[string]string
	network  types.NetworkConfig
	volume   types.VolumeConfig
	platform string
}

// job is the steps for one thing, done one after the other. Jobs are done side
// by side, at most one per key at a time.
type job struct {
	key     string
	slot    string // of a container's job
	steps   []step
	blocked string // it can't be done at all: what is wrong, and what to do
	revive  bool   // it starts an outdated container again that can't be replaced yet
}

func containerKey(slot string) string { return "container " + slot }
func imageKey(ref string) string      { return "image " + ref }

// actions prints a plan: every step of every job, whether it can be done now
// or not. Pulls come first, then networks, volumes, containers.
func actions(jobs []job) []state.Action {
	var out []state.Action
	for _, what := range []string{"image", "network", "volume", "container"} {
		for _, j := range jobs {
			for _, s := range j.steps {
				if s.What == what {
					out = append(out, s.Action)
				}
			}
		}
	}
	return out
}

// planning is one making of a plan. It reads, and writes nothing but itself.
type planning struct {
	node    state.NodeID
	app     state.Name
	want    *want
	seen    observed
	mem     *memory
	busy    map[string]bool // job keys under way
	engine  time.Time       // when the engine started
	refresh map[string]bool // image references whose tag may have moved: compare images by ID
	pull    map[string]bool // image references to pull even when they are there
	dry     bool            // images were not looked for

	jobs   []job
	status map[string]status
	ids    map[string]string // service → ID of its first container
	stale  map[string]bool   // keys of networks that must be made anew
	asked  map[string]bool   // images that a new container needs

	pending map[string]Container // by slot: made by a replacement that was interrupted
}

// planRun gives the jobs that make what is there what is wanted. An empty list
// means that nothing would change.
func (p *planning) planRun() []job {
	p.status, p.ids, p.stale = map[string]status{}, map[string]string{}, map[string]bool{}
	p.asked = map[string]bool{}
	for _, key := range p.want.networks {
		p.planNetwork(key)
	}
	for _, key := range p.want.volumes {
		p.planVolume(key)
	}
	bySlot, extra := p.sort()
	for _, s := range p.want.services {
		if p.pull[s.config.Image] && s.config.PullPolicy == "always" {
			p.addPull(s)
		}
		st := status{current: true, running: true, healthy: true, completed: true, failed: false}
		for n := 1; n <= s.replicas; n++ {
			c, there := bySlot[slotKey(s.name, n)]
			if n == 1 && there {
				p.ids[s.name] = c.ID
			}
			p.planContainer(s, n, c, there, &st)
		}
		p.status[s.name] = st
	}
	for _, c := range extra {
		p.planExtra(c)
	}
	return p.jobs
}

// imagesInQuestion are the images that the plan hangs on.
func (p *planning) imagesInQuestion() []string {
	p.planRun()
	for _, s := range p.want.services {
		if p.refresh[s.config.Image] {
			p.asked[s.config.Image] = true
		}
	}
	return slices.Sorted(maps.Keys(p.asked))
}

// sort puts each container in its slot; the rest is extra: left over from an
// interrupted replacement, of services that are gone, or one too many.
func (p *planning) sort() (bySlot map[string]Container, extra []Container) {
	bySlot, p.pending = map[string]Container{}, map[string]Container{}
	for _, c := range p.seen.containers {
		of, number, ok := slotOf(c)
		i := slices.IndexFunc(p.want.services, func(s service) bool { return s.name == of })
		key := slotKey(of, number)
		_, taken := bySlot[key]
		switch {
		case !ok || i < 0 || number > p.want.services[i].replicas || taken && !isPending(c):
			extra = append(extra, c)
		case isPending(c) && c.Labels[labelHash] == p.want.services[i].hash:
			p.pending[key] = c
		case isPending(c):
			extra = append(extra, c)
		default:
			bySlot[key] = c
		}
	}
	for key, c := range p.pending {
		if _, taken := bySlot[key]; taken {
			delete(p.pending, key)
			extra = append(extra, c)
		}
	}
	return bySlot, extra
}

// planContainer adds the job of one place, if it needs one, and folds how the
// place is into the status of its service.
func (p *planning) planContainer(s service, number int, c Container, there bool, st *status) {
	key := slotKey(s.name, number)
	st.look(c, there, p.mem.done(c, s, p.engine))
	if p.mem.slots[key].looping() {
		st.failed = true
	}
	if p.busy[containerKey(key)] {
		st.current = false
		return
	}
	name := containerName(p.want.project.Name, s.config, number)
	j := job{key: containerKey(key), slot: key}
	add := func(v state.Verb, cause string) *step {
		j.steps = append(j.steps, step{Action: state.Action{Verb: v, What: "container", Name: name, Cause: cause}, id: c.ID, grace: c.Grace})
		return &j.steps[len(j.steps)-1]
	}
	cause := ""
	if there {
		cause = p.outdated(s, c)
	}
	switch {
	case there && c.State == "removing":
		st.current = false // its end brings an event
	case !there && p.pending[key].ID != "":
		// The old one is gone already, and the new one may hold its data.
		c = p.pending[key]
		start := add(state.Start, "its replacement was interrupted")
		start.rename, start.wait = name, p.waitFor(s, false)
	case !there:
		cause = "service " + s.name + " has none"
		if m := p.mem.slots[key]; m != nil && m.gone {
			cause = "it was removed by hand"
		}
		p.make(&j, add(state.Create, cause), s, number, c)
		start := add(state.Start, cause)
		start.wait = p.waitFor(s, false)
	case cause != "" && p.onStaleNetwork(s):
		// The network can only go once nobody is on it.
		if c.State == "running" || c.State == "restarting" {
			add(state.Stop, cause)
		}
		add(state.Remove, cause).keep = true
		p.make(&j, add(state.Create, cause), s, number, Container{})
		add(state.Start, cause)
	case cause != "":
		replace := add(state.Replace, cause)
		p.make(&j, replace, s, number, c)
		if replace.wait == "" {
			replace.wait = p.waitFor(s, false)
		}
		add(state.Start, "it was replaced")
		p.revive(&j, s, c)
	case c.State == "created":
		add(state.Start, "it was not started yet").wait = p.waitFor(s, false)
	case c.State == "exited" && !p.mem.done(c, s, p.engine):
		cause = howItEnded(c)
		if m := p.mem.slots[key]; m != nil && m.ordered {
			cause = "it was stopped by an order before"
		}
		start := add(state.Start, cause)
		start.wait = p.waitFor(s, true)
		if m := p.mem.slots[key]; m != nil && m.next.After(p.seen.at) {
			start.wait = "it keeps dying; the next start is due " + m.next.UTC().Format(time.TimeOnly)
		}
	case c.State == "running":
		if why := p.mustRestart(s, c); why != "" {
			add(state.Stop, why)
			add(state.Start, why)
		}
	}
	if len(j.steps) > 0 {
		st.current = false
		p.add(j)
		if p.jobs[len(p.jobs)-1].blocked != "" {
			st.failed = true
		}
	}
}

// make completes a step that creates a container with all it needs, or says
// why it must wait.
func (p *planning) make(j *job, st *step, s service, number int, old Container) {
	ref := s.config.Image
	p.asked[ref] = true
	img, there := p.seen.images[ref]
	st.wait = p.planImage(j, s, there)
	for _, key := range p.want.networks {
		if _, uses := s.config.Networks[key]; uses && s.config.NetworkMode == "" {
			p.needNetwork(j, st, key)
		}
	}
	for _, v := range s.config.Volumes {
		if v.Type == types.VolumeTypeVolume && v.Source != "" {
			p.needVolume(j, st, v.Source)
		}
	}
	var restarts uint64
	if m := p.mem.slots[slotKey(s.name, number)]; m != nil && m.gone {
		restarts = m.restarts + 1
	}
	anonymous := old.Anonymous
	if m := p.mem.slots[slotKey(s.name, number)]; m != nil && old.ID == "" {
		anonymous = m.anonymous
	}
	inherit := map[string]string{}
	for target, volume := range anonymous {
		own := slices.ContainsFunc(s.config.Volumes, func(v types.ServiceVolumeConfig) bool { return v.Target == target && v.Source == "" })
		named := slices.ContainsFunc(s.config.Volumes, func(v types.ServiceVolumeConfig) bool { return v.Target == target && v.Source != "" })
		if own || !named && slices.Contains(img.Volumes, target) {
			inherit[target] = volume
		}
	}
	labels := containerLabels(p.node, p.app, p.want.project.Name, s, number, img.ID, restarts)
	if len(inherit) > 0 {
		labels[labelInherits] = strings.Join(slices.Sorted(maps.Values(inherit)), ",")
	}
	spec, err := p.want.spec(s, number, labels, inherit, p.ids)
	if err != nil && st.wait == "" {
		st.wait = err.Error()
	}
	st.spec, st.platform = &spec, s.config.Platform
}

// planExtra takes away a container that has no place.
func (p *planning) planExtra(c Container) {
	of, number, _ := slotOf(c)
	cause := fmt.Sprintf("service %s is no longer in the file", of)
	switch {
	case isPending(c):
		cause = "it is left over from an interrupted replacement"
		if p.busy[containerKey(slotKey(of, number))] {
			return
		}
	case slices.ContainsFunc(p.want.services, func(s service) bool { return s.name == of }):
		cause = fmt.Sprintf("service %s has fewer replicas", of)
	}
	p.add(removal(c, cause))
}

// removal stops a container if it runs, and removes it.
func removal(c Container, cause string) job {
	j := job{key: "removal " + c.ID}
	if service, number, ok := slotOf(c); ok {
		j.slot = slotKey(service, number)
	}
	if c.State == "running" || c.State == "restarting" {
		j.steps = append(j.steps, step{Action: state.Action{Verb: state.Stop, What: "container", Name: c.Name, Cause: cause}, id: c.ID, grace: c.Grace})
	}
	j.steps = append(j.steps, step{Action: state.Action{Verb: state.Remove, What: "container", Name: c.Name, Cause: cause}, id: c.ID, volumes: inherited(c)})
	return j
}

// inherited names the anonymous volumes that a container took over.
func inherited(c Container) []string {
	return strings.FieldsFunc(c.Labels[labelInherits], func(r rune) bool { return r == ',' })
}

// add takes in a job unless it is under way. One that failed waits its pause.
func (p *planning) add(j job) {
	if p.busy[j.key] {
		return
	}
	if f := p.mem.failures[j.key]; f != nil && f.next.After(p.seen.at) && len(j.steps) > 0 && !j.revive {
		j.steps[0].wait = f.reason
	}
	p.jobs = append(p.jobs, j)
}
