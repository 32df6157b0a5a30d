// Package simulated is a container engine in memory. It behaves like Docker
// where package runtime looks: events, health, exits, restart policies, labels,
// names that are taken, ports that are taken, pulls that take their time.
//
// It serves where no Docker is, and in tests: it uses package time alone, so
// that it runs on the fake clock of testing/synctest, and its goroutines end
// with Close. Failures are injected through its handles (handles.go).
//
// A container of the test image specimen does here what its command asks for
// there (behaviour.go). Everything else runs until it is stopped.
package simulated

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"pharos/runtime"
)

// Config says how the engine behaves. The zero value is a quick engine.
type Config struct {
	Images []string // there from the beginning, without a pull

	PullTime   time.Duration // default 500 ms
	CreateTime time.Duration // default 10 ms
	StartTime  time.Duration // default 50 ms
	StopTime   time.Duration // default 50 ms; how long programs take to end

	HealthyAfter time.Duration // default: the health check's interval, or 1 s

	// Behave overrides what a container's program does.
	Behave func(runtime.ContainerSpec) Behaviour
}

// Engine implements runtime.Engine.
type Engine struct {
	cfg Config

	mu         sync.Mutex
	rand       *rand.Rand
	started    time.Time
	down       bool
	hung       chan struct{} // closed when it answers again; nil: it answers
	containers map[string]*container
	networks   map[string]runtime.Network
	volumes    map[string]runtime.Volume
	images     map[string]runtime.Image
	failing    map[string]error         // pulls
	hanging    map[string]chan struct{} // pulls that never move
	mute       map[string]bool          // container IDs whose ports answer nobody
	streams    map[*stream]bool
	calls      []string
	closed     chan struct{}
	work       sync.WaitGroup
}

type stream struct {
	ready chan struct{}
	queue []runtime.Event
	done  chan struct{} // closed when the engine goes down
}

// New makes an engine. Close ends its goroutines.
func New(cfg Config) *Engine {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&cfg.PullTime, 500*time.Millisecond)
	def(&cfg.CreateTime, 10*time.Millisecond)
	def(&cfg.StartTime, 50*time.Millisecond)
	def(&cfg.StopTime, 50*time.Millisecond)
	if cfg.Behave == nil {
		cfg.Behave = Specimen
	}
	e := &Engine{
		cfg: cfg, rand: rand.New(rand.NewPCG(1, 2)), started: time.Now(),
		containers: map[string]*container{}, networks: map[string]runtime.Network{}, volumes: map[string]runtime.Volume{},
		images: map[string]runtime.Image{}, failing: map[string]error{}, hanging: map[string]chan struct{}{},
		mute: map[string]bool{}, streams: map[*stream]bool{}, closed: make(chan struct{}),
	}
	for _, ref := range cfg.Images {
		e.images[ref] = runtime.Image{ID: e.id()}
	}
	return e
}

// Close ends the engine's goroutines. Every call fails from now on.
func (e *Engine) Close() error {
	e.mu.Lock()
	select {
	case <-e.closed:
	default:
		close(e.closed)
	}
	e.down = true
	e.breakStreams()
	e.mu.Unlock()
	e.work.Wait()
	return nil
}

// id makes 64 hex digits, the same ones in the same order every time.
func (e *Engine) id() string {
	return fmt.Sprintf("%016x%016x%016x%016x", e.rand.Uint64(), e.rand.Uint64(), e.rand.Uint64(), e.rand.Uint64())
}

// call begins a call: it waits while the engine hangs, fails while it is down,
// and takes its time. It comes back holding mu, unless it fails.
func (e *Engine) call(ctx context.Context, what string, takes time.Duration) error {
	e.mu.Lock()
	for e.hung != nil {
		hung := e.hung
		e.mu.Unlock()
		select {
		case <-hung:
		case <-e.closed:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", runtime.ErrUnreachable, ctx.Err())
		}
		e.mu.Lock()
	}
	if what != "" {
		e.calls = append(e.calls, what)
	}
	if takes > 0 && !e.down {
		e.mu.Unlock()
		if err := e.sleep(ctx, takes); err != nil {
			return err
		}
		e.mu.Lock()
	}
	if e.down {
		e.mu.Unlock()
		return fmt.Errorf("%w: it is stopped", runtime.ErrUnreachable)
	}
	if err := ctx.Err(); err != nil {
		e.mu.Unlock()
		return err
	}
	return nil
}

func (e *Engine) sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-e.closed:
		return runtime.ErrUnreachable
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Info implements runtime.Engine.
func (e *Engine) Info(ctx context.Context) (runtime.EngineInfo, error) {
	if err := e.call(ctx, "", 0); err != nil {
		return runtime.EngineInfo{}, err
	}
	defer e.mu.Unlock()
	return runtime.EngineInfo{Kind: "simulated", Version: "1.0", Started: e.started}, nil
}

// Events implements runtime.Engine.
func (e *Engine) Events(ctx context.Context, subscribed func(), each func(runtime.Event)) error {
	if err := e.call(ctx, "", 0); err != nil {
		return err
	}
	s := &stream{ready: make(chan struct{}, 1), done: make(chan struct{})}
	e.streams[s] = true
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		delete(e.streams, s)
		e.mu.Unlock()
	}()
	subscribed()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.done:
			return fmt.Errorf("%w: its stream of events broke", runtime.ErrUnreachable)
		case <-s.ready:
		}
		e.mu.Lock()
		queue := s.queue
		s.queue = nil
		e.mu.Unlock()
		for _, ev := range queue {
			each(ev)
		}
	}
}

// emit sends an event to all streams. The caller holds mu.
func (e *Engine) emit(ev runtime.Event) {
	for s := range e.streams {
		s.queue = append(s.queue, ev)
		select {
		case s.ready <- struct{}{}:
		default:
		}
	}
}

func (e *Engine) breakStreams() {
	for s := range e.streams {
		close(s.done)
		delete(e.streams, s)
	}
}

func matches(have, want map[string]string) bool {
	for k, v := range want {
		if have[k] != v {
			return false
		}
	}
	return true
}

var _ runtime.Engine = (*Engine)(nil)
