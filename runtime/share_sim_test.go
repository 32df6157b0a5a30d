package runtime_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"pharos/runtime"
	"pharos/runtime/simulated"
	"pharos/state"
)

func TestNodesShareAnEngine(t *testing.T) {
	b := load(t, "line", worker("specimen:1", "no"))
	sim(t, simulated.Config{}, func(t *testing.T, e *simulated.Engine) {
		first, second := newNode(t, e, "press-7"), newNode(t, e, "press-8")
		defer second.rt.Close()
		first.order("line", state.Run, b)
		first.until("line", state.AppReady, time.Second)
		second.order("line", state.Run, b)
		second.until("line", state.AppReady, time.Second)
		if all := e.All(); len(all) != 2 || all["line-worker-1"].State != "running" || all["line-press-8-worker-1"].State != "running" {
			t.Fatalf("there is %v", all)
		}
		// The name stays with what is there, also when the claim is free.
		first.order("line", state.Gone, nil)
		first.until("line", state.AppGone, time.Second)
		first.rt.Close()
		second.rt.Close()
		again := newNode(t, e, "press-8")
		defer again.rt.Close()
		again.order("line", state.Run, b)
		again.until("line", state.AppReady, time.Second)
		if all := e.All(); len(all) != 1 || all["line-press-8-worker-1"].State != "running" {
			t.Errorf("there is %v", all)
		}
		// A new app finds the engine unclaimed.
		again.order("other", state.Run, load(t, "other", worker("specimen:1", "no")))
		again.until("other", state.AppReady, time.Second)
		if c := e.All()["other-worker-1"]; c.State != "running" {
			t.Errorf("there is %v", e.All())
		}
	})
}

func TestStaleClaimIsTakenOver(t *testing.T) {
	b := load(t, "line", worker("specimen:1", "no"))
	for _, age := range []time.Duration{time.Second, 2 * time.Minute} {
		sim(t, simulated.Config{}, func(t *testing.T, e *simulated.Engine) {
			e.CreateVolume(context.Background(), "pharos-engine", types.VolumeConfig{}, map[string]string{runtime.LabelNode: "a node of long ago"})
			pass(age)
			n := newNode(t, e, "press-7")
			defer n.rt.Close()
			n.order("line", state.Run, b)
			n.until("line", state.AppReady, time.Second)
			want := "line-press-7-worker-1"
			if age > time.Minute {
				want = "line-worker-1"
			}
			if _, there := e.All()[want]; !there {
				t.Errorf("with a claim of %s there is %v", age, e.All())
			}
		})
	}
}

func TestUnassignedAppIsLeftAlone(t *testing.T) {
	b := load(t, "line", worker("specimen:1", "no"))
	sim(t, simulated.Config{}, func(t *testing.T, e *simulated.Engine) {
		n := newNode(t, e, "press-7")
		defer n.rt.Close()
		n.order("line", state.Run, b)
		n.until("line", state.AppReady, time.Second)
		calls := e.Calls()
		n.rt.Assign(nil)
		pass(time.Minute)
		if now := e.Calls(); !slices.Equal(calls, now) {
			t.Errorf("without an order: %v", now[len(calls):])
		}
		n.order("line", state.Run, b)
		n.until("line", state.AppReady, time.Second)
		if now := e.Calls(); !slices.Equal(calls, now) {
			t.Errorf("assigned again: %v", now[len(calls):])
		}
	})
}

func TestStopStartGone(t *testing.T) {
	b := load(t, "shop", shop)
	sim(t, simulated.Config{}, func(t *testing.T, e *simulated.Engine) {
		n := newNode(t, e, "press-7")
		defer n.rt.Close()
		n.order("shop", state.Gone, nil)
		n.until("shop", state.AppGone, time.Second)
		n.order("shop", state.Run, b)
		n.until("shop", state.AppReady, 5*time.Second)
		before := e.All()
		n.order("shop", state.Stopped, b)
		n.until("shop", state.AppStopped, 5*time.Second)
		pass(time.Minute)
		for name, c := range e.All() {
			if c.State != "exited" || c.ID != before[name].ID {
				t.Errorf("%s is %s", name, c.State)
			}
		}
		n.order("shop", state.Run, b)
		n.until("shop", state.AppReady, 5*time.Second)
		if r := n.last("shop").Containers[2]; r.Restarts != 0 {
			t.Errorf("starting by order counts as %d restarts", r.Restarts)
		}
		calls := len(e.Calls())
		n.order("shop", state.Gone, nil)
		n.until("shop", state.AppGone, 5*time.Second)
		if len(e.All()) != 0 {
			t.Errorf("left: %v", e.All())
		}
		did := e.Calls()[calls:]
		if slices.Index(did, "stop shop-web-1") > slices.Index(did, "stop shop-db-1") || slices.Contains(did, "remove volume shop_data") {
			t.Errorf("going did %v", did)
		}
		// The same order again is no news.
		n.mu.Lock()
		reports := len(n.reports["shop"])
		n.mu.Unlock()
		n.rt.Assign([]state.Assignment{{App: "shop", Revision: n.number, Want: state.Gone, Stamp: state.Stamp{Epoch: 1, Number: n.number}}})
		pass(time.Minute)
		n.mu.Lock()
		defer n.mu.Unlock()
		if len(n.reports["shop"]) != reports {
			t.Errorf("an app that is gone was reported again: %v", n.reports["shop"][reports:])
		}
	})
}

