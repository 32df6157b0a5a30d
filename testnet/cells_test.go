package testnet_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pharos/state"
	"pharos/testnet"
)

// A cell's process is killed with -9: the root notices, the containers don't.
// It comes back, and no container was started anew because of it.
func TestCellKilledAndBack(t *testing.T) {
	f := up(t, engine(t), threeTiers...)
	must(t, f, 0, "plant-7", "deploy", "-f", file(t, "compose.yaml", shop(t, "hello")), "--to", "tier:line-1")
	before := containers(t, f, "shop", "press-1")
	if !running(before, "web", "store") {
		t.Fatal("press-1 does not run the app")
	}
	if err := f.Node("press-1").Kill(); err != nil {
		t.Fatal(err)
	}
	wait(t, "NotReady at the root", 4*time.Second, 8*time.Second, f.Is("press-1", state.NotReady))
	var nodes []state.NodeView
	if err := must(t, f, 0, "plant-7", "node", "ls", "-o", "json").JSON(&nodes); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		switch {
		case n.Name == "press-1" && (n.Readiness != state.NotReady || n.Reason == "" || time.Since(n.Since) > time.Minute):
			t.Errorf("node ls says of press-1: %+v", n)
		case n.Name != "press-1" && n.Readiness != state.Ready:
			t.Errorf("node ls says of %s, to which nothing happened: %s %s", n.Name, n.Readiness, n.Reason)
		}
	}
	if !sameLife(before, containers(t, f, "shop", "press-1")) {
		t.Error("the death of the cell's process touched its containers")
	}
	began := time.Now()
	if err := f.Node("press-1").Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := testnet.Poll(t.Context(), "press-1 Ready", 9*time.Second, f.Is("press-1", state.Ready)); err != nil {
		t.Fatal(err)
	}
	kept(t, "Ready at the root", time.Since(began), 3*time.Second)
	wait(t, "the app is as wanted", 0, 10*time.Second, f.Runs("shop", 1, "press-1", "press-2"))
	if !sameLife(before, containers(t, f, "shop", "press-1")) {
		t.Error("the return of the cell's process touched its containers")
	}
}

// A deploy while a cell is off is partly done and says so; the cell gets it
// when it is back.
func TestDeployWhileACellIsOff(t *testing.T) {
	f := up(t, engine(t), threeTiers...)
	if err := f.Node("press-2").Kill(); err != nil {
		t.Fatal(err)
	}
	wait(t, "NotReady at the root", 4*time.Second, 8*time.Second, f.Is("press-2", state.NotReady))
	r := must(t, f, 4, "plant-7", "deploy", "-f", file(t, "compose.yaml", shop(t, "hello")), "--to", "tier:line-1")
	said := line(r.Stderr, "waits for press-2")
	if said == "" {
		t.Errorf("no line says that it waits for press-2:\n%s", r.Stderr)
	}
	t.Logf("exit code 4: %s", said)
	if !running(containers(t, f, "shop", "press-1"), "web", "store") {
		t.Error("press-2's absence held press-1 back")
	}
	began := time.Now()
	if err := f.Node("press-2").Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := testnet.Poll(t.Context(), "press-2's containers", 12*time.Second, runsThere(f, "shop", "press-2", "web", "store")); err != nil {
		t.Fatal(err)
	}
	kept(t, "the cell was started, and has it", time.Since(began), 3*time.Second)
	wait(t, "as wanted at the root", 0, 15*time.Second, f.Runs("shop", 1, "press-1", "press-2"))
}

