package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pharos/cmd/pharos/api"
	"pharos/cmd/pharos/api/apitest"
	"pharos/state"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// ago is a time before the tests' noon.
func ago(d time.Duration) time.Time { return noon.Add(-d) }

// desk is where a test sits: a factory in memory behind a real socket, and the
// whole program in front of it.
type desk struct {
	t       *testing.T
	factory *apitest.Factory
	data    string
	program *program
	out     writer
	err     writer
	onWrite func(string) // sees what goes to stderr
}

// writer is a buffer that a program and a test may use at once.
type writer struct {
	mu  sync.Mutex
	buf bytes.Buffer
	see func(string)
}

func (w *writer) Write(b []byte) (int, error) {
	w.mu.Lock()
	n, err := w.buf.Write(b)
	w.mu.Unlock()
	if w.see != nil {
		w.see(string(b))
	}
	return n, err
}

func (w *writer) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.buf.String()
	w.buf.Reset()
	return s
}

func newDesk(t *testing.T, f *apitest.Factory) *desk {
	t.Helper()
	t.Setenv("PHAROS_DATA", "")
	t.Setenv("PHAROS_HOST", "")
	dir, err := os.MkdirTemp("", "cli") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	d := &desk{t: t, factory: f, data: dir}
	if f != nil {
		l, err := api.Listen(filepath.Join(dir, "pharos.sock"))
		if err != nil {
			t.Fatal(err)
		}
		s := api.Serve(l, f, slog.New(slog.DiscardHandler))
		t.Cleanup(s.Close)
	}
	d.err.see = func(s string) {
		if d.onWrite != nil {
			d.onWrite(s)
		}
	}
	d.program = &program{
		in: strings.NewReader(""), now: func() time.Time { return noon }, hold: 20 * time.Millisecond,
		screen: screen{out: &d.out, err: &d.err, size: func() (int, int) { return 80, 24 }},
		rooms: rooms{load: func(_ context.Context, files []string, name string, _ io.Reader) (project, error) {
			p := project{name: "shop", compose: []byte("project of " + strings.Join(files, "+"))}
			if name != "" {
				p.name = state.Name(name)
			}
			return p, nil
		}},
	}
	return d
}

// run runs a command line against the desk's factory.
func (d *desk) run(args ...string) (code int, out, err string) {
	d.t.Helper()
	return d.runIn(d.t.Context(), args...)
}

func (d *desk) runIn(ctx context.Context, args ...string) (code int, out, err string) {
	d.t.Helper()
	code = d.program.run(ctx, append([]string{"--data", d.data}, args...))
	return code, d.out.take(), d.err.take()
}

// want checks all of what a command did.
func (d *desk) want(code int, out, errs string, args ...string) {
	d.t.Helper()
	gotCode, gotOut, gotErr := d.run(args...)
	name := strings.Join(args, " ")
	if gotCode != code {
		d.t.Errorf("%s: exit code %d, want %d (%s)", name, gotCode, code, gotErr)
	}
	if gotOut != out {
		d.t.Errorf("%s: stdout\n%s\nwant\n%s", name, gotOut, out)
	}
	if gotErr != errs {
		d.t.Errorf("%s: stderr\n%s\nwant\n%s", name, gotErr, errs)
	}
}

func (d *desk) calls() []string { return d.factory.Calls() }

func (d *desk) lastCall() string {
	calls := d.calls()
	if len(calls) == 0 {
		return ""
	}
	return calls[len(calls)-1]
}

func sel(s string) state.Selector {
	parsed, err := state.ParseSelector(s)
	if err != nil {
		panic(err)
	}
	return parsed
}

// plant is a factory of a root, two gateways and three cells, one gateway lost.
func plant() *apitest.Factory {
	node := func(name, parent state.Name, role state.Role, r state.Readiness, since time.Duration, reason string, apps ...state.AppReport) state.NodeDetail {
		return state.NodeDetail{
			NodeView: state.NodeView{Name: name, ID: "12D3KooW" + state.NodeID(name), Role: role, Parent: parent, Readiness: r, Since: ago(since), Reason: reason},
			Report:   state.NodeReport{Head: state.Stamp{Epoch: 1, Number: 7}, Engine: state.EngineReport{Kind: "docker", Version: "20.10.24"}, Apps: apps},
		}
	}
	shop := func(s state.AppState) state.AppReport {
		return state.AppReport{App: "shop", Revision: 3, State: s, Since: ago(time.Minute)}
	}
	f := &apitest.Factory{Details: []state.NodeDetail{
		node("plant-7", "", state.RoleRoot, state.Ready, 50*time.Hour, ""),
		node("line-1", "plant-7", state.RoleGateway, state.Ready, 3*time.Hour, "", shop(state.AppReady)),
		node("press-1", "line-1", state.RoleCell, state.Ready, 3*time.Hour, "", shop(state.AppReady)),
		node("press-2", "line-1", state.RoleCell, state.Ready, 3*time.Hour, "", shop(state.AppFailed)),
		node("line-2", "plant-7", state.RoleGateway, state.NotReady, 12*time.Second, "silent for 4 s"),
		node("press-3", "line-2", state.RoleCell, state.Unknown, 12*time.Second, "line-2 is gone", shop(state.AppReady)),
	}}
	f.Details[2].Labels = map[string]string{"arch": "arm64", "hall": "2"}
	f.Details[2].Groups = []state.Name{"painting"}
	f.GroupList = []state.GroupView{{Name: "painting", Members: []state.Name{"press-1"}, Apps: []state.Name{"shop"}}}
	// Enough of the app for the tree; what it runs is for other tests.
	shopOn := state.AppDetail{AppView: state.AppView{Name: "shop", Revision: 3, Want: state.Run, Selector: sel("all")}}
	for _, n := range f.Details {
		for _, a := range n.Report.Apps {
			shopOn.On = append(shopOn.On, state.AppNode{Node: n.Name, State: a.State})
		}
	}
	f.AppList = []state.AppDetail{shopOn}
	return f
}
