package docker

import (
	"maps"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/docker/api/types/blkiodev"
	"github.com/docker/docker/api/types/container"
)

// resources are a service's limits, reservations and devices.
func resources(s types.ServiceConfig) container.Resources {
	r := container.Resources{
		CgroupParent: s.CgroupParent, Memory: int64(s.MemLimit), MemorySwap: int64(s.MemSwapLimit), MemoryReservation: int64(s.MemReservation),
		OomKillDisable: &s.OomKillDisable, CPUCount: s.CPUCount, CPUPeriod: s.CPUPeriod, CPUQuota: s.CPUQuota,
		CPURealtimePeriod: s.CPURTPeriod, CPURealtimeRuntime: s.CPURTRuntime, CPUShares: s.CPUShares,
		NanoCPUs: int64(s.CPUS * 1e9), CPUPercent: int64(s.CPUPercent * 100), CpusetCpus: s.CPUSet, DeviceCgroupRules: s.DeviceCgroupRules,
	}
	if s.MemSwappiness != 0 {
		n := int64(s.MemSwappiness)
		r.MemorySwappiness = &n
	}
	if s.PidsLimit != 0 {
		r.PidsLimit = &s.PidsLimit
	}
	blkio(s.BlkioConfig, &r)
	if d := s.Deploy; d != nil {
		deployed(d.Resources, &r)
	}
	var cdi []string
	for _, d := range s.Devices {
		if d.Source == d.Target && strings.Contains(d.Source, "=") && !strings.HasPrefix(d.Source, "/") {
			cdi = append(cdi, d.Source) // "vendor.com/class=name", a name of the Container Device Interface
			continue
		}
		r.Devices = append(r.Devices, container.DeviceMapping{PathOnHost: d.Source, PathInContainer: d.Target, CgroupPermissions: d.Permissions})
	}
	if len(cdi) > 0 {
		r.DeviceRequests = append(r.DeviceRequests, container.DeviceRequest{Driver: "cdi", DeviceIDs: cdi})
	}
	for _, g := range s.Gpus {
		r.DeviceRequests = append(r.DeviceRequests, container.DeviceRequest{
			Driver: g.Driver, Count: int(g.Count), DeviceIDs: g.IDs, Options: g.Options, Capabilities: [][]string{append(slices.Clone(g.Capabilities), "gpu")},
		})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Ulimits)) {
		u := s.Ulimits[name]
		if u == nil {
			continue
		}
		soft, hard := u.Single, u.Single
		if u.Soft != 0 {
			soft = u.Soft
		}
		if u.Hard != 0 {
			hard = u.Hard
		}
		r.Ulimits = append(r.Ulimits, &container.Ulimit{Name: name, Soft: int64(soft), Hard: int64(hard)})
	}
	return r
}

func deployed(d types.Resources, r *container.Resources) {
	if l := d.Limits; l != nil {
		if l.MemoryBytes != 0 {
			r.Memory = int64(l.MemoryBytes)
		}
		if l.NanoCPUs != 0 {
			r.NanoCPUs = int64(l.NanoCPUs * 1e9)
		}
		if l.Pids > 0 {
			r.PidsLimit = &l.Pids
		}
	}
	if res := d.Reservations; res != nil {
		if res.MemoryBytes != 0 {
			r.MemoryReservation = int64(res.MemoryBytes)
		}
		for _, dev := range res.Devices {
			r.DeviceRequests = append(r.DeviceRequests, container.DeviceRequest{
				Driver: dev.Driver, Count: int(dev.Count), DeviceIDs: dev.IDs, Options: dev.Options, Capabilities: [][]string{dev.Capabilities},
			})
		}
	}
}

func blkio(b *types.BlkioConfig, r *container.Resources) {
	if b == nil {
		return
	}
	r.BlkioWeight = b.Weight
	for _, d := range b.WeightDevice {
		r.BlkioWeightDevice = append(r.BlkioWeightDevice, &blkiodev.WeightDevice{Path: d.Path, Weight: d.Weight})
	}
	throttle := func(list []types.ThrottleDevice) (out []*blkiodev.ThrottleDevice) {
		for _, d := range list {
			out = append(out, &blkiodev.ThrottleDevice{Path: d.Path, Rate: uint64(d.Rate)})
		}
		return out
	}
	r.BlkioDeviceReadBps, r.BlkioDeviceReadIOps = throttle(b.DeviceReadBps), throttle(b.DeviceReadIOps)
	r.BlkioDeviceWriteBps, r.BlkioDeviceWriteIOps = throttle(b.DeviceWriteBps), throttle(b.DeviceWriteIOps)
}