// A gateway is gone: below it all is Unknown and runs on. A cell that is
// rebooted meanwhile starts its apps with no parent in reach.
func TestCellRebootsBelowALostGateway(t *testing.T) {
	f := up(t, engine(t), threeTiers...)
	must(t, f, 0, "plant-7", "deploy", "-f", file(t, "compose.yaml", shop(t, "hello")), "--to", "tier:line-1")
	first, second := containers(t, f, "shop", "press-1"), containers(t, f, "shop", "press-2")
	if err := f.Node("line-1").Kill(); err != nil {
		t.Fatal(err)
	}
	wait(t, "the gateway is NotReady at the root", 4*time.Second, 8*time.Second, f.Is("line-1", state.NotReady))
	for _, cell := range []state.Name{"press-1", "press-2"} {
		wait(t, fmt.Sprintf("%s is Unknown at the root", cell), time.Second, 4*time.Second, f.Is(cell, state.Unknown))
	}
	if tree := must(t, f, 0, "plant-7", "tree").Stdout; line(tree, "press-1", "Unknown") == "" || line(tree, "line-1", "NotReady") == "" {
		t.Errorf("the tree does not show it:\n%s", tree)
	}
	if !sameLife(first, containers(t, f, "shop", "press-1")) || !sameLife(second, containers(t, f, "shop", "press-2")) {
		t.Error("the loss of the gateway touched containers")
	}

	reboot(t, f, "press-1", first)
	began := time.Now()
	if err := f.Node("press-1").Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := testnet.Poll(t.Context(), "press-1's containers", 15*time.Second, runsThere(f, "shop", "press-1", "web", "store")); err != nil {
		t.Fatal(err)
	}
	kept(t, "rebooted with no parent in reach, the cell runs its apps", time.Since(began), 0)
	var own state.SelfView
	if err := must(t, f, 0, "press-1", "status", "-o", "json").JSON(&own); err != nil {
		t.Fatal(err)
	}
	if own.Connected || own.Reason == "" {
		t.Errorf("press-1 says connected: %v (%q), and its gateway is dead", own.Connected, own.Reason)
	}
	if !sameLife(second, containers(t, f, "shop", "press-2")) {
		t.Error("the reboot of press-1 touched press-2's containers")
	}

	if err := f.Node("line-1").Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	wait(t, "the gateway is back, all is Ready", 0, 15*time.Second, f.AllReady)
	wait(t, "the app is as wanted", 0, 15*time.Second, f.Runs("shop", 1, "press-1", "press-2"))
}

// reboot does to a cell what a reboot of its machine does: the process and the
// containers are gone, the disk is there.
func reboot(t *testing.T, f *testnet.Factory, cell state.Name, all map[string]testnet.Inspected) {
	t.Helper()
	if err := f.Node(cell).Kill(); err != nil {
		t.Fatal(err)
	}
	args := []string{"rm", "--force"}
	for _, c := range all {
		args = append(args, c.ID)
	}
	if _, err := f.Docker(t.Context(), args...); err != nil {
		t.Fatal(err)
	}
	if left := containers(t, f, "shop", cell); len(left) > 0 {
		t.Fatalf("%d containers are left after docker rm", len(left))
	}
}

// The same flows without any Docker, on the engine in memory: what a machine
// without an engine can test.
func TestFactoryOnTheSimulatedEngine(t *testing.T) {
	f := up(t, testnet.SimulatedEngine, testnet.Tiers(1, 2, 4)...)
	compose := file(t, "compose.yaml", "name: shop\nservices:\n  web:\n    image: example/web:1\n")
	must(t, f, 0, "plant-7", "deploy", "-f", compose, "--to", "tier:line-1")
	if err := f.Node("line-1").Kill(); err != nil {
		t.Fatal(err)
	}
	wait(t, "the gateway is NotReady", 4*time.Second, 8*time.Second, f.Is("line-1", state.NotReady))
	r := must(t, f, 4, "plant-7", "deploy", "-f", file(t, "two.yaml", "name: shop\nservices:\n  web:\n    image: example/web:2\n"), "--to", "tier:line-1,press-3")
	for _, cell := range []string{"press-1", "press-2"} {
		if line(r.Stderr, "waits for "+cell) == "" {
			t.Errorf("no line says that it waits for %s:\n%s", cell, r.Stderr)
		}
	}
	if strings.Contains(r.Stderr, "waits for press-3") {
		t.Errorf("press-3 is well, and was waited for:\n%s", r.Stderr)
	}
	if err := f.Node("line-1").Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	wait(t, "all have revision 2", 0, 20*time.Second, f.Runs("shop", 2, "press-1", "press-2", "press-3"))
}
