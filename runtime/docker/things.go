package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"

	"pharos/runtime"
)

// Networks implements runtime.Engine.
func (e *Engine) Networks(ctx context.Context, labels map[string]string) ([]runtime.Network, error) {
	list, err := e.c.NetworkList(ctx, network.ListOptions{Filters: labelFilter(labels)})
	if err != nil {
		return nil, translate(err)
	}
	out := make([]runtime.Network, len(list))
	for i, n := range list {
		out[i] = runtime.Network{ID: n.ID, Name: n.Name, Labels: n.Labels}
	}
	slices.SortFunc(out, func(a, b runtime.Network) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Network implements runtime.Engine. It lists, because an inspect would also
// take the name for the beginning of an ID.
func (e *Engine) Network(ctx context.Context, name string) (runtime.Network, error) {
	list, err := e.c.NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs(filters.Arg("name", name))})
	if err != nil {
		return runtime.Network{}, translate(err)
	}
	for _, n := range list {
		if n.Name == name {
			return runtime.Network{ID: n.ID, Name: n.Name, Labels: n.Labels}, nil
		}
	}
	return runtime.Network{}, fmt.Errorf("network %s: %w", name, runtime.ErrNotFound)
}

// CreateNetwork implements runtime.Engine.
func (e *Engine) CreateNetwork(ctx context.Context, name string, n types.NetworkConfig, labels map[string]string) error {
	opts := network.CreateOptions{
		Labels: labels, Driver: n.Driver, Options: n.DriverOpts, Internal: n.Internal, Attachable: n.Attachable,
		EnableIPv4: n.EnableIPv4, EnableIPv6: n.EnableIPv6,
	}
	if n.Ipam.Driver != "" || len(n.Ipam.Config) > 0 || len(n.Ipam.Options) > 0 {
		opts.IPAM = &network.IPAM{Driver: n.Ipam.Driver, Options: n.Ipam.Options}
		for _, pool := range n.Ipam.Config {
			if pool != nil {
				opts.IPAM.Config = append(opts.IPAM.Config, network.IPAMConfig{
					Subnet: pool.Subnet, IPRange: pool.IPRange, Gateway: pool.Gateway, AuxAddress: pool.AuxiliaryAddresses,
				})
			}
		}
	}
	_, err := e.c.NetworkCreate(ctx, name, opts)
	return translate(err)
}

// RemoveNetwork implements runtime.Engine.
func (e *Engine) RemoveNetwork(ctx context.Context, id string) error {
	return translate(e.c.NetworkRemove(ctx, id))
}

// Volumes implements runtime.Engine.
func (e *Engine) Volumes(ctx context.Context, labels map[string]string) ([]runtime.Volume, error) {
	list, err := e.c.VolumeList(ctx, volume.ListOptions{Filters: labelFilter(labels)})
	if err != nil {
		return nil, translate(err)
	}
	var out []runtime.Volume
	for _, v := range list.Volumes {
		if v != nil {
			out = append(out, volumeOf(*v))
		}
	}
	slices.SortFunc(out, func(a, b runtime.Volume) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func volumeOf(v volume.Volume) runtime.Volume {
	return runtime.Volume{Name: v.Name, Labels: v.Labels, Created: parseTime(v.CreatedAt)}
}

// Volume implements runtime.Engine.
func (e *Engine) Volume(ctx context.Context, name string) (runtime.Volume, error) {
	v, err := e.c.VolumeInspect(ctx, name)
	return volumeOf(v), translate(err)
}

// CreateVolume implements runtime.Engine.
func (e *Engine) CreateVolume(ctx context.Context, name string, v types.VolumeConfig, labels map[string]string) (runtime.Volume, error) {
	made, err := e.c.VolumeCreate(ctx, volume.CreateOptions{
		Name: name, Driver: v.Driver, DriverOpts: maps.Clone(map[string]string(v.DriverOpts)), Labels: labels,
	})
	return volumeOf(made), translate(err)
}

// RemoveVolume implements runtime.Engine.
func (e *Engine) RemoveVolume(ctx context.Context, name string) error {
	return translate(e.c.VolumeRemove(ctx, name, false))
}

// Image implements runtime.Engine.
func (e *Engine) Image(ctx context.Context, ref string) (runtime.Image, error) {
	in, err := e.c.ImageInspect(ctx, ref)
	if err != nil {
		return runtime.Image{}, translate(err)
	}
	img := runtime.Image{ID: in.ID}
	if in.Config != nil {
		img.Volumes = slices.Sorted(maps.Keys(in.Config.Volumes))
	}
	return img, nil
}

// Pull implements runtime.Engine.
func (e *Engine) Pull(ctx context.Context, ref, platform string, progress func()) error {
	r, err := e.c.ImagePull(ctx, ref, image.PullOptions{Platform: platform})
	if err != nil {
		return translate(err)
	}
	defer r.Close()
	return follow(r, progress)
}

// follow reads the engine's progress messages to their end. An error among
// them is the outcome.
func follow(r io.Reader, progress func()) error {
	d := json.NewDecoder(r)
	for {
		var m struct {
			Error string `json:"error"`
		}
		switch err := d.Decode(&m); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading the engine's progress: %w", err)
		case m.Error != "":
			return clean(errors.New(m.Error))
		}
		progress()
	}
}

// Import makes an image of a root file system, a tar stream, and names it ref.
// Changes are lines of a Dockerfile: `ENTRYPOINT ["/specimen"]`.
func (e *Engine) Import(ctx context.Context, ref string, rootfs io.Reader, changes []string) error {
	r, err := e.c.ImageImport(ctx, image.ImportSource{Source: rootfs, SourceName: "-"}, ref, image.ImportOptions{Changes: changes})
	if err != nil {
		return translate(err)
	}
	defer r.Close()
	return follow(r, func() {})
}

// ImageLabel gives a label of an image, empty when it has none or is not there.
func (e *Engine) ImageLabel(ctx context.Context, ref, key string) (string, error) {
	in, err := e.c.ImageInspect(ctx, ref)
	if cerrdefs.IsNotFound(err) {
		return "", nil
	}
	if err != nil || in.Config == nil {
		return "", translate(err)
	}
	return in.Config.Labels[key], nil
}

// RemoveImage removes a name of an image, and the image with its last name.
func (e *Engine) RemoveImage(ctx context.Context, ref string) error {
	_, err := e.c.ImageRemove(ctx, ref, image.RemoveOptions{})
	return translate(err)
}
