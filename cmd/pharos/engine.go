package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"pharos/runtime"
	"pharos/runtime/docker"
	"pharos/runtime/simulated"
	"pharos/state"
)

// How long run waits for an engine that does not answer: a boot may start both
// at once. Later on the engine may come and go.
const (
	engineWithin = 5 * time.Second
	engineEvery  = 250 * time.Millisecond
)

// engine is a container engine that run can close.
type engine interface {
	runtime.Engine
	io.Closer
}

// dialEngine gives the engine that --engine names, once it answers.
func dialEngine(ctx context.Context, where string, log *slog.Logger) (engine, error) {
	if where == simulatedEngine {
		return simulated.New(simulated.Config{}), nil
	}
	e, err := docker.New(where, log)
	if err != nil {
		return nil, noEngine(where, err)
	}
	if err := answers(ctx, e, where, engineWithin); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// answers waits until an engine says who it is.
func answers(ctx context.Context, e interface {
	Info(context.Context) (runtime.EngineInfo, error)
}, where string, within time.Duration,
) error {
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	again := time.NewTicker(engineEvery)
	defer again.Stop()
	var last error
	for {
		_, err := e.Info(limited)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case last == nil || limited.Err() == nil: // the one of our own deadline says less
			last = err
		}
		select {
		case <-limited.Done():
			return noEngine(where, fmt.Errorf("%w (tried for %s)", last, within))
		case <-again.C:
		}
	}
}

func noEngine(where string, err error) error {
	return state.Because(state.Unable, "looking for a Docker Engine at "+where, err,
		"start it, name another socket with --engine unix://…, or try Pharos without one: --engine simulated")
}
