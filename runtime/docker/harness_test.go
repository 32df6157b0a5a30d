package docker_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pharos/runtime"
	"pharos/runtime/compose"
	"pharos/runtime/docker"
	"pharos/state"
	"pharos/testnet/image"
	"pharos/testnet/image/imagetest"
)

// node is one node's runtime on the real engine, and what it reported.
type node struct {
	t      *testing.T
	engine *docker.Engine
	id     state.NodeID
	name   state.Name
	rt     *runtime.Runtime
	number uint64

	mu      sync.Mutex
	reports []state.AppReport
}

// newNode starts a node of a name of its own; all it makes goes at the end.
func newNode(t *testing.T, e *docker.Engine) *node {
	name := imagetest.Unique()
	n := &node{t: t, engine: e, id: state.NodeID("12D3KooWtest" + name), name: state.Name(name)}
	imagetest.CleanUp(t, e, string(n.id))
	t.Cleanup(func() { n.rt.Close() })
	n.start()
	return n
}

// start begins a runtime, as a process of the node does.
func (n *node) start() {
	n.mu.Lock()
	n.reports = nil
	n.mu.Unlock()
	n.rt = runtime.New(runtime.Config{
		Node: n.id, Name: n.name, Engine: n.engine,
		Report: func(r state.AppReport) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.reports = append(n.reports, r)
		},
		Log: slog.New(slog.NewTextHandler(&logged{t: n.t}, nil)),
	})
	if err := n.rt.Start(context.Background()); err != nil {
		n.t.Fatal(err)
	}
}

// logged shows the log of a test that failed, or of all with -v.
type logged struct{ t *testing.T }

func (w *logged) Write(b []byte) (int, error) {
	if os.Getenv("PHAROS_TEST_LOG") != "" {
		fmt.Fprintf(os.Stderr, "%s %s", w.t.Name(), b)
	}
	return len(b), nil
}

func (n *node) assignment(app state.Name, want state.Want, b []byte) state.Assignment {
	return state.Assignment{App: app, Revision: n.number, Want: want, Stamp: state.Stamp{Epoch: 1, Number: n.number}, Compose: b}
}

// order gives the node the next order of its one app.
func (n *node) order(app state.Name, want state.Want, b []byte) {
	n.number++
	n.rt.Assign([]state.Assignment{n.assignment(app, want, b)})
}

func (n *node) last() state.AppReport {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.reports) == 0 {
		return state.AppReport{}
	}
	return n.reports[len(n.reports)-1]
}

func (n *node) until(want state.AppState, within time.Duration) time.Duration {
	n.t.Helper()
	return n.eventually(within, func() string {
		if r := n.last(); r.State != want || r.Revision != n.number {
			return fmt.Sprintf("the app is %s (%s) at revision %d, not %s at %d; %v", r.State, r.Reason, r.Revision, want, n.number, r.Logs)
		}
		return ""
	})
}

func (n *node) eventually(within time.Duration, wrong func() string) time.Duration {
	n.t.Helper()
	began := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
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

// stays looks for a while that a thing that must not happen does not.
func (n *node) stays(d time.Duration, wrong func() string) {
	n.t.Helper()
	end := time.After(d)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if why := wrong(); why != "" {
			n.t.Fatal(why)
		}
		select {
		case <-end:
			return
		case <-tick.C:
		}
	}
}

// containers gives the node's containers by service and number, inspected.
func (n *node) containers() map[string]runtime.Container {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	list, err := n.engine.Containers(ctx, map[string]string{runtime.LabelNode: string(n.id)})
	if err != nil {
		n.t.Fatal(err)
	}
	out := map[string]runtime.Container{}
	for _, c := range list {
		in, err := n.engine.Inspect(ctx, c.ID)
		if err != nil {
			continue
		}
		out[in.Labels["com.docker.compose.service"]+"-"+in.Labels["com.docker.compose.container-number"]] = in
	}
	return out
}

// runs is which run of which container each place has: it changes with every
// restart and replacement.
func (n *node) runs() map[string]string {
	out := map[string]string{}
	for key, c := range n.containers() {
		out[key] = c.ID[:12] + " " + c.Started.String()
	}
	return out
}

func same(a, b map[string]string) bool {
	return len(a) == len(b) && !slices.ContainsFunc(keys(a), func(k string) bool { return a[k] != b[k] })
}

func keys(m map[string]string) (out []string) {
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// file loads a Compose file's text; IMAGE stands for the specimen image.
func file(t *testing.T, app, text string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "compose.yaml")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "IMAGE", image.Ref)), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := compose.Load(context.Background(), []string{path}, app, nil)
	if err != nil {
		t.Fatal(err)
	}
	return l.Compose
}

// cli runs the docker command, as a person at the machine would.
func cli(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("docker", args...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+imagetest.Host())
	var said, failed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &failed
	if err := cmd.Run(); err != nil {
		t.Fatalf("docker %s: %v: %s", strings.Join(args, " "), err, failed.String())
	}
	return strings.TrimSpace(said.String())
}

const shop = `
services:
  db:
    image: IMAGE
    command: serve --port 80
    healthcheck: {test: [CMD, /specimen, health], interval: 1s, timeout: 2s}
    stop_grace_period: 2s
    volumes: ["data:/data"]
  init:
    image: IMAGE
    command: done
    depends_on: {db: {condition: service_healthy}}
  web:
    image: IMAGE
    command: serve --port 80
    environment: {SPECIMEN_TEXT: VERSION}
    stop_grace_period: 2s
    ports: ["80"]
    depends_on: {init: {condition: service_completed_successfully}, db: {condition: service_healthy}}
volumes: {data: }
`
