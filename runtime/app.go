package runtime

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"pharos/runtime/compose"
	"pharos/state"
)

// app is the loop of one app. What its goroutine alone touches stands below
// the mutex's part.
type app struct {
	cfg    Config
	name   state.Name
	log    *slog.Logger
	engine func() (EngineInfo, error) // as the watcher last saw it

	wake chan struct{}
	done chan struct{} // closed when the loop has ended

	mu    sync.Mutex
	order state.Assignment
	kills []string // IDs of containers that were seen killed

	taken    state.Assignment // the order that the loop works on
	has      bool             // it has taken one
	unread   error            // why its project can't be read
	parsed   *types.Project
	project  string // its name on this engine
	want     *want
	mem      *memory
	busy     map[string]bool
	pulls    map[string]context.CancelFunc // by job key
	outcomes chan outcome
	jobs     sync.WaitGroup
	refresh  map[string]bool
	pull     map[string]bool
	lost     int // observations in a row that failed
	probes   *prober
	tails    map[string]tail // last log lines, by container ID
	reported *state.AppReport
	wasReady bool // under the order taken
}

// resync is how often an app is looked at when nothing happens.
const resync = 15 * time.Second

func newApp(cfg Config, name state.Name, engine func() (EngineInfo, error)) *app {
	a := &app{
		cfg: cfg, name: name, engine: engine,
		log:  cfg.Log.With("app", name),
		wake: make(chan struct{}, 1), done: make(chan struct{}),
		mem: newMemory(), busy: map[string]bool{}, pulls: map[string]context.CancelFunc{},
		outcomes: make(chan outcome, 16), tails: map[string]tail{},
	}
	a.probes = newProber(cfg.Engine, a.nudge)
	return a
}

// nudge makes the loop take a turn soon.
func (a *app) nudge() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// assign hands the loop an order.
func (a *app) assign(o state.Assignment) {
	a.mu.Lock()
	a.order = o
	a.mu.Unlock()
	a.nudge()
}

// killed notes that somebody killed or stopped a container.
func (a *app) killed(id string) {
	a.mu.Lock()
	a.kills = append(a.kills, id)
	a.mu.Unlock()
}

// run takes turns until ctx ends.
func (a *app) run(ctx context.Context) {
	defer close(a.done)
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		a.jobs.Wait()
		a.probes.wait()
	}()
	timer := time.NewTimer(resync)
	defer timer.Stop()
	for ctx.Err() == nil {
		next, gone := a.turn(ctx)
		if gone {
			a.rest(ctx)
			continue
		}
		timer.Reset(next)
		select {
		case <-ctx.Done():
		case <-a.wake:
		case <-timer.C:
		case o := <-a.outcomes:
			a.settle(o)
		}
	}
}

// rest waits, after an app was taken away, for an order that wants it back,
// and begins with an empty memory.
func (a *app) rest(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.wake:
		}
		a.mu.Lock()
		o := a.order
		a.mu.Unlock()
		if !same(o, a.taken) {
			break
		}
	}
	a.has, a.project, a.reported, a.wasReady = false, "", nil, false
	a.mem = newMemory()
}

// turn observes, plans, starts what can be done, and reports. It gives when to
// take the next one if nothing happens.
func (a *app) turn(ctx context.Context) (next time.Duration, gone bool) {
	a.take()
	for {
		select {
		case o := <-a.outcomes:
			a.settle(o)
			continue
		default:
		}
		break
	}
	info, err := a.engine()
	if err == nil {
		var seen observed
		if seen, err = observe(ctx, a.cfg.Engine, a.cfg.Node, a.name); err == nil {
			next, gone, err = a.reconcile(ctx, info, seen)
		}
	}
	if ctx.Err() != nil {
		return resync, false
	}
	if err != nil {
		a.lost++
		a.reportLost(err)
		return min(time.Duration(a.lost)*500*time.Millisecond, 5*time.Second), false
	}
	a.lost = 0
	return next, gone
}

