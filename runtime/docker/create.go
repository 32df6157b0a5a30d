package docker

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/go-connections/nat"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pharos/runtime"
)

// creation is what the engine is asked for to make one container.
type creation struct {
	config    *container.Config
	host      *container.HostConfig
	network   *network.NetworkingConfig
	platform  *ocispec.Platform
	join      map[string]*network.EndpointSettings // after creation, for old engines
	joinOrder []string
	warnings  []string // keys that this engine is too old for
}

// mapped turns a service into what docker compose would ask for.
func mapped(spec runtime.ContainerSpec, api string) (creation, error) {
	s := spec.Service
	var m creation
	securityOpt, unconfined := securityOpts(s.SecurityOpt)
	binds, mounts := volumes(spec)
	m.config = &container.Config{
		Hostname: s.Hostname, Domainname: s.DomainName, User: s.User,
		ExposedPorts: exposed(s), Tty: s.Tty, OpenStdin: s.StdinOpen, AttachStdout: true, AttachStderr: true,
		Cmd: []string(s.Command), Entrypoint: []string(s.Entrypoint), Image: s.Image, WorkingDir: s.WorkingDir,
		NetworkDisabled: s.NetworkMode == "disabled",
		Labels:          spec.Labels, StopSignal: s.StopSignal, Env: env(s.Environment),
		Healthcheck: m.healthcheck(s.HealthCheck, api), StopTimeout: seconds(s.StopGracePeriod),
	}
	m.host = &container.HostConfig{
		Annotations: s.Annotations, Binds: binds, Mounts: mounts, CapAdd: s.CapAdd, CapDrop: s.CapDrop,
		Init: s.Init, IpcMode: container.IpcMode(s.Ipc), CgroupnsMode: container.CgroupnsMode(s.Cgroup),
		ReadonlyRootfs: s.ReadOnly, RestartPolicy: restartPolicy(s), ShmSize: int64(s.ShmSize), Sysctls: s.Sysctls,
		PortBindings: published(s), Resources: resources(s), VolumesFrom: s.VolumesFrom,
		DNS: s.DNS, DNSSearch: s.DNSSearch, DNSOptions: s.DNSOpts, ExtraHosts: sorted(s.ExtraHosts.AsList(":")),
		SecurityOpt: securityOpt, StorageOpt: s.StorageOpt, UsernsMode: container.UsernsMode(s.UserNSMode),
		UTSMode: container.UTSMode(s.Uts), Privileged: s.Privileged, PidMode: container.PidMode(s.Pid),
		Tmpfs: tmpfs(s.Tmpfs), Isolation: container.Isolation(s.Isolation), Runtime: s.Runtime,
		GroupAdd: s.GroupAdd, OomScoreAdj: int(s.OomScoreAdj), Links: s.Links,
	}
	if s.Logging != nil {
		m.host.LogConfig = container.LogConfig{Type: s.Logging.Driver, Config: s.Logging.Options}
	}
	if unconfined {
		m.host.MaskedPaths, m.host.ReadonlyPaths = []string{}, []string{}
	}
	if len(s.Annotations) > 0 && versions.LessThan(api, "1.43") {
		m.warnings = append(m.warnings, "annotations")
	}
	if s.Platform != "" {
		parts := append(strings.Split(s.Platform, "/"), "", "")
		m.platform = &ocispec.Platform{OS: parts[0], Architecture: parts[1], Variant: parts[2]}
	}
	return m, m.networks(spec, api)
}

// networks joins the container to its networks, the one with the highest
// priority first.
func (m *creation) networks(spec runtime.ContainerSpec, api string) error {
	s := spec.Service
	if s.NetworkMode != "" {
		m.host.NetworkMode = container.NetworkMode(s.NetworkMode)
		m.config.MacAddress = s.MacAddress //nolint:staticcheck // engines before API 1.44 know no other place
		return nil
	}
	keys := s.NetworksByPriority()
	if len(keys) == 0 {
		m.host.NetworkMode = "none"
		return nil
	}
	perEndpoint := versions.GreaterThanOrEqualTo(api, "1.44")
	m.network = &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{}}
	m.join = map[string]*network.EndpointSettings{}
	for i, key := range keys {
		name := spec.Project.Networks[key].Name
		settings := endpoint(spec, key)
		if i == 0 {
			if settings.MacAddress == "" {
				settings.MacAddress = s.MacAddress
			}
			m.host.NetworkMode = container.NetworkMode(name)
		}
		if !perEndpoint {
			if i > 0 && settings.MacAddress != "" {
				return fmt.Errorf("service %s has MAC addresses on several networks, for which the engine is too old: update it to 25 or later", s.Name)
			}
			m.config.MacAddress += settings.MacAddress //nolint:staticcheck // see above
			settings.MacAddress = ""
		}
		if c := s.Networks[key]; c != nil && c.InterfaceName != "" && versions.LessThan(api, "1.49") {
			m.warnings = append(m.warnings, "networks."+key+".interface_name")
		}
		if i == 0 || perEndpoint {
			m.network.EndpointsConfig[name] = settings
			continue
		}
		m.join[name] = settings
		m.joinOrder = append(m.joinOrder, name)
	}
	return nil
}

