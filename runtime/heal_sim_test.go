package runtime_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pharos/runtime/simulated"
	"pharos/state"
)

func worker(image, policy string) string {
	return "services:\n  worker:\n    image: " + image + "\n    command: serve --port 80\n    restart: \"" + policy + "\"\n"
}

// back waits for the container to run again after what f does to it.
func (n *node) back(name string, within time.Duration, f func(string) error) time.Duration {
	n.t.Helper()
	before := n.engine.All()[name]
	if err := f(name); err != nil {
		n.t.Fatal(err)
	}
	return n.eventually(within, func() string {
		c := n.engine.All()[name]
		if c.State == "running" && c.Started.After(before.Started) {
			return ""
		}
		return name + " is " + c.State
	})
}

func (n *node) restarts(app state.Name) uint64 {
	for _, c := range n.last(app).Containers {
		return c.Restarts
	}
	return 0
}

func TestEveryDeathIsHealedAndCounted(t *testing.T) {
	for _, policy := range []string{"no", "always", "unless-stopped", "on-failure"} {
		b := load(t, "line", worker("specimen:1", policy))
		sim(t, simulated.Config{}, func(t *testing.T, e *simulated.Engine) {
			n := newNode(t, e, "press-7")
			defer n.rt.Close()
			n.order("line", state.Run, b)
			n.until("line", state.AppReady, time.Second)
			for i, kill := range []func(string) error{e.Kill, e.DockerKill, e.DockerStop, e.DockerRemove} {
				pass(2 * time.Second)
				if took := n.back("line-worker-1", time.Minute, kill); took > 250*time.Millisecond {
					t.Errorf("policy %s, death %d: back after %s", policy, i, took)
				}
				n.until("line", state.AppReady, time.Second)
				n.eventually(time.Second, func() string {
					if got := n.restarts("line"); got != uint64(i+1) {
						return fmt.Sprintf("policy %s, death %d: %d restarts reported", policy, i, got)
					}
					return ""
				})
			}
		})
	}
}

func TestPausesGrow(t *testing.T) {
	b := load(t, "line", "services:\n  bad:\n    image: specimen:1\n    command: serve --exit-after 100ms --code 3 --print broken\n")
	sim(t, simulated.Config{}, func(t *testing.T, e *simulated.Engine) {
		n := newNode(t, e, "press-7")
		defer n.rt.Close()
		n.order("line", state.Run, b)
		took := n.until("line", state.AppFailed, 10*time.Second)
		t.Logf("failed after %s: %s; %v", took, n.last("line").Reason, n.last("line").Logs)
		if r := n.last("line"); !strings.Contains(r.Reason, "line-bad-1") || !strings.Contains(r.Reason, "exit code 3") || !slices.Contains(r.Logs, "broken") {
			t.Errorf("the report is %+v", r)
		}
		var starts []time.Time
		var last time.Time
		end := time.Now().Add(40 * time.Minute)
		for time.Now().Before(end) {
			if at := e.All()["line-bad-1"].Started; at.After(last) {
				starts, last = append(starts, at), at
			}
			pass(20 * time.Millisecond)
		}
		var pauses []time.Duration
		for i := 1; i < len(starts); i++ {
			pauses = append(pauses, starts[i].Sub(starts[i-1]).Round(100*time.Millisecond))
		}
		t.Logf("pauses: %v", pauses)
		if !slices.IsSorted(pauses) {
			t.Error("the pauses do not grow")
		}
		if last := pauses[len(pauses)-1]; last < 5*time.Minute || last > 5*time.Minute+time.Second {
			t.Errorf("the longest pause is %s", last)
		}
		if len(pauses) > 20 {
			t.Errorf("%d starts in 40 minutes", len(pauses))
		}
		// A new revision begins anew.
		n.order("line", state.Run, load(t, "line", worker("specimen:1", "no")))
		n.until("line", state.AppReady, 2*time.Second)
	})
}

func TestTaskThatSucceededStays(t *testing.T) {
	b := load(t, "line", "services:\n  task:\n    image: specimen:1\n    command: done\n  other:\n    image: specimen:1\n    command: done --code 1\n    restart: on-failure\n")
	sim(t, simulated.Config{}, func(t *testing.T, e *simulated.Engine) {
		n := newNode(t, e, "press-7")
		defer n.rt.Close()
		n.order("line", state.Run, b)
		pass(time.Minute)
		all := e.All()
		if all["line-task-1"].State != "exited" || all["line-task-1"].RestartCount != 0 {
			t.Errorf("the task is %v", all["line-task-1"])
		}
		starts := 0
		for _, c := range e.Calls() {
			if c == "start line-task-1" {
				starts++
			}
		}
		if starts != 1 {
			t.Errorf("the task was started %d times", starts)
		}
		if r := n.last("line"); r.State != state.AppFailed || !strings.Contains(r.Reason, "line-other-1") {
			t.Errorf("the report is %s: %s", r.State, r.Reason)
		}
	})
}

