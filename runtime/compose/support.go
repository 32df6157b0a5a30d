package compose

import (
	"slices"
	"strings"
)

// level says what becomes of a key.
type level int

const (
	works   level = iota // it and everything below it
	descend              // look at the keys below
	warns                // ignored, with a warning that says so
	refuses              // the file is refused
)

// rule is what the table says of one key. Text is why (warns) or what to do
// instead (refuses).
type rule struct {
	level level
	text  string
}

func ignored(why string) rule   { return rule{warns, why} }
func refused(fix string) rule   { return rule{refuses, fix} }
func later(what string) rule    { return rule{refuses, what + " can't be deployed yet; leave it out"} }
func resolvedAtLoad() rule      { return rule{works, loadOnly} }
func all(keys string) []string  { return strings.Fields(keys) }
func (r rule) onlyAtLoad() bool { return r.level == works && r.text == loadOnly }

// loadOnly marks keys that Load resolves, and that an order therefore never has.
const loadOnly = "resolved where the operator deploys"

// support is the one table of what this version does with each key of the
// Compose specification. A "*" stands for a name or an index. Keys that begin
// with "x-" are extensions and allowed everywhere.
var support = buildSupport()

func buildSupport() map[string]rule {
	t := map[string]rule{
		"name": {level: works}, "version": {level: works},
		"services": {level: descend}, "services.*": {level: descend},
		"networks": {level: descend}, "networks.*": {level: descend},
		"volumes": {level: descend}, "volumes.*": {level: descend},
		"include": resolvedAtLoad(),
		"configs": later("a config"), "secrets": later("a secret"),
		"models": refused("models need Docker Desktop; run the model as a service"),
		"jobs":   refused("declare the job as a service without a restart policy, and wait for it with service_completed_successfully"),
	}
	add := func(prefix string, r rule, keys string) {
		for _, k := range all(keys) {
			t[prefix+k] = r
		}
	}
	const s = "services.*."
	add(s, rule{level: works}, `
		annotations blkio_config cap_add cap_drop cgroup cgroup_parent command container_name
		cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset
		device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint environment expose
		extra_hosts gpus group_add healthcheck hostname image init ipc isolation labels links logging
		mac_address mem_limit mem_reservation mem_swappiness memswap_limit network_mode oom_kill_disable
		oom_score_adj pid pids_limit platform ports privileged read_only restart runtime scale security_opt
		shm_size stdin_open stop_grace_period stop_signal storage_opt sysctls tmpfs tty ulimits user
		userns_mode uts volumes_from working_dir`)
	add(s, resolvedAtLoad(), "env_file label_file extends profiles")
	add(s, rule{level: descend}, "deploy depends_on depends_on.* networks networks.* volumes volumes.* pull_policy")
	t[s+"pull_policy"] = rule{level: works}

	t[s+"build"] = refused("build the image, push it to a registry the nodes can reach, and name it with `image:`")
	t[s+"develop"] = refused("`develop` watches sources, which are not on the nodes; remove it, or keep it in a file of its own that is not deployed")
	t[s+"provider"] = refused("providers are programs on the operator's machine; declare the service with an `image:`")
	t[s+"models"] = refused("models need Docker Desktop; run the model as a service")
	t[s+"use_api_socket"] = refused("mount the socket: /var/run/docker.sock:/var/run/docker.sock")
	t[s+"credential_spec"] = refused("it is for Windows containers")
	t[s+"configs"], t[s+"secrets"] = later("a config"), later("a secret")
	t[s+"pre_start"], t[s+"post_start"], t[s+"pre_stop"] = later("a hook"), later("a hook"), later("a hook")
	t[s+"external_links"] = refused("join the other app's network: declare it under `networks` with `external: true`")
	t[s+"volume_driver"] = refused("name the driver at the volume, under the top-level `volumes`")
	t[s+"umask"] = refused("set it in the container's entrypoint")
	t[s+"pull_refresh_after"] = refused("use `pull_policy: always` or `missing`")
	t[s+"log_driver"], t[s+"log_opt"] = refused("use `logging`"), refused("use `logging`")
	t[s+"net"], t[s+"dockerfile"] = refused("use `network_mode`"), refused("name an `image:`")
	t[s+"attach"] = ignored("nothing is attached to a node's containers")

	add(s+"depends_on.*.", rule{level: works}, "condition required restart")
	add(s+"networks.*.", rule{level: works}, "aliases driver_opts gw_priority interface_name ipv4_address ipv6_address link_local_ips mac_address priority")
	t[s+"networks.*.use_service_name_alias"] = later("a network without the service's alias")
	add(s+"volumes.*.", rule{level: works}, "type source target read_only bind volume tmpfs")
	t[s+"volumes.*.consistency"] = ignored("it has a meaning on macOS only")
	t[s+"volumes.*.image"] = later("an image mounted as a volume")

	const d = s + "deploy."
	add(d, rule{level: works}, "replicas restart_policy.condition restart_policy.max_attempts")
	add(d, rule{level: descend}, "restart_policy resources resources.limits resources.reservations")
	add(d, rule{level: works}, "resources.limits.cpus resources.limits.memory resources.limits.pids resources.reservations.memory resources.reservations.devices")
	t[d+"resources.reservations.cpus"] = ignored("Docker can limit CPUs, not reserve them")
	t[d+"resources.reservations.generic_resources"] = ignored("only Swarm has generic resources")
	t[d+"restart_policy.delay"] = ignored("pauses grow from 1 s to 5 min")
	t[d+"restart_policy.window"] = ignored("pauses grow from 1 s to 5 min")
	t[d+"update_config"] = ignored("a changed service is replaced at once, in dependency order")
	t[d+"rollback_config"] = ignored("nothing is rolled back by itself yet")
	t[d+"placement"] = ignored("the selector of the deploy says where the app runs")
	t[d+"labels"] = ignored("they are for Swarm services; use the service's `labels`")
	t[d+"endpoint_mode"] = ignored("only Swarm has endpoint modes")
	t[d+"mode"] = ignored("every named node runs `replicas` containers; modes are for Swarm")

	add("networks.*.", rule{level: works}, "name driver driver_opts ipam external internal attachable labels enable_ipv4 enable_ipv6")
	add("volumes.*.", rule{level: works}, "name driver driver_opts external labels")
	return t
}

// Keys lists every key of the table with what becomes of it, sorted, one a
// line: "services.*.build: refused: build the image …".
func Keys() []string {
	var lines []string
	for key, r := range support {
		switch r.level {
		case works:
			lines = append(lines, key+": works")
		case warns:
			lines = append(lines, key+": ignored: "+r.text)
		case refuses:
			lines = append(lines, key+": refused: "+r.text)
		}
	}
	slices.Sort(lines)
	return lines
}