func endpoint(spec runtime.ContainerSpec, key string) *network.EndpointSettings {
	out := &network.EndpointSettings{Aliases: slices.Clone(spec.Aliases), Links: spec.Service.Links}
	c := spec.Service.Networks[key]
	if c == nil {
		return out
	}
	out.Aliases = append(out.Aliases, c.Aliases...)
	out.MacAddress, out.GwPriority = c.MacAddress, c.GatewayPriority
	out.DriverOpts = maps.Clone(map[string]string(c.DriverOpts))
	if c.InterfaceName != "" {
		if out.DriverOpts == nil {
			out.DriverOpts = map[string]string{}
		}
		out.DriverOpts["com.docker.network.endpoint.ifname"] = c.InterfaceName
	}
	if c.Ipv4Address != "" || c.Ipv6Address != "" || len(c.LinkLocalIPs) > 0 {
		out.IPAMConfig = &network.EndpointIPAMConfig{IPv4Address: c.Ipv4Address, IPv6Address: c.Ipv6Address, LinkLocalIPs: c.LinkLocalIPs}
	}
	return out
}

func (m *creation) healthcheck(h *types.HealthCheckConfig, api string) *container.HealthConfig {
	if h == nil {
		return nil
	}
	out := &container.HealthConfig{Test: []string(h.Test), Interval: duration(h.Interval), Timeout: duration(h.Timeout), StartPeriod: duration(h.StartPeriod)}
	if h.Disable {
		out.Test = []string{"NONE"}
	}
	if h.Retries != nil {
		out.Retries = int(min(*h.Retries, math.MaxInt32))
	}
	if h.StartInterval != nil {
		if versions.LessThan(api, "1.44") {
			m.warnings = append(m.warnings, "healthcheck.start_interval")
		} else {
			out.StartInterval = duration(h.StartInterval)
		}
	}
	return out
}

func duration(d *types.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return time.Duration(*d)
}

func seconds(d *types.Duration) *int {
	if d == nil {
		return nil
	}
	n := int(math.Ceil(time.Duration(*d).Seconds()))
	return &n
}

func env(m types.MappingWithEquals) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if v := m[k]; v != nil {
			out = append(out, k+"="+*v)
		} else {
			out = append(out, k)
		}
	}
	return out
}

func exposed(s types.ServiceConfig) nat.PortSet {
	set := nat.PortSet{}
	for _, e := range s.Expose {
		number, proto, found := strings.Cut(e, "/")
		if !found {
			proto = "tcp"
		}
		first, last, err := nat.ParsePortRange(number)
		if err != nil {
			continue // compose-go has checked it
		}
		for n := first; n <= last; n++ {
			set[nat.Port(fmt.Sprintf("%d/%s", n, proto))] = struct{}{}
		}
	}
	for _, p := range s.Ports {
		set[portOf(p)] = struct{}{}
	}
	return set
}

func portOf(p types.ServicePortConfig) nat.Port {
	proto := p.Protocol
	if proto == "" {
		proto = "tcp"
	}
	return nat.Port(strconv.Itoa(int(p.Target)) + "/" + proto)
}

func published(s types.ServiceConfig) nat.PortMap {
	out := nat.PortMap{}
	for _, p := range s.Ports {
		out[portOf(p)] = append(out[portOf(p)], nat.PortBinding{HostIP: p.HostIP, HostPort: p.Published})
	}
	return out
}

func restartPolicy(s types.ServiceConfig) container.RestartPolicy {
	name, n, _ := strings.Cut(s.Restart, ":")
	attempts, _ := strconv.Atoi(n)
	if s.Deploy != nil && s.Deploy.RestartPolicy != nil {
		p := s.Deploy.RestartPolicy
		name, attempts = p.Condition, 0
		if p.MaxAttempts != nil {
			attempts = int(min(*p.MaxAttempts, math.MaxInt32))
		}
	}
	switch name {
	case "none", "no":
		name = string(container.RestartPolicyDisabled)
	case "any":
		name = string(container.RestartPolicyAlways)
	}
	if name != string(container.RestartPolicyOnFailure) {
		attempts = 0 // the engine refuses a count with any other policy
	}
	return container.RestartPolicy{Name: container.RestartPolicyMode(name), MaximumRetryCount: attempts}
}

// securityOpts takes out what is no option of the engine but of its client.
func securityOpts(opts []string) (out []string, unconfined bool) {
	for _, o := range opts {
		if o == "systempaths=unconfined" || o == "systempaths:unconfined" {
			unconfined = true
			continue
		}
		out = append(out, o)
	}
	return out, unconfined
}

func tmpfs(list []string) map[string]string {
	out := map[string]string{}
	for _, t := range list {
		path, opts, _ := strings.Cut(t, ":")
		out[path] = opts
	}
	return out
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}
