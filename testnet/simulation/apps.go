package simulation

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"pharos/state"
	"pharos/tiers"
)

// Apps is a machine's apps, pretended: whatever is assigned is Ready at once.
// It outlives the node's process, as containers do, and keeps a history of
// what was applied for the promises to be checked against.
type Apps struct {
	mu      sync.Mutex
	running map[state.Name]state.Assignment
	applied []state.Assignment // every change, in order
	broken  []string           // promises that did not hold
	engine  func(state.EngineReport)
	held    *[]func() // reports that wait, while they are held
}

// NewApps makes a machine without apps.
func NewApps() *Apps { return &Apps{running: map[state.Name]state.Assignment{}} }

// Runtime is for tiers.Config: it starts with what runs already.
func (a *Apps) Runtime(_ context.Context, _ state.Certificate, r tiers.Reporter) (tiers.Runtime, error) {
	r.Engine(state.EngineReport{Kind: "pretended"})
	a.mu.Lock()
	defer a.mu.Unlock()
	a.engine = r.Engine
	for _, was := range a.running {
		r.App(report(was))
	}
	return &process{a: a, r: r}, nil
}

// process is the runtime of one start of the node.
type process struct {
	a *Apps
	r tiers.Reporter
}

func (p *process) Close() error { return nil }

func (p *process) Assign(all []state.Assignment) {
	var reports []state.AppReport
	p.a.mu.Lock()
	for _, next := range all {
		was, has := p.a.running[next.App]
		if has && next.Stamp.Before(was.Stamp) {
			p.a.broken = append(p.a.broken, fmt.Sprintf("app %s went back from %s to %s", next.App, was.Stamp, next.Stamp))
		}
		if has && was.Stamp == next.Stamp && was.Want == next.Want || !has && next.Want == state.Gone {
			continue
		}
		p.a.applied = append(p.a.applied, next)
		if next.Want == state.Gone {
			delete(p.a.running, next.App)
		} else {
			p.a.running[next.App] = next
		}
		reports = append(reports, report(next))
	}
	held := p.a.held
	if held != nil {
		for _, r := range reports {
			*held = append(*held, func() { p.r.App(r) })
		}
	}
	p.a.mu.Unlock()
	if held != nil {
		return
	}
	for _, r := range reports {
		p.r.App(r)
	}
}

func report(a state.Assignment) state.AppReport {
	s := map[state.Want]state.AppState{state.Run: state.AppReady, state.Stopped: state.AppStopped, state.Gone: state.AppGone}[a.Want]
	return state.AppReport{App: a.App, Revision: a.Revision, Stamp: a.Stamp, State: s, Since: time.Now()}
}

// HoldReports keeps back what the machine would report of its apps, until
// release is called, which reports it all, in order.
func (a *Apps) HoldReports() (release func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	held := &[]func(){}
	a.held = held
	return func() {
		a.mu.Lock()
		a.held = nil
		a.mu.Unlock()
		for _, report := range *held {
			report()
		}
	}
}

// Break makes the engine fail with a problem; "" mends it.
func (a *Apps) Break(problem string) {
	a.mu.Lock()
	engine := a.engine
	a.mu.Unlock()
	engine(state.EngineReport{Kind: "pretended", Problem: problem})
}

// Running gives the revision of each app that runs, stopped ones included.
func (a *Apps) Running() map[state.Name]uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := map[state.Name]uint64{}
	for name, as := range a.running {
		out[name] = as.Revision
	}
	return out
}

// Applied gives every change that was applied, in order.
func (a *Apps) Applied() []state.Assignment {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.applied)
}

// Broken gives the promises that did not hold here.
func (a *Apps) Broken() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.broken)
}

// Plan is a planner for pretended apps: one container per app.
func Plan(_ []byte, app state.Name, _ state.Want, reported *state.AppReport) (state.Plan, error) {
	if reported != nil {
		return state.Plan{}, nil
	}
	return state.Plan{Actions: []state.Action{{Verb: state.Create, What: "container", Name: string(app), Cause: "it is new"}}}, nil
}
