package simulated

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"pharos/runtime"
)

// Networks implements runtime.Engine.
func (e *Engine) Networks(ctx context.Context, labels map[string]string) ([]runtime.Network, error) {
	if err := e.call(ctx, "", 0); err != nil {
		return nil, err
	}
	defer e.mu.Unlock()
	var out []runtime.Network
	for _, n := range e.networks {
		if matches(n.Labels, labels) {
			n.Labels = maps.Clone(n.Labels)
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(a, b runtime.Network) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// networkNamed finds a network. The caller holds mu.
func (e *Engine) networkNamed(name string) (runtime.Network, error) {
	for _, n := range e.networks {
		if n.Name == name || n.ID == name {
			return n, nil
		}
	}
	return runtime.Network{}, fmt.Errorf("network %s: %w", name, runtime.ErrNotFound)
}

// Network implements runtime.Engine.
func (e *Engine) Network(ctx context.Context, name string) (runtime.Network, error) {
	if err := e.call(ctx, "", 0); err != nil {
		return runtime.Network{}, err
	}
	defer e.mu.Unlock()
	return e.networkNamed(name)
}

// CreateNetwork implements runtime.Engine.
func (e *Engine) CreateNetwork(ctx context.Context, name string, _ types.NetworkConfig, labels map[string]string) error {
	if err := e.call(ctx, "create network "+name, 0); err != nil {
		return err
	}
	defer e.mu.Unlock()
	if _, err := e.networkNamed(name); err == nil {
		return fmt.Errorf("network with name %s already exists: %w", name, runtime.ErrConflict)
	}
	n := runtime.Network{ID: e.id(), Name: name, Labels: maps.Clone(labels)}
	e.networks[n.ID] = n
	return nil
}

// RemoveNetwork implements runtime.Engine.
func (e *Engine) RemoveNetwork(ctx context.Context, id string) error {
	if err := e.call(ctx, "", 0); err != nil {
		return err
	}
	defer e.mu.Unlock()
	n, err := e.networkNamed(id)
	if err != nil {
		return err
	}
	for _, c := range e.containers {
		if _, on := c.c.Networks[n.Name]; on && c.c.State == "running" {
			return fmt.Errorf("network %s has active endpoints: %w", n.Name, runtime.ErrConflict)
		}
	}
	e.calls = append(e.calls, "remove network "+n.Name)
	delete(e.networks, n.ID)
	e.emit(runtime.Event{Type: "network", Action: "destroy", ID: n.ID})
	return nil
}

// Volumes implements runtime.Engine.
func (e *Engine) Volumes(ctx context.Context, labels map[string]string) ([]runtime.Volume, error) {
	if err := e.call(ctx, "", 0); err != nil {
		return nil, err
	}
	defer e.mu.Unlock()
	var out []runtime.Volume
	for _, v := range e.volumes {
		if matches(v.Labels, labels) {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b runtime.Volume) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Volume implements runtime.Engine.
func (e *Engine) Volume(ctx context.Context, name string) (runtime.Volume, error) {
	if err := e.call(ctx, "", 0); err != nil {
		return runtime.Volume{}, err
	}
	defer e.mu.Unlock()
	v, there := e.volumes[name]
	if !there {
		return v, fmt.Errorf("volume %s: %w", name, runtime.ErrNotFound)
	}
	return v, nil
}

// CreateVolume implements runtime.Engine.
func (e *Engine) CreateVolume(ctx context.Context, name string, _ types.VolumeConfig, labels map[string]string) (runtime.Volume, error) {
	if err := e.call(ctx, "", 0); err != nil {
		return runtime.Volume{}, err
	}
	defer e.mu.Unlock()
	if v, there := e.volumes[name]; there {
		return v, nil
	}
	e.calls = append(e.calls, "create volume "+name)
	v := runtime.Volume{Name: name, Labels: maps.Clone(labels), Created: time.Now()}
	e.volumes[name] = v
	return v, nil
}

// RemoveVolume implements runtime.Engine.
func (e *Engine) RemoveVolume(ctx context.Context, name string) error {
	if err := e.call(ctx, "remove volume "+name, 0); err != nil {
		return err
	}
	defer e.mu.Unlock()
	if _, there := e.volumes[name]; !there {
		return fmt.Errorf("volume %s: %w", name, runtime.ErrNotFound)
	}
	delete(e.volumes, name)
	e.emit(runtime.Event{Type: "volume", Action: "destroy", ID: name})
	return nil
}

// Image implements runtime.Engine.
func (e *Engine) Image(ctx context.Context, ref string) (runtime.Image, error) {
	if err := e.call(ctx, "", 0); err != nil {
		return runtime.Image{}, err
	}
	defer e.mu.Unlock()
	img, there := e.images[ref]
	if !there {
		return img, fmt.Errorf("no such image: %s: %w", ref, runtime.ErrNotFound)
	}
	return img, nil
}

// Pull implements runtime.Engine.
func (e *Engine) Pull(ctx context.Context, ref, _ string, progress func()) error {
	if err := e.call(ctx, "pull "+ref, 0); err != nil {
		return err
	}
	hang := e.hanging[ref]
	e.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-e.closed:
			return runtime.ErrUnreachable
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	const parts = 5
	for range parts {
		if err := e.sleep(ctx, e.cfg.PullTime/parts); err != nil {
			return err
		}
		progress()
	}
	if err := e.call(ctx, "", 0); err != nil {
		return err
	}
	defer e.mu.Unlock()
	if err := e.failing[ref]; err != nil {
		return err
	}
	if _, there := e.images[ref]; !there {
		e.images[ref] = runtime.Image{ID: e.id()}
	}
	return nil
}

var errPull = errors.New("pull access denied, repository does not exist")
