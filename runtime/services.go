package runtime

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"pharos/runtime/compose"
	"pharos/state"
)

// service is one service as it is wanted.
type service struct {
	name     string
	config   types.ServiceConfig
	hash     string
	replicas int
	needs    []string // services it depends on, sorted
	awaited  bool     // another service waits for its completion
}

// want is a project as it is wanted, with its names on this engine.
type want struct {
	project  *types.Project
	services []service // dependencies first
	networks []string  // keys of those that a service uses, sorted
	volumes  []string
	hashes   map[string]string // of networks, by key
}

// wanted prepares a parsed project.
func wanted(p *types.Project, projectName string) (*want, error) {
	w := &want{project: compose.Named(p, projectName), hashes: map[string]string{}}
	byName := map[string]service{}
	for name, s := range p.Services {
		hash, err := compose.ServiceHash(s)
		if err != nil {
			return nil, state.Because(state.Invalid, "reading service "+name, err, "deploy the app again")
		}
		byName[name] = service{name: name, config: s, hash: hash, replicas: s.GetScale(), needs: slices.Sorted(maps.Keys(s.DependsOn))}
	}
	for _, s := range p.Services {
		for on, d := range s.DependsOn {
			if b, ok := byName[on]; ok && d.Condition == types.ServiceConditionCompletedSuccessfully {
				b.awaited = true
				byName[on] = b
			}
		}
	}
	if err := w.order(byName); err != nil {
		return nil, err
	}
	networks, volumes := map[string]bool{}, map[string]bool{}
	for _, s := range w.services {
		if s.config.NetworkMode == "" {
			for key := range s.config.Networks {
				networks[key] = true
			}
		}
		for _, v := range s.config.Volumes {
			if v.Type == types.VolumeTypeVolume && v.Source != "" {
				volumes[v.Source] = true
			}
		}
	}
	// docker compose makes every declared volume, and the networks in use.
	for key := range p.Volumes {
		volumes[key] = true
	}
	w.networks, w.volumes = slices.Sorted(maps.Keys(networks)), slices.Sorted(maps.Keys(volumes))
	for _, key := range w.networks {
		hash, err := compose.NetworkHash(p.Networks[key])
		if err != nil {
			return nil, state.Because(state.Invalid, "reading network "+key, err, "deploy the app again")
		}
		w.hashes[key] = hash
	}
	return w, nil
}

// order sorts the services, dependencies first, by name among equals.
func (w *want) order(byName map[string]service) error {
	done := map[string]bool{}
	for len(done) < len(byName) {
		var ready []string
		for name, s := range byName {
			blocked := slices.ContainsFunc(s.needs, func(n string) bool {
				_, there := byName[n]
				return there && !done[n]
			})
			if !done[name] && !blocked {
				ready = append(ready, name)
			}
		}
		if len(ready) == 0 {
			return &state.Problem{Kind: state.Invalid, Doing: "ordering the services", Cause: "their depends_on form a circle", Fix: "break the circle of `depends_on`"}
		}
		slices.Sort(ready)
		for _, name := range ready {
			done[name] = true
			w.services = append(w.services, byName[name])
		}
	}
	return nil
}

// policy is the service's restart policy, Docker's word: no, always,
// on-failure, unless-stopped.
func (s service) policy() string {
	p, _, _ := strings.Cut(s.config.Restart, ":")
	if d := s.config.Deploy; d != nil && d.RestartPolicy != nil && d.RestartPolicy.Condition != "" {
		p = d.RestartPolicy.Condition
	}
	switch p {
	case "", "none":
		return "no"
	case "any":
		return "always"
	}
	return p
}

// mayEnd says that the service counts as done once it ended with code 0.
func (s service) mayEnd() bool { p := s.policy(); return p == "no" || p == "on-failure" }

// serves says that the service is meant to go on: it is asked for its health,
// or answers on a port.
func (s service) serves() bool {
	h := s.config.HealthCheck
	return len(s.config.Ports) > 0 || h != nil && !h.Disable && len(h.Test) > 0 && h.Test[0] != "NONE"
}

// shared gives the services whose namespaces the service uses.
func (s service) shared() []string {
	var names []string
	for _, mode := range []string{s.config.NetworkMode, s.config.Ipc, s.config.Pid} {
		if name, found := strings.CutPrefix(mode, types.ServicePrefix); found && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// spec is what container to create in the service's place number. ids gives
// the container of each service whose namespaces or volumes it uses.
func (w *want) spec(s service, number int, labels, inherit map[string]string, ids map[string]string) (ContainerSpec, error) {
	c := s.config
	for _, mode := range []*string{&c.NetworkMode, &c.Ipc, &c.Pid} {
		if name, found := strings.CutPrefix(*mode, types.ServicePrefix); found {
			id := ids[name]
			if id == "" {
				return ContainerSpec{}, fmt.Errorf("service %s uses the namespaces of service %s, which has no container", s.name, name)
			}
			*mode = types.ContainerPrefix + id
		}
	}
	c.VolumesFrom = slices.Clone(c.VolumesFrom)
	for i, from := range c.VolumesFrom {
		if rest, found := strings.CutPrefix(from, types.ContainerPrefix); found {
			c.VolumesFrom[i] = rest
			continue
		}
		name, mode, _ := strings.Cut(from, ":")
		id := ids[name]
		if id == "" {
			return ContainerSpec{}, fmt.Errorf("service %s uses the volumes of service %s, which has no container", s.name, name)
		}
		c.VolumesFrom[i] = strings.TrimSuffix(id+":"+mode, ":")
	}
	c.Links = slices.Clone(c.Links)
	for i, link := range c.Links {
		name, alias, found := strings.Cut(link, ":")
		if !found {
			alias = name
		}
		other, ok := w.project.Services[name]
		if ok {
			c.Links[i] = containerName(w.project.Name, other, 1) + ":" + alias
		}
	}
	name := containerName(w.project.Name, s.config, number)
	return ContainerSpec{Name: name, Project: w.project, Service: c, Aliases: []string{name, s.name}, Labels: labels, Inherit: inherit}, nil
}
