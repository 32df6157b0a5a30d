package runtime

import (
	"context"
	"errors"
	"sync"
	"time"

	"pharos/state"
)

// watcher listens to the engine's events, again and again, and knows whether
// the engine answers.
type watcher struct {
	cfg     Config
	event   func(Event)
	changed func() // the engine was found again: everything may have changed

	mu       sync.Mutex
	info     EngineInfo
	err      error
	reported *state.EngineReport
}

var errNotAsked = errors.New("the container engine was not asked yet")

func newWatcher(cfg Config, event func(Event), changed func()) *watcher {
	return &watcher{cfg: cfg, event: event, changed: changed, err: errNotAsked}
}

// engine gives who the engine is, as last seen, or why that is not known.
func (w *watcher) engine() (EngineInfo, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.info, w.err
}

// run watches until ctx ends. Between tries it pauses 0.2 s growing to 5 s.
func (w *watcher) run(ctx context.Context) {
	for tries := 0; ctx.Err() == nil; tries++ {
		info, err := w.ask(ctx)
		if err == nil {
			err = w.listen(ctx, info)
			if w.answers() {
				tries = 0
			}
			if err == nil {
				err = errors.New("the engine ended its stream of events")
			}
			// A stream may break while the engine lives on.
			if _, again := w.ask(ctx); again == nil {
				err = nil
			}
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			w.lost(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(min(200*time.Millisecond<<min(tries, 10), 5*time.Second)):
		}
	}
}

// askAgain is how often an engine whose events come is asked whether it still
// answers: one that hangs keeps its stream open.
const askAgain = 10 * time.Second

// listen hears events until their stream breaks.
func (w *watcher) listen(ctx context.Context, info EngineInfo) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	subscribed, broken := make(chan struct{}), make(chan error, 1)
	go func() {
		broken <- w.cfg.Engine.Events(ctx, func() { close(subscribed) }, w.event)
	}()
	select {
	case err := <-broken:
		return err
	case <-subscribed:
		w.found(info)
	}
	tick := time.NewTicker(askAgain)
	defer tick.Stop()
	for {
		select {
		case err := <-broken:
			return err
		case <-tick.C:
		}
		info, err := w.ask(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			w.lost(err)
		case !w.answers():
			w.found(info)
		}
	}
}

// answers says whether the engine did, when last asked.
func (w *watcher) answers() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reported != nil && w.reported.Problem == ""
}

func (w *watcher) ask(ctx context.Context) (EngineInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return w.cfg.Engine.Info(ctx)
}

func (w *watcher) found(info EngineInfo) {
	w.mu.Lock()
	w.info, w.err = info, nil
	w.mu.Unlock()
	w.report(state.EngineReport{Kind: info.Kind, Version: info.Version})
	w.changed()
}

func (w *watcher) lost(err error) {
	p := state.Because(state.Unable, "asking the container engine", err, "start it; apps that run go on running")
	w.mu.Lock()
	if w.info.Kind == "" {
		w.err = p
	}
	info := w.info
	first := w.reported == nil || w.reported.Problem == ""
	w.mu.Unlock()
	w.report(state.EngineReport{Kind: info.Kind, Version: info.Version, Problem: state.Clip(p.Error(), state.MaxReason)})
	if first {
		w.changed()
	}
}

// report hands on what changed. Only the watcher's own goroutine calls it.
func (w *watcher) report(r state.EngineReport) {
	if w.reported != nil && *w.reported == r {
		return
	}
	if r.Problem != "" {
		w.cfg.Log.Warn("the container engine does not answer", "problem", r.Problem)
	} else {
		w.cfg.Log.Info("the container engine answers", "kind", r.Kind, "version", r.Version)
	}
	w.mu.Lock()
	w.reported = &r
	w.mu.Unlock()
	if w.cfg.EngineReport != nil {
		w.cfg.EngineReport(r)
	}
}
