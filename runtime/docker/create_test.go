package docker_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pharos/state"
	"pharos/testnet/image/imagetest"
)

// TestKeysReachTheEngine deploys a file with most keys there are and reads from
// the engine, as `docker inspect` does, what became of each.
func TestKeysReachTheEngine(t *testing.T) {
	e := imagetest.Engine(t)
	n := newNode(t, e)
	app := imagetest.Unique()
	n.order(state.Name(app), state.Run, file(t, app, `
services:
  side:
    image: IMAGE
    command: serve --port 81
    stop_grace_period: 1s
  web:
    image: IMAGE
    command: [serve, --port, "80"]
    entrypoint: /specimen
    hostname: host-1
    domainname: example.test
    user: "0:0"
    working_dir: /tmp
    environment: {A: "1", SPECIMEN_TEXT: "$$x"}
    labels: {mine: "yes"}
    cap_add: [NET_ADMIN]
    cap_drop: [MKNOD]
    dns: [192.0.2.1]
    dns_search: [example.test]
    dns_opt: [ndots:2]
    extra_hosts: ["gate:192.0.2.7"]
    expose: ["9000"]
    ports: ["127.0.0.1::80", "53/udp"]
    group_add: ["7"]
    init: true
    read_only: true
    tmpfs: ["/run:size=1m", /scratch]
    shm_size: 16m
    sysctls: {net.ipv4.ip_unprivileged_port_start: "0"}
    ulimits: {nofile: {soft: 100, hard: 200}, nproc: 500}
    security_opt: ["no-new-privileges:true"]
    stop_signal: SIGINT
    stop_grace_period: 1500ms
    restart: on-failure:3
    privileged: false
    oom_score_adj: 100
    pids_limit: 50
    cpus: 0.5
    mem_limit: 64m
    logging: {driver: json-file, options: {max-size: 1m, max-file: "2"}}
    healthcheck: {test: [CMD, /specimen, health], interval: 2s, timeout: 3s, retries: 4, start_period: 5s}
    mac_address: 02:42:ac:11:00:07
    volumes:
      - data:/data:ro
      - /etc/hostname:/etc/host-name:ro
      - {type: tmpfs, target: /fast, tmpfs: {size: 1048576}}
      - {type: volume, target: /anonymous}
    networks:
      back: {aliases: [other-name], ipv4_address: 10.251.7.20, priority: 10}
      front:
  shared:
    image: IMAGE
    command: serve --port 82
    stop_grace_period: 1s
    network_mode: service:side
    pid: host
networks:
  front: {internal: true, labels: {l: m}}
  back: {driver: bridge, ipam: {config: [{subnet: 10.251.7.0/24, gateway: 10.251.7.1}]}}
volumes: {data: {labels: {v: w}}}
`))
	n.until(state.AppReady, 30*time.Second)
	got := n.containers()
	project := got["web-1"].Labels["com.docker.compose.project"]
	var in []map[string]any
	if err := json.Unmarshal([]byte(cli(t, "inspect", got["web-1"].ID)), &in); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"Config.Hostname": "host-1", "Config.Domainname": "example.test", "Config.User": "0:0", "Config.WorkingDir": "/tmp",
		"Config.Cmd": "[serve --port 80]", "Config.Entrypoint": "[/specimen]", "Config.Labels.mine": "yes",
		"Config.StopSignal": "SIGINT", "Config.StopTimeout": "2", "Config.MacAddress": "02:42:ac:11:00:07",
		"Config.Healthcheck": "map[Interval:2e+09 Retries:4 StartPeriod:5e+09 Test:[CMD /specimen health] Timeout:3e+09]",
		"HostConfig.CapAdd":  "[CAP_NET_ADMIN]", "HostConfig.CapDrop": "[CAP_MKNOD]", "HostConfig.Dns": "[192.0.2.1]", "HostConfig.DnsSearch": "[example.test]",
		"HostConfig.DnsOptions": "[ndots:2]", "HostConfig.ExtraHosts": "[gate:192.0.2.7]", "HostConfig.GroupAdd": "[7]", "HostConfig.Init": "true",
		"HostConfig.ReadonlyRootfs": "true", "HostConfig.Tmpfs": "map[/run:size=1m /scratch:]", "HostConfig.ShmSize": "1.6777216e+07",
		"HostConfig.Sysctls":     "map[net.ipv4.ip_unprivileged_port_start:0]",
		"HostConfig.Ulimits":     "[map[Hard:200 Name:nofile Soft:100] map[Hard:500 Name:nproc Soft:500]]",
		"HostConfig.SecurityOpt": "[no-new-privileges:true]", "HostConfig.RestartPolicy": "map[MaximumRetryCount:3 Name:on-failure]",
		"HostConfig.OomScoreAdj": "100", "HostConfig.PidsLimit": "50", "HostConfig.NanoCpus": "5e+08", "HostConfig.Memory": "6.7108864e+07",
		"HostConfig.LogConfig":   "map[Config:map[max-file:2 max-size:1m] Type:json-file]",
		"HostConfig.Binds":       "[" + project + "_data:/data:ro /etc/hostname:/etc/host-name:ro]",
		"HostConfig.NetworkMode": project + "_back",
	} {
		if v := fmt.Sprint(at(in[0], path)); v != want {
			t.Errorf("%s is %s, not %s", path, v, want)
		}
	}
	exposed, _ := at(in[0], "Config.ExposedPorts").(map[string]any)
	for _, port := range []string{"80/tcp", "53/udp", "9000/tcp"} {
		if _, has := exposed[port]; !has {
			t.Errorf("port %s is not exposed: %v", port, exposed)
		}
	}
	networks, _ := at(in[0], "NetworkSettings.Networks").(map[string]any)
	back, _ := networks[project+"_back"].(map[string]any)
	if len(networks) != 2 || back["IPAddress"] != "10.251.7.20" || !strings.Contains(fmt.Sprint(back["Aliases"]), "other-name") || !strings.Contains(fmt.Sprint(back["Aliases"]), "web") {
		t.Errorf("the networks are %v", networks)
	}
	if got["shared-1"].Shares == nil || !slices.Contains(got["shared-1"].Shares, got["side-1"].ID) {
		t.Errorf("shared uses %v, not the network of %s", got["shared-1"].Shares, got["side-1"].ID)
	}
	anonymous := got["web-1"].Anonymous["/anonymous"]
	if anonymous == "" {
		t.Fatal("no anonymous volume")
	}

	// Whoever shares a namespace follows when its container is made anew; an
	// anonymous volume goes on with the container that takes its place.
	cli(t, "rm", "-f", got["side-1"].ID)
	n.eventually(15*time.Second, func() string {
		now := n.containers()
		if now["side-1"].State != "running" || now["shared-1"].State != "running" || !slices.Contains(now["shared-1"].Shares, now["side-1"].ID) {
			return "shared does not follow side"
		}
		return ""
	})
	if n.containers()["web-1"].ID != got["web-1"].ID {
		t.Error("web was touched")
	}
}

