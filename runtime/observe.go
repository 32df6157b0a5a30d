package runtime

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"pharos/state"
)

// readTimeout bounds each read of the engine. One that takes longer is hung.
const readTimeout = 10 * time.Second

// observed is all that was read of the engine for one app at one moment.
type observed struct {
	at         time.Time
	containers []Container // the app's, inspected, by service and number
	networks   []Network   // the app's
	volumes    []Volume    // the app's
	named      map[string]Network
	namedVols  map[string]Volume
	images     map[string]Image // by reference; absent when the engine lacks it
}

// observe reads what bears the node's and the app's label.
func observe(ctx context.Context, e Engine, node state.NodeID, app state.Name) (observed, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	seen := observed{
		at: time.Now(), named: map[string]Network{}, namedVols: map[string]Volume{},
		images: map[string]Image{},
	}
	var errs [3]error
	var wg sync.WaitGroup
	wg.Go(func() { seen.containers, errs[0] = inspectAll(ctx, e, owned(node, app)) })
	wg.Go(func() { seen.networks, errs[1] = e.Networks(ctx, owned(node, app)) })
	wg.Go(func() { seen.volumes, errs[2] = e.Volumes(ctx, owned(node, app)) })
	wg.Wait()
	return seen, errors.Join(errs[:]...)
}

// inspectAll inspects each container of a list: at the moment of a death the
// list still says "running", while an inspect waits and tells the truth.
func inspectAll(ctx context.Context, e Engine, labels map[string]string) ([]Container, error) {
	list, err := e.Containers(ctx, labels)
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(list))
	var wg sync.WaitGroup
	gate := make(chan struct{}, 8) // an engine answers few calls at once anyway
	for i, c := range list {
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			list[i], errs[i] = e.Inspect(ctx, c.ID)
			if errors.Is(errs[i], ErrNotFound) {
				errs[i] = nil // removed since the list was made
			}
		})
	}
	wg.Wait()
	list = slices.DeleteFunc(list, func(c Container) bool { return c.ID == "" })
	slices.SortFunc(list, func(a, b Container) int {
		sa, na, _ := slotOf(a)
		sb, nb, _ := slotOf(b)
		if c := strings.Compare(sa, sb); c != 0 {
			return c
		}
		if na != nb {
			return na - nb
		}
		return strings.Compare(a.Name, b.Name)
	})
	return list, errors.Join(errs...)
}

// observeNamed adds the networks and volumes that the app uses without owning
// them, by their names.
func (seen *observed) observeNamed(ctx context.Context, e Engine, w *want) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	for _, key := range w.networks {
		n := w.project.Networks[key]
		if _, own := seen.network(key); own {
			continue
		}
		found, err := e.Network(ctx, n.Name)
		if err == nil {
			seen.named[n.Name] = found
		} else if !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	for _, key := range w.volumes {
		v := w.project.Volumes[key]
		if _, own := seen.volume(key); own {
			continue
		}
		found, err := e.Volume(ctx, v.Name)
		if err == nil {
			seen.namedVols[v.Name] = found
		} else if !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}

// observeImages adds the images that a decision hangs on.
func (seen *observed) observeImages(ctx context.Context, e Engine, refs []string) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	for _, ref := range refs {
		img, err := e.Image(ctx, ref)
		if err == nil {
			seen.images[ref] = img
		} else if !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}

// network finds the app's own network of that key.
func (seen observed) network(key string) (Network, bool) {
	for _, n := range seen.networks {
		if n.Labels[labelNetwork] == key {
			return n, true
		}
	}
	return Network{}, false
}

func (seen observed) volume(key string) (Volume, bool) {
	for _, v := range seen.volumes {
		if v.Labels[labelVolume] == key {
			return v, true
		}
	}
	return Volume{}, false
}
