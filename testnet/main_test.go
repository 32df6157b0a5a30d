package testnet_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pharos/state"
	"pharos/testnet"
)

// These tests are end to end: real pharos processes, each with its own data
// folder and address, given commands on the command line, on a real Docker
// Engine. Bounds of time that were promised are printed; what fails a test is a
// multiple of them, since machines are busy while tests run.

func TestMain(m *testing.M) {
	if os.Getenv(orphanEnv) != "" {
		orphan()
		return
	}
	code := m.Run()
	if binaryDir != "" {
		_ = os.RemoveAll(binaryDir)
	}
	os.Exit(code)
}

var binaryDir string

// binary builds the product once for all tests, with the race detector when
// they have it.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "pharos-binary-")
	if err != nil {
		return "", err
	}
	binaryDir = dir
	path := filepath.Join(dir, "pharos")
	return path, testnet.Build(context.Background(), path, raceFlags...)
})

// up builds a factory and takes it down with the test.
func up(t *testing.T, engine string, nodes ...testnet.Spec) *testnet.Factory {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	f, err := testnet.Up(t.Context(), testnet.Config{Nodes: nodes, Binary: path, Engine: engine, Log: testLog{t}})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d processes up and Ready after %v", len(nodes), time.Since(began).Round(time.Millisecond))
	t.Cleanup(func() {
		for _, name := range f.Names() {
			n := f.Node(name)
			if log := n.LogTail(10_000); strings.Contains(log, "DATA RACE") || strings.Contains(log, "panic:") {
				t.Errorf("%s met a race or a panic; its log:\n%s", name, log)
			} else if t.Failed() {
				t.Logf("the end of the log of %s:\n%s", name, n.LogTail(25))
			}
		}
		if err := f.Close(context.Background()); err != nil {
			t.Errorf("taking the factory down: %v", err)
		}
	})
	return f
}

type testLog struct{ t *testing.T }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimRight(string(b), "\n"))
	return len(b), nil
}

// must runs a command at a node and fails the test unless it exits as expected.
func must(t *testing.T, f *testnet.Factory, exit int, node state.Name, args ...string) testnet.Result {
	t.Helper()
	r := f.Pharos(t.Context(), node, args...)
	if r.Failed != nil || r.Exit != exit {
		t.Fatalf("%s$ pharos %s: exit code %d, want %d (%v)\n%s%s", node, strings.Join(args, " "), r.Exit, exit, r.Failed, r.Stdout, r.Stderr)
	}
	if r.Took > time.Second {
		t.Logf("%s$ pharos %s: %v", node, strings.Join(args, " "), r.Took.Round(time.Millisecond))
	}
	return r
}

// wait fails the test when the condition is not true within limit, and logs
// how long it took beside what was promised (0: nothing was).
func wait(t *testing.T, what string, promised, limit time.Duration, is func(context.Context) (bool, error)) time.Duration {
	t.Helper()
	took, err := testnet.Measure(t.Context(), what, limit, is)
	if err != nil {
		t.Fatal(err)
	}
	kept(t, what, took, promised)
	return took
}

// kept logs a measured time beside the promised one.
func kept(t *testing.T, what string, took, promised time.Duration) {
	t.Helper()
	word := ""
	switch {
	case promised == 0:
	case took > promised:
		word = fmt.Sprintf(" — LATER than the promised %v", promised)
	default:
		word = fmt.Sprintf(" (promised: %v)", promised)
	}
	t.Logf("%s after %v%s", what, took.Round(time.Millisecond), word)
}

// containers gives the app's containers on one node, as Docker has them now, by
// service. A service with two containers is a failure.
func containers(t *testing.T, f *testnet.Factory, app, node state.Name) map[string]testnet.Inspected {
	t.Helper()
	out, err := look(t.Context(), f, app, node)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// look is containers while they come and go: what vanishes between the list and
// the inspection is an error like any other.
func look(ctx context.Context, f *testnet.Factory, app, node state.Name) (map[string]testnet.Inspected, error) {
	out := map[string]testnet.Inspected{}
	ids, err := f.Docker(ctx, "ps", "--all", "--quiet", "--no-trunc",
		"--filter", "label=pharos.app="+string(app), "--filter", "label=pharos.node="+string(f.Node(node).ID))
	if err != nil || len(ids) == 0 {
		return out, err
	}
	all, err := f.Inspect(ctx, ids...)
	if err != nil {
		return out, err
	}
	for _, c := range all {
		service := c.Config.Labels["com.docker.compose.service"]
		if twin, twice := out[service]; twice {
			return out, fmt.Errorf("%s has two containers of the service %q: %s and %s", node, service, twin.Name, c.Name)
		}
		out[service] = c
	}
	return out, nil
}

// runsThere is a condition: these services of the app run on the node, whatever
// its parent knows.
func runsThere(f *testnet.Factory, app, node state.Name, services ...string) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		all, err := look(ctx, f, app, node)
		return err == nil && running(all, services...), err
	}
}

// sameLife says whether two looks found the same containers, none of them
// started anew in between.
func sameLife(a, b map[string]testnet.Inspected) bool {
	if len(a) != len(b) {
		return false
	}
	for service, c := range a {
		if d := b[service]; d.ID != c.ID || !d.State.StartedAt.Equal(c.State.StartedAt) || !d.State.Running {
			return false
		}
	}
	return true
}

// running says whether exactly these services have a running container.
func running(all map[string]testnet.Inspected, services ...string) bool {
	for _, s := range services {
		if !all[s].State.Running {
			return false
		}
	}
	return len(all) == len(services)
}

// file writes a Compose file into the test's folder and gives its path.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// on asks the root, on the command line, how an app is on each node.
func on(t *testing.T, f *testnet.Factory, app state.Name) map[state.Name]state.AppNode {
	t.Helper()
	var all []state.AppNode
	if err := f.Pharos(t.Context(), f.Root(), "app", "ps", string(app), "-o", "json").JSON(&all); err != nil {
		t.Fatal(err)
	}
	out := map[state.Name]state.AppNode{}
	for _, n := range all {
		out[n.Node] = n
	}
	return out
}

// line finds the first line of a text that has all the fragments.
func line(text string, fragments ...string) string {
	for l := range strings.Lines(text) {
		if !slices.ContainsFunc(fragments, func(f string) bool { return !strings.Contains(l, f) }) {
			return strings.TrimSpace(l)
		}
	}
	return ""
}