// take takes in the newest order.
func (a *app) take() {
	a.mu.Lock()
	o, kills := a.order, a.kills
	a.kills = nil
	a.mu.Unlock()
	for _, id := range kills {
		a.mem.killed[id] = true
	}
	if a.has && same(o, a.taken) {
		return
	}
	first := !a.has
	a.taken, a.has, a.wasReady = o, true, false
	a.parsed, a.want, a.unread = nil, nil, nil
	a.mem.forgive()
	if o.Want == state.Run || len(o.Compose) > 0 {
		a.parsed, a.unread = compose.Parse(o.Compose)
	}
	// A new order may mean a newer image under the same name. After a start of
	// this process the orders are the old ones, and nothing may be replaced.
	a.refresh, a.pull = map[string]bool{}, map[string]bool{}
	keep := map[string]bool{}
	if a.parsed != nil && o.Want == state.Run {
		for _, s := range a.parsed.Services {
			keep[imageKey(s.Image)] = true
			a.refresh[s.Image] = !first
			if s.PullPolicy == types.PullPolicyAlways && !first {
				a.pull[s.Image] = true
			}
		}
	}
	for key, cancel := range a.pulls {
		if !keep[key] {
			cancel()
		}
	}
}

// reconcile plans from what was seen, starts the jobs and reports.
func (a *app) reconcile(ctx context.Context, info EngineInfo, seen observed) (time.Duration, bool, error) {
	a.mem.look(seen.containers, a.busy, seen.at)
	if a.taken.Want == state.Gone && len(seen.containers) == 0 && len(seen.networks) == 0 && len(a.busy) == 0 {
		a.unclaim(ctx)
		a.report(a.down(seen, nil))
		return 0, true, nil
	}
	p := a.planning(info, seen)
	if a.taken.Want != state.Run {
		jobs := p.planDown(a.taken.Want)
		a.mem.prune(jobs, a.busy)
		a.launch(ctx, jobs)
		a.report(a.down(seen, jobs))
		return a.nextTurn(seen), false, nil
	}
	if err := a.prepare(ctx, seen); err != nil {
		if a.unread != nil {
			a.report(a.unreadable(seen))
			return resync, false, nil //nolint:nilerr // told in the report: asking again changes nothing
		}
		return 0, false, err
	}
	if err := seen.observeNamed(ctx, a.cfg.Engine, a.want); err != nil {
		return 0, false, err
	}
	// Which images matter, only a plan knows: most turns need none.
	if refs := a.planning(info, seen).imagesInQuestion(); len(refs) > 0 {
		if err := seen.observeImages(ctx, a.cfg.Engine, refs); err != nil {
			return 0, false, err
		}
	}
	p = a.planning(info, seen)
	jobs := p.planRun()
	a.mem.prune(jobs, a.busy)
	a.launch(ctx, jobs)
	a.probes.look(ctx, seen)
	a.readTails(ctx, seen)
	a.report(a.up(p, jobs))
	return a.nextTurn(seen), false, nil
}

func (a *app) planning(info EngineInfo, seen observed) *planning {
	return &planning{
		node: a.cfg.Node, app: a.name, want: a.want, seen: seen, mem: a.mem, busy: a.busy,
		engine: info.Started, refresh: a.refresh, pull: a.pull,
	}
}

// prepare makes what is wanted out of the order, under the project's name on
// this engine.
func (a *app) prepare(ctx context.Context, seen observed) (err error) {
	if a.unread != nil {
		return a.unread
	}
	if a.want != nil {
		return nil
	}
	if a.project == "" {
		if a.project, err = a.projectName(ctx, seen); err != nil {
			return err
		}
	}
	a.want, a.unread = wanted(a.parsed, a.project)
	if a.unread != nil {
		return a.unread
	}
	a.adopt(seen)
	return nil
}

// adopt recognises an app that runs already: what is then not as wanted has
// become so, it is not still on its way up.
func (a *app) adopt(seen observed) {
	for _, s := range a.want.services {
		n := 0
		for _, c := range seen.containers {
			if of, _, ok := slotOf(c); ok && of == s.name && c.Labels[labelHash] == s.hash && !c.Started.IsZero() {
				n++
			}
		}
		if n < s.replicas {
			return
		}
	}
	a.wasReady = a.reported == nil
}

// nextTurn is when something is due, if nothing happens before.
func (a *app) nextTurn(seen observed) time.Duration {
	next := resync
	due := func(at time.Time) {
		if d := at.Sub(seen.at); d > 0 {
			next = min(next, max(d, time.Millisecond))
		}
	}
	for _, s := range a.mem.slots {
		due(s.next)
		if s.deaths > 0 && !s.started.IsZero() {
			due(s.started.Add(stableAfter))
		}
	}
	for _, f := range a.mem.failures {
		due(f.next)
	}
	if at := a.probes.next(); !at.IsZero() {
		due(at)
	}
	return next
}
