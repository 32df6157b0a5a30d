package testnet_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"pharos/runtime/compose"
	"pharos/state"
	"pharos/testnet"
)

// Every process is killed with -9, again and again, at random moments of a
// stream of deploys. What was accepted is in the history when the root is back,
// and the cells converge on the newest of it.
func TestAcceptedOrdersSurviveKills(t *testing.T) {
	f := up(t, testnet.SimulatedEngine, threeTiers...)
	project, err := compose.Load(t.Context(), []string{"-"}, "shop", strings.NewReader("services: {web: {image: \"shop:1\"}}"))
	if err != nil {
		t.Fatal(err)
	}
	to, err := state.ParseSelector("tier:line-1")
	if err != nil {
		t.Fatal(err)
	}
	var accepted []uint64
	r := rand.New(rand.NewPCG(7, 7))
	for round := range 12 {
		victim := []state.Name{"plant-7", "plant-7", "line-1", "press-1"}[round%4]
		after := time.Duration(r.IntN(120)) * time.Millisecond
		ctx, cancel := context.WithCancel(t.Context())
		var deploying sync.WaitGroup
		deploying.Go(func() {
			for ctx.Err() == nil {
				a, err := f.Client("plant-7").Deploy(ctx, state.DeployRequest{App: "shop", Selector: to, Compose: project.Compose})
				if err != nil {
					return // the root was killed before it answered: nothing was promised
				}
				accepted = append(accepted, a.Revision)
			}
		})
		<-time.After(after) // the moment of the kill is what is tried
		if err := f.Node(victim).Kill(); err != nil {
			t.Fatal(err)
		}
		cancel()
		deploying.Wait()
		if err := f.Node(victim).Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		history, err := f.Client("plant-7").History(t.Context(), "shop")
		if err != nil && (len(accepted) > 0 || state.KindOf(err) != state.NotFound) {
			t.Fatal(err)
		}
		known := map[uint64]bool{}
		for _, h := range history {
			known[h.Revision] = true
		}
		for _, revision := range accepted {
			if !known[revision] {
				t.Fatalf("round %d: revision %d was accepted, and %s was killed %v later; the root does not know it any more", round, revision, victim, after)
			}
		}
	}
	newest, err := f.Client("plant-7").App(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	if len(accepted) == 0 || newest.Revision < accepted[len(accepted)-1] {
		t.Fatalf("the newest revision is %d, of %d accepted", newest.Revision, len(accepted))
	}
	took := wait(t, "all cells in the newest revision", 0, 30*time.Second, f.Runs("shop", newest.Revision, "press-1", "press-2"))
	t.Logf("%d orders accepted over 12 kills, none lost; converged %v after the last one", len(accepted), took.Round(time.Millisecond))
}
