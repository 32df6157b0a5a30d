package docker

import (
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/docker/api/types/mount"

	"pharos/runtime"
)

// volumes are a service's mounts. As docker compose does, the old form
// ("source:target:rw") is used where it says all: it makes a missing host
// folder, which the new form can't on every engine.
func volumes(spec runtime.ContainerSpec) (binds []string, mounts []mount.Mount) {
	inherited := maps.Clone(spec.Inherit)
	for _, v := range spec.Service.Volumes {
		source := v.Source
		if v.Type == types.VolumeTypeVolume && source != "" {
			if named, ok := spec.Project.Volumes[source]; ok {
				source = named.Name
			}
		}
		if v.Type == types.VolumeTypeVolume && source == "" && inherited[v.Target] != "" {
			source = inherited[v.Target]
		}
		delete(inherited, v.Target)
		plainVolume := v.Type == types.VolumeTypeVolume && source != "" && (v.Volume == nil || len(v.Volume.Labels) == 0 && v.Volume.Subpath == "")
		plainBind := v.Type == types.VolumeTypeBind && (v.Bind == nil || bool(v.Bind.CreateHostPath) && v.Bind.Recursive == "")
		if plainVolume || plainBind {
			binds = append(binds, bindString(source, v))
			continue
		}
		mounts = append(mounts, mountOf(source, v))
	}
	for _, target := range slices.Sorted(maps.Keys(inherited)) {
		mounts = append(mounts, mount.Mount{Type: mount.TypeVolume, Source: inherited[target], Target: target})
	}
	return binds, mounts
}

func bindString(source string, v types.ServiceVolumeConfig) string {
	options := []string{"rw"}
	if v.ReadOnly {
		options[0] = "ro"
	}
	if b := v.Bind; b != nil {
		if b.SELinux != "" {
			options = append(options, b.SELinux)
		}
		if b.Propagation != "" {
			options = append(options, b.Propagation)
		}
	}
	if v.Volume != nil && v.Volume.NoCopy {
		options = append(options, "nocopy")
	}
	return source + ":" + v.Target + ":" + strings.Join(options, ",")
}

func mountOf(source string, v types.ServiceVolumeConfig) mount.Mount {
	m := mount.Mount{Type: mount.Type(v.Type), Source: source, Target: v.Target, ReadOnly: v.ReadOnly}
	switch v.Type {
	case types.VolumeTypeBind:
		if b := v.Bind; b != nil {
			m.BindOptions = &mount.BindOptions{
				Propagation: mount.Propagation(b.Propagation), CreateMountpoint: bool(b.CreateHostPath),
				NonRecursive: b.Recursive == "disabled", ReadOnlyNonRecursive: b.Recursive == "writable", ReadOnlyForceRecursive: b.Recursive == "readonly",
			}
		}
	case types.VolumeTypeVolume:
		if o := v.Volume; o != nil {
			m.VolumeOptions = &mount.VolumeOptions{NoCopy: o.NoCopy, Subpath: o.Subpath, Labels: o.Labels}
		}
	case types.VolumeTypeTmpfs:
		if o := v.Tmpfs; o != nil {
			m.TmpfsOptions = &mount.TmpfsOptions{SizeBytes: int64(o.Size), Mode: os.FileMode(o.Mode)}
		}
	}
	return m
}
