package tiers_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"pharos/state"
	"pharos/testnet/simulation"
)

func token(t *testing.T, f *simulation.Factory, r state.TokenRequest) string {
	t.Helper()
	text, err := f.Root().CreateToken(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTokensAreSingleUse(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		refused := func(what, text, why string) {
			t.Helper()
			_, err := f.Join(ctx, state.Name("rogue-"+what), text)
			if err == nil || !strings.Contains(err.Error(), why) {
				t.Errorf("%s: %v, instead of an error with %q", what, err, why)
			}
		}
		used := token(t, f, state.TokenRequest{Name: "press-3", Parent: "line-1", Labels: map[string]string{"side": "left"}})
		press3, err := f.Join(ctx, "press-3", used)
		if err != nil {
			t.Fatal(err)
		}
		refused("used", used, "used already")

		replaced := token(t, f, state.TokenRequest{Name: "press-4", Parent: "line-1"})
		token(t, f, state.TokenRequest{Name: "press-4", Parent: "line-1"})
		refused("replaced", replaced, "does not know this token")

		expired := token(t, f, state.TokenRequest{Name: "press-5", Parent: "line-1", Life: time.Second})
		f.Pass(2 * time.Second)
		refused("expired", expired, "expired")

		other := simulation.New(t, "elsewhere")
		defer other.Close()
		foreign, err := state.ParseJoinToken(token(t, other, state.TokenRequest{Name: "press-6"}))
		if err != nil {
			t.Fatal(err)
		}
		// Even when it is brought to this factory's root.
		id, _ := state.IDOf(f.Root().Key.GetPublic())
		foreign.Parent = id
		foreign.Addresses = f.Root().Addresses()
		refused("foreign", foreign.String(), "of another factory")

		press3.Start()
		f.Wait(5*time.Second, "the one that joined is Ready", func() bool { return f.Readiness("press-3") == state.Ready })
		view, err := f.Root().Node.Node(ctx, "press-3")
		if err != nil || view.Labels["side"] != "left" || view.Parent != "line-1" {
			t.Errorf("press-3 is %+v, %v", view, err)
		}
	})
}

// The root's answer may be lost on its way: the same machine asks again and
// gets the same certificate.
func TestTheSameMachineGetsTheSameAnswer(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		text := token(t, f, state.TokenRequest{Name: "press-3", Parent: "line-1"})
		parsed, err := state.ParseJoinToken(text)
		if err != nil {
			t.Fatal(err)
		}
		first, err := f.Join(t.Context(), "press-3", text)
		if err != nil {
			t.Fatal(err)
		}
		was, err := first.Store.Certificate()
		if err != nil {
			t.Fatal(err)
		}
		if err := first.EnrolAgain(t.Context(), parsed); err != nil {
			t.Fatalf("asking again: %v", err)
		}
		if is, err := first.Store.Certificate(); err != nil || string(is) != string(was) {
			t.Errorf("the answer was another one: %v", err)
		}
	})
}

func TestTokenRequestsThatMakeNoSense(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		for name, tc := range map[string]struct {
			request state.TokenRequest
			kind    state.Kind
		}{
			"taken":          {state.TokenRequest{Name: "press-1"}, state.Taken},
			"malformed":      {state.TokenRequest{Name: "Press 1"}, state.Invalid},
			"empty":          {state.TokenRequest{}, state.Invalid},
			"unknown parent": {state.TokenRequest{Name: "x", Parent: "nobody"}, state.NotFound},
			"below a cell":   {state.TokenRequest{Name: "x", Parent: "press-1"}, state.Invalid},
			"too long":       {state.TokenRequest{Name: "x", Life: 1000 * time.Hour}, state.Invalid},
			"bad label":      {state.TokenRequest{Name: "x", Labels: map[string]string{"a b": "c"}}, state.Invalid},
		} {
			if _, err := f.Root().CreateToken(t.Context(), tc.request); state.KindOf(err) != tc.kind || err == nil {
				t.Errorf("%s: %v, instead of %s", name, err, tc.kind)
			}
		}
		if _, err := f.Node("line-1").CreateToken(t.Context(), state.TokenRequest{Name: "x"}); state.KindOf(err) != state.Elsewhere || !strings.Contains(err.Error(), "plant") {
			t.Errorf("at a gateway: %v", err)
		}
	})
}

func TestDeeperTiersEnrolThroughTheirGateways(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		f.Gateway("corner", "line-1")
		// The root is out of the new machine's reach: only its parent talks to it.
		f.Net.Cut("bench-1", "plant")
		f.Net.Cut("bench-1", "line-1")
		bench := f.Cell("bench-1", "corner")
		f.Wait(5*time.Second, "a cell three tiers down is Ready at the root", func() bool { return f.Readiness("bench-1") == state.Ready })
		deploy(t, f, "shop", "tier:line-1")
		f.Wait(3*time.Second, "and gets what its line runs", func() bool { return bench.Pretended.Running()["shop"] == 1 })
		f.Net.Isolate("line-1")
		f.Wait(4*time.Second, "all below the lost gateway are Unknown", func() bool {
			return f.Readiness("corner") == state.Unknown && f.Readiness("bench-1") == state.Unknown
		})
		f.Net.Rejoin("line-1")
		f.Wait(5*time.Second, "and Ready again", func() bool { return f.Readiness("bench-1") == state.Ready })
	})
}
