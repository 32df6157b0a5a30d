package simulated

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"pharos/runtime"
)

// container is one container with its program.
type container struct {
	c       runtime.Container
	spec    runtime.ContainerSpec
	does    Behaviour
	run     int  // which run of the program, to tell late timers
	stopped bool // by hand: the restart policy is off
	order   int
	logs    []string
}

// Containers implements runtime.Engine.
func (e *Engine) Containers(ctx context.Context, labels map[string]string) ([]runtime.Container, error) {
	if err := e.call(ctx, "", 0); err != nil {
		return nil, err
	}
	defer e.mu.Unlock()
	var out []*container
	for _, c := range e.containers {
		if matches(c.c.Labels, labels) {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b *container) int { return a.order - b.order })
	list := make([]runtime.Container, len(out))
	for i, c := range out {
		list[i] = c.view()
	}
	return list, nil
}

func (c *container) view() runtime.Container {
	v := c.c
	v.Labels, v.Networks, v.Anonymous = maps.Clone(v.Labels), maps.Clone(v.Networks), maps.Clone(v.Anonymous)
	v.Ports, v.Shares = slices.Clone(v.Ports), slices.Clone(v.Shares)
	if v.State != "running" {
		v.Ports = nil
	}
	return v
}

// find looks a container up by ID or name. The caller holds mu.
func (e *Engine) find(id string) (*container, error) {
	if c := e.containers[id]; c != nil {
		return c, nil
	}
	for _, c := range e.containers {
		if c.c.Name == id {
			return c, nil
		}
	}
	return nil, fmt.Errorf("no such container: %s: %w", id, runtime.ErrNotFound)
}

// Inspect implements runtime.Engine.
func (e *Engine) Inspect(ctx context.Context, id string) (runtime.Container, error) {
	if err := e.call(ctx, "", 0); err != nil {
		return runtime.Container{}, err
	}
	defer e.mu.Unlock()
	c, err := e.find(id)
	if err != nil {
		return runtime.Container{}, err
	}
	return c.view(), nil
}

// Create implements runtime.Engine.
func (e *Engine) Create(ctx context.Context, spec runtime.ContainerSpec) (string, error) {
	if err := e.call(ctx, "create "+spec.Name, e.cfg.CreateTime); err != nil {
		return "", err
	}
	defer e.mu.Unlock()
	img, there := e.images[spec.Service.Image]
	if !there {
		return "", fmt.Errorf("no such image: %s: %w", spec.Service.Image, runtime.ErrNotFound)
	}
	for _, c := range e.containers {
		if c.c.Name == spec.Name {
			return "", fmt.Errorf("the container name %q is already in use by container %q: %w", "/"+spec.Name, c.c.ID, runtime.ErrConflict)
		}
	}
	c := &container{spec: spec, does: e.cfg.Behave(spec), order: len(e.calls)}
	c.c = runtime.Container{
		ID: e.id(), Name: spec.Name, Image: spec.Service.Image, ImageID: img.ID, Labels: maps.Clone(spec.Labels),
		State: "created", Created: time.Now(), Grace: 10 * time.Second, Networks: map[string]string{}, Anonymous: maps.Clone(spec.Inherit),
	}
	if g := spec.Service.StopGracePeriod; g != nil {
		c.c.Grace = time.Duration(*g)
	}
	if spec.Service.NetworkMode == "" {
		for key := range spec.Service.Networks {
			name := spec.Project.Networks[key].Name
			n, err := e.networkNamed(name)
			if err != nil {
				return "", err
			}
			c.c.Networks[name] = n.ID
		}
	}
	for _, mode := range []string{spec.Service.NetworkMode, spec.Service.Ipc, spec.Service.Pid} {
		if id, found := strings.CutPrefix(mode, types.ContainerPrefix); found {
			c.c.Shares = append(c.c.Shares, id)
		}
	}
	for _, p := range spec.Service.Ports {
		host, _ := strconv.ParseUint(p.Published, 10, 16)
		if host == 0 {
			host = uint64(32768 + e.rand.IntN(20000))
		}
		c.c.Ports = append(c.c.Ports, runtime.Port{HostIP: p.HostIP, HostPort: uint16(host), Container: uint16(p.Target), Protocol: p.Protocol})
	}
	e.containers[c.c.ID] = c
	e.emitOf(c, "create", 0)
	return c.c.ID, nil
}

// Rename implements runtime.Engine.
func (e *Engine) Rename(ctx context.Context, id, name string) error {
	if err := e.call(ctx, "rename "+name, 0); err != nil {
		return err
	}
	defer e.mu.Unlock()
	c, err := e.find(id)
	if err != nil {
		return err
	}
	if _, err := e.find(name); err == nil {
		return fmt.Errorf("the container name %q is already in use: %w", "/"+name, runtime.ErrConflict)
	}
	c.c.Name = name
	e.emitOf(c, "rename", 0)
	return nil
}

// Start implements runtime.Engine.
func (e *Engine) Start(ctx context.Context, id string) error {
	if err := e.call(ctx, "", e.cfg.StartTime); err != nil {
		return err
	}
	defer e.mu.Unlock()
	c, err := e.find(id)
	if err != nil {
		return err
	}
	e.calls = append(e.calls, "start "+c.c.Name)
	if c.c.State == "running" {
		return nil
	}
	for _, o := range e.containers {
		for _, p := range o.c.Ports {
			if o != c && o.c.State == "running" && p.HostPort != 0 && slices.ContainsFunc(c.c.Ports, func(q runtime.Port) bool { return q.HostPort == p.HostPort && q.Protocol == p.Protocol }) {
				return fmt.Errorf("bind for 0.0.0.0:%d failed: port is already allocated", p.HostPort)
			}
		}
	}
	c.stopped, c.c.RestartCount = false, 0
	e.begin(c)
	return nil
}

