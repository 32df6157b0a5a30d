package runtime_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pharos/runtime"
	"pharos/runtime/compose"
	"pharos/runtime/simulated"
	"pharos/state"
)

// shop is the file most tests deploy: a database that is checked, a task that
// waits for it, and a web server that waits for both.
const shop = `
services:
  db:
    image: specimen:1
    command: serve --port 80
    healthcheck: {test: [CMD, /specimen, health], interval: 1s}
    volumes: ["data:/data"]
  init:
    image: specimen:1
    command: done
    depends_on: {db: {condition: service_healthy}}
  web:
    image: specimen:1
    command: serve --port 80
    ports: ["8080:80"]
    depends_on: {init: {condition: service_completed_successfully}, db: {condition: service_healthy}}
volumes: {data: }
`

// load gives the bytes of an order for a file's text.
func load(t testing.TB, app, text string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "compose.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := compose.Load(context.Background(), []string{file}, app, nil)
	if err != nil {
		t.Fatalf("loading: %v", err)
	}
	return l.Compose
}

// node is one node's runtime on a simulated engine, and what it reported.
type node struct {
	t      testing.TB
	engine *simulated.Engine
	rt     *runtime.Runtime
	number uint64

	mu      sync.Mutex
	reports map[state.Name][]state.AppReport
	engines []state.EngineReport
}

func newNode(t testing.TB, e *simulated.Engine, name string) *node {
	n := &node{t: t, engine: e, reports: map[state.Name][]state.AppReport{}}
	n.rt = runtime.New(runtime.Config{
		Node: state.NodeID("12D3KooW" + name), Name: state.Name(name), Engine: e,
		Report: func(r state.AppReport) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.reports[r.App] = append(n.reports[r.App], r)
		},
		EngineReport: func(r state.EngineReport) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.engines = append(n.engines, r)
		},
		Log: slog.New(slog.NewTextHandler(testWriter{t}, nil)),
	})
	if err := n.rt.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	return n
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	if os.Getenv("PHAROS_TEST_LOG") != "" {
		w.t.Logf("%s", strings.TrimSpace(string(b)))
	}
	return len(b), nil
}

// order assigns one app, and nothing else, as the next order.
func (n *node) order(app state.Name, want state.Want, b []byte) {
	n.number++
	n.rt.Assign([]state.Assignment{{App: app, Revision: n.number, Want: want, Stamp: state.Stamp{Epoch: 1, Number: n.number}, Compose: b}})
}

func (n *node) last(app state.Name) state.AppReport {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.reports[app]
	if len(all) == 0 {
		return state.AppReport{}
	}
	return all[len(all)-1]
}

func (n *node) states(app state.Name) []state.AppState {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []state.AppState
	for _, r := range n.reports[app] {
		out = append(out, r.State)
	}
	return slices.Compact(out)
}

// until waits, on whatever clock runs, for the app to be in that state and
// gives how long it took.
func (n *node) until(app state.Name, want state.AppState, within time.Duration) time.Duration {
	n.t.Helper()
	return n.eventually(within, func() string {
		if r := n.last(app); r.State != want || r.Revision != n.number {
			return fmt.Sprintf("%s is %s (%s) at revision %d, not %s at %d", app, r.State, r.Reason, r.Revision, want, n.number)
		}
		return ""
	})
}

func (n *node) eventually(within time.Duration, wrong func() string) time.Duration {
	n.t.Helper()
	began := time.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		why := wrong()
		if why == "" {
			return time.Since(began)
		}
		if time.Since(began) > within {
			n.t.Fatalf("after %s: %s", within, why)
		}
		<-tick.C
	}
}

// pass lets time go by, for what must not happen.
func pass(d time.Duration) { <-time.After(d) }

// sim runs a test on the fake clock.
func sim(t *testing.T, cfg simulated.Config, f func(t *testing.T, e *simulated.Engine)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if cfg.Images == nil {
			cfg.Images = []string{"specimen:1"}
		}
		e := simulated.New(cfg)
		defer e.Close()
		f(t, e)
	})
}

func TestDeployInDependencyOrder(t *testing.T) {
	b := load(t, "shop", shop)
	sim(t, simulated.Config{}, func(t *testing.T, e *simulated.Engine) {
		n := newNode(t, e, "press-7")
		defer n.rt.Close()
		n.order("shop", state.Run, b)
		took := n.until("shop", state.AppReady, 5*time.Second)
		t.Logf("ready after %s: %s", took, e.Calls())
		t.Log(n.states("shop"), n.last("shop"))
		var starts []string
		for _, c := range e.Calls() {
			if name, found := strings.CutPrefix(c, "start "); found {
				starts = append(starts, name)
			}
		}
		if want := []string{"shop-db-1", "shop-init-1", "shop-web-1"}; !slices.Equal(starts, want) {
			t.Errorf("started %v, want %v", starts, want)
		}
		before := e.Calls()
		n.order("shop", state.Run, b)
		n.until("shop", state.AppReady, time.Second)
		pass(time.Minute)
		if after := e.Calls(); !slices.Equal(before, after) {
			t.Errorf("the same file again did %v", after[len(before):])
		}
	})
}