func TestHungEngineAndBrokenStreams(t *testing.T) {
	b := load(t, "line", worker("specimen:1", "no"))
	sim(t, simulated.Config{}, func(t *testing.T, e *simulated.Engine) {
		n := newNode(t, e, "press-7")
		defer n.rt.Close()
		n.order("line", state.Run, b)
		n.until("line", state.AppReady, time.Second)
		calls := len(e.Calls())
		e.BreakStreams()
		pass(time.Second)
		if took := n.back("line-worker-1", time.Minute, e.Kill); took > time.Second {
			t.Errorf("after a broken stream, back after %s", took)
		}
		n.until("line", state.AppReady, time.Second)
		e.Hang(true)
		pass(2 * time.Minute)
		n.mu.Lock()
		if r := n.engines[len(n.engines)-1]; r.Problem == "" {
			t.Error("a hung engine was not reported")
		}
		n.mu.Unlock()
		if r := n.last("line"); r.State != state.AppDegraded || !strings.Contains(r.Reason, "not known now") {
			t.Errorf("behind a hung engine the app is %s: %s", r.State, r.Reason)
		}
		e.Hang(false)
		n.until("line", state.AppReady, 30*time.Second)
		if did := e.Calls()[calls:]; !slices.Equal(did, []string{"start line-worker-1"}) {
			t.Errorf("it did %v", did)
		}
	})
}

func TestInterruptedReplacementIsFinished(t *testing.T) {
	one, two := load(t, "line", worker("specimen:1", "no")), load(t, "line", worker("specimen:1", "always"))
	// Whenever the process dies during a replacement, the next one finishes it.
	for after := 5 * time.Millisecond; after < 250*time.Millisecond; after += 5 * time.Millisecond {
		sim(t, simulated.Config{StopTime: 80 * time.Millisecond, CreateTime: 30 * time.Millisecond}, func(t *testing.T, e *simulated.Engine) {
			n := newNode(t, e, "press-7")
			n.order("line", state.Run, one)
			n.until("line", state.AppReady, time.Second)
			n.order("line", state.Run, two)
			pass(after)
			n.rt.Close()
			again := newNode(t, e, "press-7")
			defer again.rt.Close()
			again.order("line", state.Run, two)
			again.until("line", state.AppReady, 2*time.Second)
			hashes, _ := runtime.Hashes(two)
			if all := e.All(); len(all) != 1 || all["line-worker-1"].Labels["com.docker.compose.config-hash"] != hashes["worker"] {
				t.Errorf("cut after %s there is %v", after, all)
			}
		})
	}
}

func TestSilentPortIsDegraded(t *testing.T) {
	b := load(t, "shop", shop)
	sim(t, simulated.Config{}, func(t *testing.T, e *simulated.Engine) {
		n := newNode(t, e, "press-7")
		defer n.rt.Close()
		n.order("shop", state.Run, b)
		n.until("shop", state.AppReady, 5*time.Second)
		e.Mute("shop-web-1", true)
		n.until("shop", state.AppDegraded, 20*time.Second)
		if r := n.last("shop").Reason; !strings.Contains(r, "port 8080") || !strings.Contains(r, "shop-web-1") {
			t.Errorf("the reason is %q", r)
		}
		e.Mute("shop-web-1", false)
		n.until("shop", state.AppReady, 20*time.Second)
	})
}

func TestUnhealthyIsDegradedAndHoldsBack(t *testing.T) {
	b := load(t, "shop", strings.Replace(shop, "serve --port 80", "serve --port 80 --sick", 1))
	sim(t, simulated.Config{}, func(t *testing.T, e *simulated.Engine) {
		n := newNode(t, e, "press-7")
		defer n.rt.Close()
		n.order("shop", state.Run, b)
		n.until("shop", state.AppDegraded, 5*time.Second)
		pass(time.Minute)
		if r := n.last("shop"); !strings.Contains(r.Reason, "shop-db-1 is unhealthy: the check failed") {
			t.Errorf("the reason is %q", r.Reason)
		}
		if c := e.All()["shop-web-1"]; c.State != "created" {
			t.Errorf("web did not wait: it is %s", c.State)
		}
	})
}

func TestSameTagOtherImage(t *testing.T) {
	b := load(t, "line", worker("specimen:1", "no"))
	sim(t, simulated.Config{}, func(t *testing.T, e *simulated.Engine) {
		n := newNode(t, e, "press-7")
		defer n.rt.Close()
		n.order("line", state.Run, b)
		n.until("line", state.AppReady, time.Second)
		id := e.All()["line-worker-1"].ID
		e.AddImage("specimen:1")
		pass(time.Minute)
		if e.All()["line-worker-1"].ID != id {
			t.Error("replaced without an order")
		}
		n.order("line", state.Run, b)
		n.eventually(time.Second, func() string {
			if c := e.All()["line-worker-1"]; c.ID == id || c.State != "running" {
				return "not replaced by the image that is new under its tag"
			}
			return ""
		})
	})
}

func TestBadOrderIsReported(t *testing.T) {
	sim(t, simulated.Config{}, func(t *testing.T, e *simulated.Engine) {
		n := newNode(t, e, "press-7")
		defer n.rt.Close()
		for _, b := range []string{"", "{", `{"name":"line"}`, `{"name":"line","services":{"a":{"image":"x","build":{}}}}`} {
			n.order("line", state.Run, []byte(b))
			n.until("line", state.AppFailed, time.Second)
		}
		if len(e.All()) > 0 {
			t.Errorf("there is %v", e.All())
		}
	})
}
