package docker_test

import (
	"strings"
	"testing"
	"time"

	"pharos/state"
	"pharos/testnet/image"
	"pharos/testnet/image/imagetest"
)

func TestTwoNodesOnOneEngine(t *testing.T) {
	e := imagetest.Engine(t)
	a, b := newNode(t, e), newNode(t, e)
	app := imagetest.Unique()
	bytes := file(t, app, shop)
	a.order(state.Name(app), state.Run, bytes)
	a.until(state.AppReady, 30*time.Second)
	b.order(state.Name(app), state.Run, bytes)
	b.until(state.AppReady, 30*time.Second)
	pa, pb := a.containers()["web-1"].Labels["com.docker.compose.project"], b.containers()["web-1"].Labels["com.docker.compose.project"]
	t.Logf("projects %s and %s", pa, pb)
	if pa == pb || pb != app+"-"+string(b.name) {
		t.Errorf("the projects are %s and %s", pa, pb)
	}
	runs := a.runs()
	b.order(state.Name(app), state.Gone, nil)
	b.until(state.AppGone, 15*time.Second)
	if now := a.runs(); !same(runs, now) {
		t.Errorf("taking the app from one node changed the other: %v to %v", runs, now)
	}
}

func TestForeignContainersAreUntouched(t *testing.T) {
	e := imagetest.Engine(t)
	app := imagetest.Unique()
	// A person's own docker compose project of the same name.
	foreign := cli(t, "run", "-d", "--name", app+"-web-1", "-p", "0:80", "--label", "com.docker.compose.project="+app, "--label", "com.docker.compose.service=web", image.Ref)
	t.Cleanup(func() { cli(t, "rm", "-f", foreign) })
	n := newNode(t, e)
	n.order(state.Name(app), state.Run, file(t, app, "services:\n  web:\n    image: IMAGE\n    stop_grace_period: 1s\n"))
	n.until(state.AppReady, 15*time.Second)
	if p := n.containers()["web-1"].Labels["com.docker.compose.project"]; p != app+"-"+string(n.name) {
		t.Errorf("the project is %s, beside somebody else's %s", p, app)
	}
	n.order(state.Name(app), state.Gone, nil)
	n.until(state.AppGone, 15*time.Second)
	if s := cli(t, "inspect", "-f", "{{.State.Running}} {{.RestartCount}}", foreign); s != "true 0" {
		t.Errorf("the foreign container is %s", s)
	}
}

func TestWhoHoldsThePort(t *testing.T) {
	e := imagetest.Engine(t)
	name := imagetest.Unique()
	foreign := cli(t, "run", "-d", "--name", name, "-p", "127.0.0.1:0:80", image.Ref)
	t.Cleanup(func() { cli(t, "rm", "-f", foreign) })
	_, port, _ := strings.Cut(cli(t, "port", foreign, "80/tcp"), ":")
	n := newNode(t, e)
	app := imagetest.Unique()
	n.order(state.Name(app), state.Run, file(t, app, "services:\n  web:\n    image: IMAGE\n    stop_grace_period: 1s\n    ports: [\"127.0.0.1:"+port+":80\"]\n"))
	n.until(state.AppFailed, 15*time.Second)
	if r := n.last().Reason; !strings.Contains(r, "port "+port) || !strings.Contains(r, "container "+name) {
		t.Errorf("the reason is %q", r)
	}
	cli(t, "rm", "-f", foreign)
	n.until(state.AppReady, 20*time.Second)
}

func TestFailedPullLeavesTheOldVersionRunning(t *testing.T) {
	e := imagetest.Engine(t)
	n := newNode(t, e)
	app := imagetest.Unique()
	n.order(state.Name(app), state.Run, file(t, app, "services:\n  web:\n    image: IMAGE\n    stop_grace_period: 1s\n"))
	n.until(state.AppReady, 15*time.Second)
	runs := n.runs()
	n.order(state.Name(app), state.Run, file(t, app, "services:\n  web:\n    image: 127.0.0.1:1/nobody/home:1\n"))
	n.until(state.AppFailed, 30*time.Second)
	t.Log(n.last().Reason)
	if r := n.last().Reason; !strings.Contains(r, "127.0.0.1:1/nobody/home:1") || !strings.Contains(r, "refused") {
		t.Errorf("the reason is %q", r)
	}
	if now := n.runs(); !same(runs, now) {
		t.Errorf("a failed pull changed %v to %v", runs, now)
	}
	// Killed meanwhile, the old version comes back all the same.
	c := n.containers()["web-1"]
	cli(t, "kill", c.Name)
	n.eventually(5*time.Second, func() string {
		if now := n.containers()["web-1"]; now.State != "running" || now.Image != image.Ref {
			return "the old version is " + now.State
		}
		return ""
	})
}

func TestNetworkRemovedByHand(t *testing.T) {
	e := imagetest.Engine(t)
	n := newNode(t, e)
	app := imagetest.Unique()
	n.order(state.Name(app), state.Run, file(t, app, "services:\n  web:\n    image: IMAGE\n    stop_grace_period: 1s\n"))
	n.until(state.AppReady, 15*time.Second)
	c := n.containers()["web-1"]
	network := c.Labels["com.docker.compose.project"] + "_default"
	cli(t, "network", "disconnect", "-f", network, c.ID)
	cli(t, "network", "rm", network)
	n.eventually(20*time.Second, func() string {
		now := n.containers()["web-1"]
		if _, on := now.Networks[network]; now.State != "running" || !on {
			return "it is " + now.State + " and not on its network"
		}
		return ""
	})
	n.until(state.AppReady, 10*time.Second)
}
