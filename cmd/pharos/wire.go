package main

import (
	"context"
	"errors"
	"io"
	"slices"

	"pharos/runtime"
	"pharos/runtime/compose"
	"pharos/state"
	"pharos/tiers"
)

// realRooms are the rooms as they are. This file and engine.go are all that
// the commands know of them.
func realRooms() rooms {
	return rooms{initRoot: tiers.InitRoot, join: join, load: load, open: open}
}

func join(ctx context.Context, how joining) (state.Certificate, error) {
	return tiers.Join(ctx, tiers.JoinConfig{Data: how.data, Token: how.token, MDNS: how.mdns, Log: how.log})
}

func load(ctx context.Context, files []string, name string, stdin io.Reader) (project, error) {
	l, err := compose.Load(ctx, files, name, stdin)
	return project{name: l.App, compose: l.Compose, warnings: l.Warnings}, err
}

// open puts a node together. Ctx ends the wait for its engine, not the node.
func open(ctx context.Context, how opening) (node, error) {
	n, err := tiers.Open(ctx, tiers.Config{
		Data: how.data, Listen: how.listen, MDNS: how.mdns, Log: how.log, Version: version(),
		Runtime: func(life context.Context, cert state.Certificate, to tiers.Reporter) (tiers.Runtime, error) {
			e, err := dialEngine(ctx, how.engine, how.log)
			if err != nil {
				return nil, err
			}
			apps := appRunner{engine: e, Runtime: runtime.New(runtime.Config{
				Node: cert.ID, Name: cert.Name, Engine: e, Report: to.App, EngineReport: to.Engine, Log: how.log,
			})}
			if err := apps.Start(life); err != nil {
				return nil, errors.Join(err, apps.Close())
			}
			return apps, nil
		},
		Plan: runtime.PlanFrom, Images: images,
	})
	if err != nil {
		return nil, err // not n: a nil *tiers.Node would be a node
	}
	return n, nil
}

// appRunner is a runtime that takes its engine with it when it is closed.
type appRunner struct {
	*runtime.Runtime
	engine engine
}

// Close stops the runtime first: it uses the engine to its end.
func (a appRunner) Close() error { return errors.Join(a.Runtime.Close(), a.engine.Close()) }

// images lists the images that a project names, by name.
func images(project []byte) []string {
	p, err := compose.Parse(project)
	if err != nil {
		return nil // it is an old revision's, which this version can't read
	}
	var out []string
	for _, s := range p.Services {
		out = append(out, s.Image)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
