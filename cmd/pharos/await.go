package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pharos/cmd/pharos/api"
	"pharos/state"
)

// goal is what is waited for: an order that an anchor has accepted.
type goal struct {
	app      state.Name
	revision uint64
	want     state.Want
	nodes    []state.Name // that the order names
	stamp    state.Stamp  // of the order: a report that is older says nothing of it
	standing bool         // nothing was ordered now: the order was there before
}

// picture is how far the goal is, node by node. Each node stands in one list.
type picture struct {
	done    []state.AppNode
	off     []state.AppNode // not as wanted, and not reached: the order waits for them
	failed  []state.AppNode
	going   []state.AppNode
	instead string // what another order wants meanwhile, if one came
}

func (p picture) all() [][]state.AppNode {
	return [][]state.AppNode{p.done, p.off, p.failed, p.going}
}

// total is the number of nodes.
func (p picture) total() int { return len(p.done) + len(p.off) + len(p.failed) + len(p.going) }

// settled says that nothing more is to be expected soon.
func (p picture) settled() bool { return len(p.going) == 0 || p.instead != "" }

// look judges an app as an anchor shows it.
func (g goal) look(d state.AppDetail) picture {
	var p picture
	switch {
	case d.Revision > g.revision:
		p.instead = fmt.Sprintf("revision %d", d.Revision)
	case d.Revision == g.revision && d.Want != g.want:
		p.instead = fmt.Sprintf("%q", d.Want)
	}
	seen := map[state.Name]bool{}
	for _, n := range d.On {
		seen[n.Node] = true
		switch {
		case d.Revision < g.revision: // the picture is older than the order
			p.going = append(p.going, n)
		case n.Done:
			p.done = append(p.done, n)
		case n.Readiness != state.Ready:
			p.off = append(p.off, n)
		case g.failed(n):
			p.failed = append(p.failed, n)
		default:
			p.going = append(p.going, n)
		}
	}
	for _, name := range g.nodes {
		n := state.AppNode{Node: name, State: state.AppPending, Readiness: state.Ready}
		switch {
		case seen[name]:
		case d.Revision < g.revision:
			p.going = append(p.going, n)
		default: // not meant any more: it has nothing left of the app
			n.State, n.Done = state.AppGone, true
			p.done = append(p.done, n)
		}
	}
	return p
}

// failed says that the node failed at this order, not at one before it.
func (g goal) failed(n state.AppNode) bool { return n.State == state.AppFailed && g.heard(n) }

// heard says that what the node reports is its answer to this order.
func (g goal) heard(n state.AppNode) bool {
	return n.Revision == g.revision && !n.Stamp.Before(g.stamp)
}

var errWaitOver = errors.New("the time to wait is over")

// ending is how waiting ended, in exit codes and in words.
type ending struct {
	code int
	word string // "converged", "failed", "going on", "partly", "interrupted", "replaced"
}

func (p picture) ending(cause error) ending {
	switch {
	case errors.Is(cause, context.Canceled):
		return ending{exitInterrupted, "interrupted"}
	case p.instead != "":
		return ending{exitFailed, "replaced"}
	case len(p.failed) > 0:
		return ending{exitFailed, "failed"}
	case len(p.going) > 0:
		return ending{exitGoingOn, "going on"}
	case len(p.off) > 0:
		return ending{exitPartly, "partly"}
	}
	return ending{exitDone, "converged"}
}

// errHeld ends a wait whose good end has lasted.
var errHeld = errors.New("it is so, and stayed so")

// waiting is how a goal is waited for.
type waiting struct {
	limit time.Duration // at most; 0: no limit
	hold  time.Duration // how long a good end must last, where no health check vouches for it
	show  func(picture)
}

// await follows a goal until it is settled, the time is over or ctx is
// cancelled. The error is that of a daemon that can't be followed.
func await(ctx context.Context, client *api.Client, g goal, w waiting) (picture, ending, error) {
	if w.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, w.limit, errWaitOver)
		defer cancel()
	}
	last := g.look(state.AppDetail{}) // until the first look all is going on
	err := errHeld
	for errors.Is(err, errHeld) && !last.settled() { // it may have moved in the moment it was held
		last, err = followOnce(ctx, client, g, w, last)
	}
	if errors.Is(err, errHeld) {
		err = nil
	}
	var problem *state.Problem
	switch {
	case err == nil, errors.Is(err, errWaitOver), errors.Is(err, context.Canceled):
		return last, last.ending(err), nil
	case g.want == state.Gone && errors.As(err, &problem) && problem.Kind == state.NotFound:
		parents := map[state.Name]state.Name{}
		for n := range last.each {
			parents[n.Node] = n.Parent
		}
		last = picture{done: last.done}
		for _, n := range g.nodes { // the anchor has forgotten the app: nobody has it any more
			last.done = append(last.done, state.AppNode{Node: n, Parent: parents[n], State: state.AppGone, Done: true, Readiness: state.Ready})
		}
		last.done = unique(last.done)
		w.show(last)
		return last, last.ending(nil), nil
	}
	return last, ending{exitBad, "unknown"}, err
}

// followOnce follows until the goal is settled or held (errHeld).
func followOnce(ctx context.Context, client *api.Client, g goal, w waiting, last picture) (picture, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var held *time.Timer
	stop := func() {
		if held != nil {
			held.Stop()
			held = nil
		}
	}
	defer stop()
	err := client.Follow(ctx, g.app, func(d state.AppDetail) error {
		last = g.look(d)
		w.show(last)
		switch {
		case !last.settled():
			stop()
		case w.hold == 0 || !g.mayCrash(last):
			return api.ErrEnough
		case held == nil:
			held = time.AfterFunc(w.hold, func() { cancel(errHeld) })
		}
		return nil
	})
	return last, err
}

// mayCrash says that a good end may not last: a container without a health
// check counts as well from the moment it is started, and may die in the next.
func (g goal) mayCrash(p picture) bool {
	if g.want != state.Run || g.standing || p.instead != "" || len(p.failed) > 0 {
		return false
	}
	for _, n := range p.done {
		for _, s := range n.Services {
			if s.State == "running" && s.Health == "" {
				return true
			}
		}
	}
	return false
}

func unique(nodes []state.AppNode) []state.AppNode {
	seen := map[state.Name]bool{}
	var out []state.AppNode
	for _, n := range nodes {
		if !seen[n.Node] {
			seen[n.Node] = true
			out = append(out, n)
		}
	}
	return out
}
