package runtime

import (
	"context"
	"log/slog"
	"sync"

	"pharos/state"
)

// Config is what a Runtime is made of.
type Config struct {
	Node   state.NodeID // value of the label pharos.node
	Name   state.Name   // for project names on a shared engine
	Engine Engine

	// Report is called on every change of an app's report, never concurrently
	// for one app. state.AppGone is the last one of an app.
	Report func(state.AppReport)
	// EngineReport is called when the engine stops or starts answering.
	EngineReport func(state.EngineReport)

	Log *slog.Logger // nil: slog's default
}

// check says what of a Config is missing.
func (c Config) check() error {
	bad := func(cause string) error {
		return &state.Problem{Kind: state.Invalid, Doing: "starting the runtime", Cause: cause}
	}
	switch {
	case c.Engine == nil:
		return bad("it has no engine")
	case c.Node == "" || c.Name == "":
		return bad("it has no node ID or name")
	}
	return nil
}

// Runtime runs the apps of one node.
type Runtime struct {
	cfg     Config
	invalid error
	watch   *watcher

	mu     sync.Mutex
	ctx    context.Context // of the loops; nil before Start
	cancel context.CancelFunc
	wanted []state.Assignment
	apps   map[state.Name]*running
	// leaving are loops of apps that are no longer assigned, until they end.
	leaving map[state.Name]<-chan struct{}
	loops   sync.WaitGroup
}

// running is an app's loop.
type running struct {
	app  *app
	stop context.CancelFunc
}

// New makes a Runtime. Nothing happens before Start.
func New(cfg Config) *Runtime {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Log = cfg.Log.With("room", "runtime")
	r := &Runtime{cfg: cfg, invalid: cfg.check(), apps: map[state.Name]*running{}, leaving: map[state.Name]<-chan struct{}{}}
	r.watch = newWatcher(cfg, r.event, r.nudgeAll)
	return r
}

// Start watches the engine and works on what is assigned, until Close or until
// ctx ends. An engine that does not answer is no error: it is reported, and
// tried again.
func (r *Runtime) Start(ctx context.Context) error {
	if r.invalid != nil {
		return r.invalid
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx != nil {
		return &state.Problem{Kind: state.Invalid, Doing: "starting the runtime", Cause: "it was started before"}
	}
	r.ctx, r.cancel = context.WithCancel(ctx)
	r.loops.Go(func() { r.watch.run(r.ctx) })
	r.apply()
	return nil
}

// Assign gives the whole set of what is wanted on this node, in place of the
// one before. It returns at once. An app that is missing now is left alone, as
// it is: only an order with state.Gone takes an app away.
func (r *Runtime) Assign(all []state.Assignment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wanted = append([]state.Assignment(nil), all...)
	if r.ctx != nil {
		r.apply()
	}
}

// Close stops working and waits until all has stopped. Containers go on
// running, untouched.
func (r *Runtime) Close() error {
	r.mu.Lock()
	if r.cancel == nil {
		r.ctx, r.cancel = context.WithCancel(context.Background())
	}
	r.cancel()
	r.mu.Unlock()
	r.loops.Wait()
	return nil
}

// apply starts, tells and stops loops. The caller holds mu.
func (r *Runtime) apply() {
	if r.ctx.Err() != nil {
		return
	}
	there := map[state.Name]bool{}
	for _, o := range r.wanted {
		there[o.App] = true
		if run := r.apps[o.App]; run != nil {
			run.app.assign(o)
			continue
		}
		r.begin(o)
	}
	for name, run := range r.apps {
		if !there[name] {
			run.stop()
			r.leaving[name] = run.app.done
			delete(r.apps, name)
		}
	}
}

// begin starts a loop for an app, once an earlier one of it has ended.
func (r *Runtime) begin(o state.Assignment) {
	ctx, stop := context.WithCancel(r.ctx)
	a := newApp(r.cfg, o.App, r.watch.engine)
	a.assign(o)
	r.apps[o.App] = &running{app: a, stop: stop}
	earlier := r.leaving[o.App]
	delete(r.leaving, o.App)
	r.loops.Go(func() {
		defer stop()
		if earlier != nil {
			<-earlier
		}
		a.run(ctx)
	})
}

// event wakes the loop that an event concerns.
func (r *Runtime) event(e Event) {
	if e.Type != "container" {
		// Networks and volumes don't say whose they are.
		r.nudgeAll()
		return
	}
	if e.Labels[LabelNode] != string(r.cfg.Node) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	run := r.apps[state.Name(e.Labels[LabelApp])]
	if run == nil {
		return
	}
	if e.Action == "kill" {
		if ends(e.Signal) {
			run.app.killed(e.ID)
		}
		return // what follows from it brings its own event
	}
	run.app.nudge()
}

// ends says that a signal is meant to end a program. Others are messages to it.
func ends(signal int) bool {
	switch signal {
	case 2, 3, 9, 15: // INT, QUIT, KILL, TERM
		return true
	}
	return false
}

func (r *Runtime) nudgeAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, run := range r.apps {
		run.app.nudge()
	}
}

// same says that two orders of an app are one.
func same(a, b state.Assignment) bool {
	return a.Stamp == b.Stamp && a.Want == b.Want && a.Revision == b.Revision
}