// TestAnonymousVolumesGoOn changes a service whose data is in a volume without
// a name.
func TestAnonymousVolumesGoOn(t *testing.T) {
	e := imagetest.Engine(t)
	n := newNode(t, e)
	app := imagetest.Unique()
	text := "services:\n  web:\n    image: IMAGE\n    stop_grace_period: 1s\n    volumes: [/data]\n"
	n.order(state.Name(app), state.Run, file(t, app, text))
	n.until(state.AppReady, 15*time.Second)
	volume := n.containers()["web-1"].Anonymous["/data"]
	n.order(state.Name(app), state.Run, file(t, app, text+"    environment: {A: b}\n"))
	n.until(state.AppReady, 15*time.Second)
	if now := n.containers()["web-1"].Anonymous["/data"]; volume == "" || now != volume {
		t.Errorf("the volume was %q and is %q", volume, now)
	}
	// Removed by hand, its volume is still there.
	cli(t, "rm", "-f", n.containers()["web-1"].ID)
	n.eventually(10*time.Second, func() string {
		if c := n.containers()["web-1"]; c.State != "running" || c.Anonymous["/data"] != volume {
			return "it is " + c.State + " with the volume " + c.Anonymous["/data"]
		}
		return ""
	})
	// A changed network is made anew, with the containers on it.
	n.order(state.Name(app), state.Run, file(t, app, text+"networks: {default: {labels: {a: b}}}\n"))
	n.until(state.AppReady, 15*time.Second)
	project := n.containers()["web-1"].Labels["com.docker.compose.project"]
	if l := cli(t, "network", "inspect", "-f", "{{.Labels.a}}", project+"_default"); l != "b" {
		t.Errorf("the network's label is %q", l)
	}
	if now := n.containers()["web-1"].Anonymous["/data"]; now != volume {
		t.Errorf("with another network the volume is %q, not %q", now, volume)
	}
	n.order(state.Name(app), state.Gone, nil)
	n.until(state.AppGone, 15*time.Second)
	if left := cli(t, "volume", "ls", "-q", "--filter", "name="+volume); left != "" {
		t.Errorf("the anonymous volume %s is left", left)
	}
}

// at finds "Config.Labels.mine" in decoded JSON.
func at(v any, path string) any {
	for key := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[key]
		if v == nil {
			return nil
		}
	}
	return v
}
