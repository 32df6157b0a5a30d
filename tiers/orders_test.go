package tiers_test

import (
	"bytes"
	"testing"
	"time"

	"pharos/mesh"
	"pharos/state"
	"pharos/testnet/simulation"
)

func TestGroupBringsAndTakesTheApp(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		root := f.Root()
		if err := root.CreateGroup(t.Context(), "painting"); err != nil {
			t.Fatal(err)
		}
		if _, err := root.AddToGroup(t.Context(), "painting", []state.Name{"press-1"}); err != nil {
			t.Fatal(err)
		}
		deploy(t, f, "shop", "group:painting,oven-1")
		f.Wait(3*time.Second, "shop on the group's one member and the oven", runs(f, "shop", 1, "press-1", "oven-1"))

		if _, err := root.AddToGroup(t.Context(), "painting", []state.Name{"press-2", "oven-1", "plant"}); err != nil {
			t.Fatal(err)
		}
		took := f.Wait(3*time.Second, "the new members have it, without a new deploy", runs(f, "shop", 1, "press-1", "press-2", "oven-1", "plant"))
		t.Logf("new members of a group had its app after %v", took)

		if _, err := root.RemoveFromGroup(t.Context(), "painting", []state.Name{"press-1", "oven-1"}); err != nil {
			t.Fatal(err)
		}
		f.Wait(3*time.Second, "press-1 lost it; something else still names the oven", runs(f, "shop", 1, "press-2", "oven-1", "plant"))

		deploy(t, f, "shop", "group:painting")
		f.Wait(3*time.Second, "revision 2 on the members only", runs(f, "shop", 2, "press-2", "plant"))
		if _, err := root.AddToGroup(t.Context(), "painting", []state.Name{"press-2", "nobody"}); state.KindOf(err) != state.NotFound {
			t.Errorf("an unknown node in a group: %v", err)
		}
	})
}

func TestLateNodeGetsWhatItsTierRuns(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		deploy(t, f, "shop", "tier:line-1")
		deploy(t, f, "watch", "all,!tier:line-2")
		f.Wait(3*time.Second, "shop runs", runs(f, "shop", 1, "press-1", "press-2"))
		press3 := f.Cell("press-3", "line-1")
		f.Wait(3*time.Second, "press-3 has both", func() bool {
			has := press3.Pretended.Running()
			return has["shop"] == 1 && has["watch"] == 1
		})
		oven2 := f.Cell("oven-2", "line-2")
		f.Wait(3*time.Second, "oven-2 is Ready", func() bool { return f.Readiness("oven-2") == state.Ready })
		if has := oven2.Pretended.Running(); len(has) != 0 {
			t.Errorf("oven-2 runs %v, and nothing names it", has)
		}
	})
}

func TestAbsentNodeIsCurrentOneExchangeAfterItsReturn(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		deploy(t, f, "shop", "tier:line-1")
		f.Wait(3*time.Second, "shop runs", runs(f, "shop", 1, "press-1", "press-2"))
		f.Node("press-1").Stop()
		for range 100 {
			deploy(t, f, "shop", "tier:line-1")
		}
		deploy(t, f, "extra", "press-1")
		app, err := f.Root().App(t.Context(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		f.Wait(5*time.Second, "press-2 goes on and press-1 is awaited", func() bool {
			app, err = f.Root().App(t.Context(), "shop")
			return err == nil && app.Ready == 1 && app.Nodes == 2 && f.Readiness("press-1") == state.NotReady
		})
		before := len(f.Node("press-1").Pretended.Applied())
		f.Node("press-1").Start()
		took := f.Wait(3*time.Second, "press-1 is current", runs(f, "shop", 101, "press-1", "press-2"))
		f.Wait(3*time.Second, "and has the app deployed meanwhile", runs(f, "extra", 1, "press-1"))
		t.Logf("current %v after its return", took)
		if n := len(f.Node("press-1").Pretended.Applied()) - before; n != 2 {
			t.Errorf("press-1 applied %d changes for two apps: only the newest of each counts", n)
		}
	})
}

