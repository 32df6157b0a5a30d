package testnet_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pharos/state"
	"pharos/testnet"
)

// threeTiers is a root, one gateway and two cells below it.
var threeTiers = testnet.Tiers(1, 1, 2)

// An operator makes a group, deploys to it, and finds real containers on the
// group's node alone, labelled as docker compose labels them; a node that joins
// the group gets the app, one that leaves it loses it.
func TestDeployToAGroup(t *testing.T) {
	f := up(t, engine(t), threeTiers...)
	must(t, f, 0, "plant-7", "group", "create", "painting")
	must(t, f, 0, "plant-7", "group", "add", "painting", "press-1")

	compose := file(t, "compose.yaml", shop(t, "hello"))
	plan := must(t, f, 2, "plant-7", "deploy", "-f", compose, "--to", "group:painting", "--dry-run")
	for _, part := range []string{"press-1", "create container", "web", "store"} {
		if !strings.Contains(plan.Stdout, part) {
			t.Errorf("the plan does not say %q:\n%s", part, plan.Stdout)
		}
	}
	if strings.Contains(plan.Stdout, "press-2") {
		t.Errorf("the plan names press-2, which is not in the group:\n%s", plan.Stdout)
	}
	r := must(t, f, 0, "plant-7", "deploy", "-f", compose, "--to", "group:painting")
	t.Logf("deployed and healthy after %v", r.Took.Round(time.Millisecond))

	now := containers(t, f, "shop", "press-1")
	if !running(now, "web", "store") {
		t.Fatalf("press-1 does not run web and store: %v", slices.Collect(maps.Keys(now)))
	}
	for service, c := range now {
		labels := c.Config.Labels
		// What `docker compose ls` and `ps` go by.
		for _, key := range []string{"project", "config-hash", "service", "oneoff", "container-number", "version"} {
			if labels["com.docker.compose."+key] == "" {
				t.Errorf("the container of %s has no label com.docker.compose.%s: docker compose would not show it", service, key)
			}
		}
		if labels["pharos.app"] != "shop" {
			t.Errorf("the container of %s has pharos.app=%q", service, labels["pharos.app"])
		}
	}
	if others := containers(t, f, "shop", "press-2"); len(others) > 0 {
		t.Errorf("press-2 is not in the group and has %d containers", len(others))
	}
	at := on(t, f, "shop")["press-1"]
	if at.State != state.AppReady || at.Revision != 1 || len(at.Services) != 2 {
		t.Errorf("app ps says %+v", at)
	}
	for _, s := range at.Services {
		if s.ID != now[s.Service].ID || s.State != "running" || s.Restarts != 0 {
			t.Errorf("app ps says %+v of %s, docker has %s", s, s.Service, now[s.Service].ID)
		}
	}

	must(t, f, 0, "plant-7", "deploy", "-f", compose, "--to", "group:painting")
	if again := containers(t, f, "shop", "press-1"); !sameLife(now, again) {
		t.Error("the same file deployed again touched a container")
	}
	must(t, f, 0, "plant-7", "deploy", "-f", file(t, "update.yaml", shop(t, "good day")), "--to", "group:painting")
	updated := containers(t, f, "shop", "press-1")
	if updated["web"].ID == now["web"].ID || updated["store"].ID != now["store"].ID {
		t.Error("an update of web alone has to replace web alone")
	}

	must(t, f, 0, "plant-7", "group", "add", "painting", "press-2")
	wait(t, "press-2, new in the group, runs the app", 0, 20*time.Second, f.Runs("shop", 2, "press-1", "press-2"))
	must(t, f, 0, "plant-7", "group", "remove", "painting", "press-2")
	wait(t, "press-2, out of the group, has lost it", 0, 20*time.Second, f.Runs("shop", 2, "press-1"))
	if left := containers(t, f, "shop", "press-2"); len(left) > 0 {
		t.Errorf("press-2 left the group and has %d containers still", len(left))
	}
	if !sameLife(updated, containers(t, f, "shop", "press-1")) {
		t.Error("press-2's coming and going touched press-1's containers")
	}

	must(t, f, 0, "plant-7", "app", "stop", "shop")
	if stopped := containers(t, f, "shop", "press-1"); stopped["web"].State.Running || stopped["store"].State.Running || len(stopped) != 2 {
		t.Error("a stopped app keeps its containers, stopped")
	}
	must(t, f, 0, "plant-7", "app", "start", "shop")
	if started := containers(t, f, "shop", "press-1"); !running(started, "web", "store") {
		t.Error("a started app runs again")
	}
	must(t, f, 0, "plant-7", "app", "rm", "shop")
	if left := containers(t, f, "shop", "press-1"); len(left) > 0 {
		t.Errorf("the app is removed, and %d containers are left", len(left))
	}
}

// A container's process is killed: it runs again at once, and is counted.
func TestContainerKilled(t *testing.T) {
	f := up(t, engine(t), threeTiers...)
	must(t, f, 0, "plant-7", "deploy", "-f", file(t, "compose.yaml", shop(t, "hello")), "--to", "press-1")
	before := containers(t, f, "shop", "press-1")["web"]
	killed := time.Now()
	if err := f.KillContainer(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	var after testnet.Inspected
	err := testnet.Poll(t.Context(), "web running again", 10*time.Second, func(ctx context.Context) (bool, error) {
		now, err := look(ctx, f, "shop", "press-1")
		if err != nil {
			return false, err
		}
		after = now["web"]
		return after.State.Running && after.State.Pid != before.State.Pid, fmt.Errorf("docker says %+v", after.State)
	})
	if err != nil {
		t.Fatal(err)
	}
	kept(t, "the container's process ran again", after.State.StartedAt.Sub(killed), time.Second)
	wait(t, "app ps counts the restart", 0, 10*time.Second, func(context.Context) (bool, error) {
		for _, s := range on(t, f, "shop")["press-1"].Services {
			if s.Service == "web" {
				return s.Restarts == 1 && s.State == "running", fmt.Errorf("app ps says %+v", s)
			}
		}
		return false, nil
	})
	wait(t, "Ready again at the root", 0, 10*time.Second, f.Runs("shop", 1, "press-1"))
}
