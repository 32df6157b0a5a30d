package tiers_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pharos/state"
	"pharos/testnet/simulation"
)

// world runs a test on a simulated factory of three tiers under a fake clock:
//
//	plant ─┬─ line-1 ─┬─ press-1
//	       │          └─ press-2
//	       ├─ line-2 ─── oven-1
//	       └─ office
func world(t *testing.T, test func(t *testing.T, f *simulation.Factory)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := simulation.New(t, "plant")
		defer f.Close()
		f.Gateway("line-1", "plant")
		f.Gateway("line-2", "plant")
		f.Cell("office", "plant")
		f.Cell("press-1", "line-1")
		f.Cell("press-2", "line-1")
		f.Cell("oven-1", "line-2")
		f.Wait(5*time.Second, "all nodes Ready", func() bool { return allReady(f) })
		test(t, f)
		for _, name := range everybody {
			for _, broken := range f.Node(name).Pretended.Broken() {
				t.Errorf("%s: %s", name, broken)
			}
		}
	})
}

var everybody = []state.Name{"plant", "line-1", "line-2", "office", "press-1", "press-2", "oven-1"}

func allReady(f *simulation.Factory) bool {
	for _, name := range everybody {
		if f.Readiness(name) != state.Ready {
			return false
		}
	}
	return true
}

func selector(t *testing.T, s string) state.Selector {
	t.Helper()
	sel, err := state.ParseSelector(s)
	if err != nil {
		t.Fatal(err)
	}
	return sel
}

func deploy(t *testing.T, f *simulation.Factory, app state.Name, to string) state.Accepted {
	t.Helper()
	a, err := f.Root().Deploy(t.Context(), state.DeployRequest{App: app, Selector: selector(t, to), Compose: []byte("services: {}")})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// runs says whether exactly these nodes run the app, in that revision.
func runs(f *simulation.Factory, app state.Name, revision uint64, on ...state.Name) func() bool {
	return func() bool {
		for _, name := range everybody {
			r, has := f.Node(name).Pretended.Running()[app]
			if slices.Contains(on, name) != has || has && r != revision {
				return false
			}
		}
		return true
	}
}

func TestDeployReachesExactlyTheNamed(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		f.Pass(time.Second)
		deploy(t, f, "shop", "tier:line-1,office")
		took := f.Wait(time.Second, "shop on line-1's cells and the office", runs(f, "shop", 1, "press-1", "press-2", "office"))
		known := f.Wait(time.Second, "the root knows", func() bool {
			app, err := f.Root().App(t.Context(), "shop")
			return err == nil && app.Ready == 3 && app.Nodes == 3
		})
		t.Logf("applied after %v, known at the root %v later", took, known)

		deploy(t, f, "shop", "tier:line-1")
		f.Wait(3*time.Second, "revision 2, and gone from the office, which is not named any more", runs(f, "shop", 2, "press-1", "press-2"))
		if _, err := f.Root().Order(t.Context(), "shop", state.Gone); err != nil {
			t.Fatal(err)
		}
		f.Wait(3*time.Second, "gone everywhere", runs(f, "shop", 0))
		f.Wait(10*time.Second, "the root forgets it", func() bool { return len(f.Root().Apps(t.Context())) == 0 })
	})
}

func TestSilenceIsNoticedInTime(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		f.Net.Isolate("press-1")
		took := f.Wait(4*time.Second, "press-1 NotReady at the root", func() bool { return f.Readiness("press-1") == state.NotReady })
		t.Logf("a cell two tiers down was lost: NotReady at the root after %v", took)
		if f.Readiness("press-2") != state.Ready || f.Readiness("line-1") != state.Ready {
			t.Errorf("others were judged with it:\n%s", f.Picture())
		}
		f.Net.Rejoin("press-1")
		took = f.Wait(3*time.Second, "press-1 Ready again", func() bool { return f.Readiness("press-1") == state.Ready })
		t.Logf("healed: Ready at the root after %v", took)

		f.Net.Isolate("line-1")
		took = f.Wait(4*time.Second, "line-1 NotReady", func() bool { return f.Readiness("line-1") == state.NotReady })
		if f.Readiness("press-1") != state.Unknown || f.Readiness("press-2") != state.Unknown {
			t.Errorf("below a lost gateway nodes are Unknown, never dead:\n%s", f.Picture())
		}
		t.Logf("a gateway was lost: NotReady after %v", took)
		f.Net.Rejoin("line-1")
		f.Wait(3*time.Second, "all Ready again", func() bool { return allReady(f) })
	})
}