func TestGatewayGone(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		deploy(t, f, "shop", "tier:line-1,oven-1")
		f.Wait(3*time.Second, "shop runs", runs(f, "shop", 1, "press-1", "press-2", "oven-1"))
		f.Node("line-1").Stop()
		f.Wait(4*time.Second, "NotReady, and Unknown below", func() bool {
			return f.Readiness("line-1") == state.NotReady && f.Readiness("press-1") == state.Unknown && f.Readiness("press-2") == state.Unknown
		})
		deploy(t, f, "shop", "tier:line-1,oven-1")
		f.Wait(time.Second, "line-2's oven does not wait for line-1", func() bool { return f.Node("oven-1").Pretended.Running()["shop"] == 2 })
		// A cell reboots with no parent in reach: it starts what it was last ordered to.
		f.Node("press-2").Stop()
		f.Node("press-2").Start()
		f.Pass(time.Second)
		if got := f.Node("press-2").Pretended.Running()["shop"]; got != 1 {
			t.Errorf("press-2 runs revision %d with its gateway gone", got)
		}
		f.Node("line-1").Start()
		took := f.Wait(5*time.Second, "all converge on revision 2", runs(f, "shop", 2, "press-1", "press-2", "oven-1"))
		f.Wait(5*time.Second, "and all are Ready", func() bool { return allReady(f) })
		t.Logf("converged %v after the gateway's return", took)
	})
}

func TestEveryNodeRestartsWithWhatItHeld(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		deploy(t, f, "shop", "all")
		f.Wait(3*time.Second, "shop runs everywhere", runs(f, "shop", 1, everybody...))
		for _, name := range everybody {
			n := f.Node(name)
			applied := len(n.Pretended.Applied())
			n.Stop()
			n.Start()
			f.Wait(10*time.Second, "all are Ready again", func() bool { return allReady(f) })
			if again := len(n.Pretended.Applied()); again != applied {
				t.Errorf("%s applied something anew because it restarted", name)
			}
		}
		if a := deploy(t, f, "shop", "all"); a.Revision != 2 {
			t.Errorf("the restarted root gave revision %d", a.Revision)
		}
		f.Wait(3*time.Second, "revision 2 everywhere", runs(f, "shop", 2, everybody...))
	})
}

func TestOrderTooLargeForGossip(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		large := append([]byte("services: {} # "), bytes.Repeat([]byte("x"), 3*mesh.MaxGossip)...)
		if _, err := f.Root().Deploy(t.Context(), state.DeployRequest{App: "large", Selector: selector(t, "press-1,office"), Compose: large}); err != nil {
			t.Fatal(err)
		}
		took := f.Wait(3*time.Second, "the large order arrives over the sessions", runs(f, "large", 1, "press-1", "office"))
		t.Logf("an order of %d KiB was there after %v", len(large)>>10, took)
	})
}

func TestStopAndStart(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		deploy(t, f, "shop", "press-1")
		f.Wait(3*time.Second, "shop runs", runs(f, "shop", 1, "press-1"))
		is := func(s state.AppState) func() bool {
			return func() bool {
				app, err := f.Root().App(t.Context(), "shop")
				return err == nil && len(app.On) == 1 && app.On[0].State == s && app.On[0].Done
			}
		}
		for _, step := range []struct {
			want state.Want
			is   state.AppState
		}{{state.Stopped, state.AppStopped}, {state.Stopped, state.AppStopped}, {state.Run, state.AppReady}} {
			if _, err := f.Root().Order(t.Context(), "shop", step.want); err != nil {
				t.Fatal(err)
			}
			f.Wait(3*time.Second, string(step.is), is(step.is))
		}
		history, err := f.Root().History(t.Context(), "shop")
		if err != nil || len(history) != 1 || !history[0].Current {
			t.Errorf("stop and start are no revisions: %+v, %v", history, err)
		}
	})
}

func TestRemovedNodeKeepsItsApps(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		deploy(t, f, "shop", "tier:line-1")
		f.Wait(3*time.Second, "shop runs", runs(f, "shop", 1, "press-1", "press-2"))
		if err := f.Root().RemoveNode(t.Context(), "line-1"); state.KindOf(err) != state.Refused {
			t.Errorf("removing a gateway with nodes below: %v", err)
		}
		if err := f.Root().RemoveNode(t.Context(), "press-1"); err != nil {
			t.Fatal(err)
		}
		f.Wait(3*time.Second, "its session ends and stays ended", func() bool { return !f.Node("press-1").Status(t.Context()).Connected })
		deploy(t, f, "shop", "tier:line-1")
		f.Wait(3*time.Second, "press-2 goes on", func() bool { return f.Node("press-2").Pretended.Running()["shop"] == 2 })
		f.Pass(5 * time.Second)
		if got := f.Node("press-1").Pretended.Running()["shop"]; got != 1 {
			t.Errorf("the removed node runs revision %d: only orders to it change its apps", got)
		}
		if f.Readiness("press-1") != "" {
			t.Errorf("the removed node is still in the picture:\n%s", f.Picture())
		}
	})
}
