package runtime

import (
	"context"
	"strconv"
	"sync"
	"time"
)

// A running, healthy container may answer nobody: an engine that was restarted
// may have lost its published ports. So each published TCP port is tried from
// the host.
const (
	probeGrace = 10 * time.Second       // how long a start may take to the first answer
	probeSoon  = 100 * time.Millisecond // between the first tries; then a quarter of the time so far
	probeSlow  = 2 * time.Second        // at most, while nobody answers
	probeAgain = 15 * time.Second       // between tries once somebody does
)

type probed struct {
	run      time.Time // start of the container's run
	answered bool      // in this run
	ok       bool      // at the last try
	last     time.Time
	trying   bool
}

// prober tries the ports of one app, beside its loop.
type prober struct {
	engine Engine
	nudge  func()
	tries  sync.WaitGroup

	mu    sync.Mutex
	ports map[string]*probed // by container and port
}

func newProber(e Engine, nudge func()) *prober {
	return &prober{engine: e, nudge: nudge, ports: map[string]*probed{}}
}

func portKey(c Container, p Port) string {
	return c.ID + " " + p.HostIP + ":" + strconv.Itoa(int(p.HostPort))
}

// look starts the tries that are due.
func (pr *prober) look(ctx context.Context, seen observed) {
	pr.mu.Lock()
	defer pr.mu.Unlock()
	there := map[string]bool{}
	for _, c := range seen.containers {
		if c.State != "running" {
			continue
		}
		for _, port := range c.Ports {
			if port.Protocol != "tcp" || port.HostPort == 0 {
				continue
			}
			key := portKey(c, port)
			there[key] = true
			p := pr.ports[key]
			if p == nil || !p.run.Equal(c.Started) {
				p = &probed{run: c.Started}
				pr.ports[key] = p
			}
			if !p.trying && !seen.at.Before(p.due()) {
				p.trying = true
				pr.tries.Go(func() { pr.try(ctx, p, port) })
			}
		}
	}
	for key := range pr.ports {
		if !there[key] {
			delete(pr.ports, key)
		}
	}
}

func (p *probed) due() time.Time {
	if p.ok {
		return p.last.Add(probeAgain)
	}
	return p.last.Add(min(max(probeSoon, p.last.Sub(p.run)/4), probeSlow))
}

func (pr *prober) try(ctx context.Context, p *probed, port Port) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	err := pr.engine.Answers(ctx, port)
	pr.mu.Lock()
	changed := p.ok != (err == nil) || p.last.IsZero()
	p.ok, p.last, p.trying = err == nil, time.Now(), false
	p.answered = p.answered || p.ok
	pr.mu.Unlock()
	if changed {
		pr.nudge()
	}
}

// next is when a try is due, zero when none is.
func (pr *prober) next() (at time.Time) {
	pr.mu.Lock()
	defer pr.mu.Unlock()
	for _, p := range pr.ports {
		if d := p.due(); !p.trying && (at.IsZero() || d.Before(at)) {
			at = d
		}
	}
	return at
}

// silent names a port of the container that does not answer, and says whether
// it may still come.
func (pr *prober) silent(c Container, now time.Time) (port Port, starting, found bool) {
	pr.mu.Lock()
	defer pr.mu.Unlock()
	for _, port := range c.Ports {
		if port.Protocol != "tcp" || port.HostPort == 0 {
			continue
		}
		p := pr.ports[portKey(c, port)]
		if p == nil || p.ok {
			continue
		}
		// One that has been up for long is not doubted before it was tried.
		if p.last.IsZero() && now.Sub(c.Started) > probeGrace {
			continue
		}
		return port, !p.answered && now.Sub(c.Started) < probeGrace, true
	}
	return Port{}, false, false
}

func (pr *prober) wait() { pr.tries.Wait() }