func TestEngineGoesAndComesBack(t *testing.T) {
	b := load(t, "shop", shop)
	for _, with := range []bool{true, false} {
		sim(t, simulated.Config{}, func(t *testing.T, e *simulated.Engine) {
			n := newNode(t, e, "press-7")
			defer n.rt.Close()
			n.order("shop", state.Run, b)
			n.until("shop", state.AppReady, 5*time.Second)
			before, calls := e.All(), len(e.Calls())
			e.Down(with)
			pass(time.Minute)
			if got := n.engines[len(n.engines)-1]; got.Problem == "" || got.Kind != "simulated" {
				t.Errorf("the engine is reported as %+v", got)
			}
			e.Up()
			n.eventually(20*time.Second, func() string {
				if r := n.last("shop"); r.State != state.AppReady {
					return string(r.State) + ": " + r.Reason
				}
				for name, c := range e.All() {
					if before[name].State == "running" && c.State != "running" {
						return name + " is " + c.State
					}
				}
				return ""
			})
			t.Logf("with containers %v: %v", with, e.Calls()[calls:])
			for name, c := range e.All() {
				if c.ID != before[name].ID {
					t.Errorf("%s was replaced", name)
				}
			}
			if !with && len(e.Calls()) != calls {
				t.Errorf("nothing had stopped, and yet: %v", e.Calls()[calls:])
			}
			if slices.Contains(e.Calls()[calls:], "start shop-init-1") {
				t.Error("the task was done again")
			}
			if got := n.engines[len(n.engines)-1]; got.Problem != "" {
				t.Errorf("the engine is reported as %+v", got)
			}
		})
	}
}

// A worker without restart policy, health check or port, that ended with code
// 0 when its engine was stopped, is no task: the engine's restart gives it away.
func TestWorkerReturnsAfterReboot(t *testing.T) {
	b := load(t, "line", worker("specimen:1", "no"))
	sim(t, simulated.Config{}, func(t *testing.T, e *simulated.Engine) {
		n := newNode(t, e, "press-7")
		n.order("line", state.Run, b)
		n.until("line", state.AppReady, time.Second)
		n.rt.Close()
		e.Down(true)
		pass(time.Minute)
		e.Up()
		n = newNode(t, e, "press-7")
		defer n.rt.Close()
		n.order("line", state.Run, b)
		n.until("line", state.AppReady, time.Second)
	})
}

func TestHungPullDelaysNobody(t *testing.T) {
	good, bad := load(t, "good", worker("specimen:1", "no")), load(t, "bad", worker("other:2", "no"))
	next := load(t, "good", worker("other:2", "no"))
	sim(t, simulated.Config{}, func(t *testing.T, e *simulated.Engine) {
		n := newNode(t, e, "press-7")
		defer n.rt.Close()
		e.HangPull("other:2", true)
		stamp := func(i uint64) state.Stamp { return state.Stamp{Epoch: 1, Number: i} }
		n.number = 1
		n.rt.Assign([]state.Assignment{
			{App: "bad", Revision: 1, Want: state.Run, Stamp: stamp(1), Compose: bad},
			{App: "good", Revision: 1, Want: state.Run, Stamp: stamp(2), Compose: good},
		})
		n.until("good", state.AppReady, time.Second)
		n.until("bad", state.AppPulling, time.Second)
		// An update that can't be pulled leaves the old version running, and healed.
		n.number = 2
		n.rt.Assign([]state.Assignment{
			{App: "bad", Revision: 2, Want: state.Run, Stamp: stamp(3), Compose: bad},
			{App: "good", Revision: 2, Want: state.Run, Stamp: stamp(4), Compose: next},
		})
		n.until("good", state.AppPulling, time.Second)
		if took := n.back("good-worker-1", time.Minute, e.DockerKill); took > 250*time.Millisecond {
			t.Errorf("back after %s", took)
		}
		// A pull in which nothing moves is given up.
		n.until("good", state.AppFailed, 2*time.Minute)
		if r := n.last("good").Reason; !strings.Contains(r, "other:2") || !strings.Contains(r, "nothing has moved") {
			t.Errorf("the reason is %q", r)
		}
		e.HangPull("other:2", false)
		n.until("good", state.AppReady, 10*time.Minute)
		n.until("bad", state.AppReady, 10*time.Minute)
		if img := e.All()["good-worker-1"].Image; img != "other:2" {
			t.Errorf("good runs %s", img)
		}
	})
}

func TestFailedPullIsRetriedWithPauses(t *testing.T) {
	b := load(t, "line", worker("other:2", "no"))
	sim(t, simulated.Config{}, func(t *testing.T, e *simulated.Engine) {
		n := newNode(t, e, "press-7")
		defer n.rt.Close()
		e.FailPull("other:2", true)
		n.order("line", state.Run, b)
		n.until("line", state.AppFailed, 5*time.Second)
		pass(time.Hour)
		if s := n.states("line"); !slices.Equal(s, []state.AppState{state.AppPulling, state.AppFailed}) && !slices.Equal(s, []state.AppState{state.AppStarting, state.AppPulling, state.AppFailed}) {
			t.Errorf("the states were %v", s)
		}
		pulls := 0
		for _, c := range e.Calls() {
			if strings.HasPrefix(c, "pull ") {
				pulls++
			}
		}
		if pulls < 8 || pulls > 24 {
			t.Errorf("%d pulls in an hour", pulls)
		}
		e.FailPull("other:2", false)
		n.until("line", state.AppReady, 6*time.Minute)
	})
}
