package docker_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pharos/runtime"
	"pharos/state"
	"pharos/testnet/image/imagetest"
)

func TestDeployRedeployStopGo(t *testing.T) {
	e := imagetest.Engine(t)
	n := newNode(t, e)
	app := imagetest.Unique()
	one := file(t, app, shop)
	n.order(state.Name(app), state.Run, one)
	t.Logf("cold start: ready after %s", n.until(state.AppReady, 30*time.Second).Round(time.Millisecond))
	first := n.containers()
	if len(first) != 3 || first["init-1"].State != "exited" || first["web-1"].State != "running" || first["db-1"].Health != "healthy" {
		t.Fatalf("deployed: %v", first)
	}
	if !first["db-1"].Started.Before(first["init-1"].Started) || !first["init-1"].Finished.Before(first["web-1"].Started) {
		t.Error("the services were not started in dependency order")
	}

	// Compose's labels, as docker's own tools see them.
	project := first["web-1"].Labels["com.docker.compose.project"]
	names := strings.Fields(cli(t, "ps", "-a", "--filter", "label=com.docker.compose.project="+project, "--filter", "label=com.docker.compose.oneoff=False", "--format", "{{.Names}}"))
	slices.Sort(names)
	if want := []string{project + "-db-1", project + "-init-1", project + "-web-1"}; !slices.Equal(names, want) {
		t.Errorf("docker ps shows %v, want %v", names, want)
	}
	for _, key := range []string{"project", "service", "config-hash", "container-number", "oneoff", "project.working_dir", "project.config_files", "version", "image", "depends_on"} {
		if v, has := first["web-1"].Labels["com.docker.compose."+key]; !has || v == "" {
			t.Errorf("no label com.docker.compose.%s on the container", key)
		}
	}
	if v := cli(t, "volume", "ls", "-q", "--filter", "label=com.docker.compose.volume=data", "--filter", "label="+runtime.LabelNode+"="+string(n.id)); v != project+"_data" {
		t.Errorf("the volume is %q", v)
	}
	if v := cli(t, "network", "ls", "--format", "{{.Name}}", "--filter", "label=com.docker.compose.network=default", "--filter", "label="+runtime.LabelApp+"="+app); v != project+"_default" {
		t.Errorf("the network is %q", v)
	}

	// The same file again touches nothing.
	runs := n.runs()
	n.order(state.Name(app), state.Run, one)
	t.Logf("no-op redeploy: ready after %s", n.until(state.AppReady, 5*time.Second).Round(time.Millisecond))
	if after := n.runs(); !same(runs, after) {
		t.Errorf("the same file again changed\n%v to\n%v", runs, after)
	}

	// One service changed: only that one is touched.
	two := file(t, app, strings.ReplaceAll(shop, "VERSION", "two"))
	n.order(state.Name(app), state.Run, two)
	t.Logf("one service changed: ready after %s", n.until(state.AppReady, 10*time.Second).Round(time.Millisecond))
	after := n.runs()
	for _, key := range []string{"db-1", "init-1"} {
		if runs[key] != after[key] {
			t.Errorf("%s was touched: %s to %s", key, runs[key], after[key])
		}
	}
	if runs["web-1"] == after["web-1"] {
		t.Error("web was not replaced")
	}
	if r := n.last(); r.Containers[2].Restarts != 0 {
		t.Errorf("an update counts as %d restarts", r.Containers[2].Restarts)
	}

	// A restart of the node's process touches nothing.
	n.rt.Close()
	n.start()
	n.rt.Assign([]state.Assignment{n.assignment(state.Name(app), state.Run, two)})
	t.Logf("after a restart of the runtime: ready after %s", n.until(state.AppReady, 5*time.Second).Round(time.Millisecond))
	n.stays(500*time.Millisecond, func() string {
		if now := n.runs(); !same(after, now) {
			return "the restart of the runtime changed " + strings.Join(slices.Sorted(maps.Values(now)), ", ")
		}
		return ""
	})

	// Stopped, kept; started again with the same containers.
	n.order(state.Name(app), state.Stopped, two)
	t.Logf("stopped after %s", n.until(state.AppStopped, 15*time.Second).Round(time.Millisecond))
	stopped := n.containers()
	if stopped["web-1"].State != "exited" || stopped["web-1"].Finished.After(stopped["db-1"].Finished) {
		t.Error("not stopped in reverse dependency order")
	}
	n.order(state.Name(app), state.Run, two)
	t.Logf("started again: ready after %s", n.until(state.AppReady, 15*time.Second).Round(time.Millisecond))
	if again := n.containers(); again["web-1"].ID != stopped["web-1"].ID || again["db-1"].ID != stopped["db-1"].ID {
		t.Error("starting again made new containers")
	}

	// Gone: containers and networks; the named volume stays.
	n.order(state.Name(app), state.Gone, nil)
	t.Logf("gone after %s", n.until(state.AppGone, 15*time.Second).Round(time.Millisecond))
	if left := n.containers(); len(left) > 0 {
		t.Errorf("containers left: %v", left)
	}
	if v := cli(t, "network", "ls", "-q", "--filter", "label="+runtime.LabelApp+"="+app); v != "" {
		t.Errorf("networks left: %s", v)
	}
	if v := cli(t, "volume", "ls", "-q", "--filter", "label="+runtime.LabelApp+"="+app); v != project+"_data" {
		t.Errorf("volumes left: %q, want the named one", v)
	}
}