// begin runs the container's program. The caller holds mu.
func (e *Engine) begin(c *container) {
	c.run++
	run := c.run
	c.c.State, c.c.Started, c.c.ExitCode, c.c.OOMKilled, c.c.Health = "running", time.Now(), 0, false, ""
	e.emitOf(c, "start", 0)
	c.logs = append(c.logs, c.does.Prints...)
	if c.does.Ends {
		e.after(c.does.After, func() {
			if c.run == run && c.c.State == "running" {
				e.die(c, c.does.Code)
			}
		})
	}
	if after, checked := e.healthyAfter(c); checked {
		c.c.Health = "starting"
		e.after(after, func() {
			if c.run != run || c.c.State != "running" {
				return
			}
			c.c.Health = "healthy"
			if c.does.Unhealthy {
				c.c.Health, c.c.HealthLog = "unhealthy", "the check failed"
			}
			e.emitOf(c, "health_status: "+c.c.Health, 0)
		})
	}
}

func (e *Engine) healthyAfter(c *container) (time.Duration, bool) {
	h := c.spec.Service.HealthCheck
	if h == nil || h.Disable || len(h.Test) == 0 || h.Test[0] == "NONE" {
		return 0, false
	}
	switch {
	case e.cfg.HealthyAfter > 0:
		return e.cfg.HealthyAfter, true
	case h.Interval != nil:
		return time.Duration(*h.Interval), true
	}
	return time.Second, true
}

// die ends a run as the program's end does, restart policy included. The
// caller holds mu.
func (e *Engine) die(c *container, code int) {
	if c.c.State != "running" {
		return
	}
	c.c.State, c.c.Finished, c.c.ExitCode = "exited", time.Now(), code
	e.emitOf(c, "die", 0)
	policy, limit := policyOf(c.spec.Service)
	again := policy == "always" || policy == "unless-stopped" || policy == "on-failure" && code != 0 && (limit == 0 || c.c.RestartCount < limit)
	if !again || c.stopped {
		return
	}
	c.c.State = "restarting"
	run := c.run
	pause := min(100*time.Millisecond<<min(c.c.RestartCount, 10), time.Minute)
	e.after(pause, func() {
		if c.run == run && c.c.State == "restarting" && !c.stopped {
			c.c.RestartCount++
			e.begin(c)
		}
	})
}

func policyOf(s types.ServiceConfig) (name string, limit int) {
	name, n, _ := strings.Cut(s.Restart, ":")
	limit, _ = strconv.Atoi(n)
	if s.Deploy != nil && s.Deploy.RestartPolicy != nil {
		name = s.Deploy.RestartPolicy.Condition
		if name == "any" {
			name = "always"
		}
	}
	return name, limit
}

// after does f later, holding mu, unless the engine was closed or is down.
func (e *Engine) after(d time.Duration, f func()) {
	e.work.Go(func() {
		if e.sleep(context.Background(), d) != nil {
			return
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.containersLive() {
			f()
		}
	})
}

func (e *Engine) containersLive() bool {
	select {
	case <-e.closed:
		return false
	default:
		return true
	}
}

// Stop implements runtime.Engine.
func (e *Engine) Stop(ctx context.Context, id string) error {
	if err := e.call(ctx, "", 0); err != nil {
		return err
	}
	c, err := e.find(id)
	if err != nil {
		e.mu.Unlock()
		return err
	}
	e.calls = append(e.calls, "stop "+c.c.Name)
	c.stopped = true
	if c.c.State == "restarting" {
		c.c.State = "exited"
	}
	if c.c.State != "running" {
		e.mu.Unlock()
		return nil
	}
	e.emitOf(c, "kill", 15)
	run := c.run
	e.mu.Unlock()
	if err := e.sleep(ctx, e.cfg.StopTime); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if c.run == run {
		e.die(c, c.does.StopCode)
		e.emitOf(c, "stop", 0)
	}
	return nil
}

// Remove implements runtime.Engine.
func (e *Engine) Remove(ctx context.Context, id string, _ bool) error {
	if err := e.call(ctx, "", 0); err != nil {
		return err
	}
	defer e.mu.Unlock()
	c, err := e.find(id)
	if err != nil {
		return err
	}
	e.calls = append(e.calls, "remove "+c.c.Name)
	c.stopped = true
	if c.c.State == "running" {
		e.emitOf(c, "kill", 9)
		e.die(c, 137)
	}
	c.run++
	delete(e.containers, c.c.ID)
	e.emitOf(c, "destroy", 0)
	return nil
}

// Logs implements runtime.Engine.
func (e *Engine) Logs(ctx context.Context, id string, lines int) ([]string, error) {
	if err := e.call(ctx, "", 0); err != nil {
		return nil, err
	}
	defer e.mu.Unlock()
	c, err := e.find(id)
	if err != nil {
		return nil, err
	}
	return slices.Clone(c.logs[max(0, len(c.logs)-lines):]), nil
}

// Answers implements runtime.Engine.
func (e *Engine) Answers(ctx context.Context, port runtime.Port) error {
	if err := e.call(ctx, "", 0); err != nil {
		return err
	}
	defer e.mu.Unlock()
	for _, c := range e.containers {
		if c.c.State == "running" && !e.mute[c.c.ID] && slices.ContainsFunc(c.c.Ports, func(p runtime.Port) bool { return p.HostPort == port.HostPort }) {
			return nil
		}
	}
	return fmt.Errorf("connection refused")
}

func (e *Engine) emitOf(c *container, action string, signal int) {
	e.emit(runtime.Event{Type: "container", Action: action, ID: c.c.ID, Signal: signal, Labels: maps.Clone(c.c.Labels)})
}
