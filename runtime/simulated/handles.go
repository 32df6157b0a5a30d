package simulated

import (
	"maps"
	"slices"
	"time"

	"pharos/runtime"
)

// Kill ends a container's program as kill -9 from the host does: Docker's
// restart policy stays on. The container is named by its name or ID.
func (e *Engine) Kill(name string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(name)
	if err == nil {
		e.die(c, 137)
	}
	return err
}

// DockerKill does what `docker kill` does: the restart policy is off then.
func (e *Engine) DockerKill(name string) error { return e.byHand(name, 9, 137) }

// DockerStop does what `docker stop` does to a program that ends well.
func (e *Engine) DockerStop(name string) error { return e.byHand(name, 15, 0) }

func (e *Engine) byHand(name string, signal, code int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(name)
	if err != nil {
		return err
	}
	c.stopped = true
	e.emitOf(c, "kill", signal)
	e.die(c, code)
	return nil
}

// DockerRemove does what `docker rm -f` does.
func (e *Engine) DockerRemove(name string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(name)
	if err != nil {
		return err
	}
	c.stopped = true
	e.emitOf(c, "kill", 9)
	e.die(c, 137)
	c.run++
	delete(e.containers, c.c.ID)
	e.emitOf(c, "destroy", 0)
	return nil
}

// Exit ends a container's program with a code of its own.
func (e *Engine) Exit(name string, code int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(name)
	if err == nil {
		e.die(c, code)
	}
	return err
}

// FailPull makes pulls of an image fail; a nil err lets them succeed again.
func (e *Engine) FailPull(ref string, fail bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.failing, ref)
	if fail {
		e.failing[ref] = errPull
	}
}

// HangPull makes pulls of an image stand still until it is called with false.
func (e *Engine) HangPull(ref string, hang bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if old := e.hanging[ref]; old != nil {
		close(old)
		delete(e.hanging, ref)
	}
	if hang {
		e.hanging[ref] = make(chan struct{})
	}
}

// AddImage puts an image there, in place of one with that name.
func (e *Engine) AddImage(ref string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.images[ref] = runtime.Image{ID: e.id()}
}

// Mute makes a container's published ports answer nobody.
func (e *Engine) Mute(name string, mute bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(name)
	if err == nil {
		e.mute[c.c.ID] = mute
	}
	return err
}

// Down stops the engine: calls fail, streams break. With its containers, as
// when it is stopped in order (they end with code 0), or without (live-restore).
func (e *Engine) Down(withContainers bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = true
	e.breakStreams()
	for _, c := range e.containers {
		if withContainers && (c.c.State == "running" || c.c.State == "restarting") {
			c.run++
			c.c.State, c.c.Finished, c.c.ExitCode = "exited", time.Now(), 0
		}
	}
}

// Up starts an engine that is down. It starts nothing by itself.
func (e *Engine) Up() {
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-e.closed:
		return
	default:
	}
	e.down, e.started = false, time.Now()
}

// Hang makes every call wait until it is called with false.
func (e *Engine) Hang(hang bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.hung != nil {
		close(e.hung)
		e.hung = nil
	}
	if hang {
		e.hung = make(chan struct{})
	}
}

// BreakStreams breaks every stream of events. The engine lives on.
func (e *Engine) BreakStreams() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.breakStreams()
}

// Calls gives the changing calls made so far: "create shop-web-1", "pull …".
func (e *Engine) Calls() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.calls)
}

// All gives every container, by name.
func (e *Engine) All() map[string]runtime.Container {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := map[string]runtime.Container{}
	for _, c := range e.containers {
		out[c.c.Name] = c.view()
	}
	return maps.Clone(out)
}
