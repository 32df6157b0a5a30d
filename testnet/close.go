package testnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"pharos/state"
)

// Bounds of the clean-up.
const (
	closeWithin   = 90 * time.Second
	removalWithin = 20 * time.Second // of one app, everywhere
)

// Close takes everything of the factory off this machine: apps, processes,
// what is left on the engine, and the folder. It does all it can and then says
// what failed. It can be called twice.
func (f *Factory) Close(ctx context.Context) error {
	if f.removed {
		return nil
	}
	f.removed = true
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
	defer cancel()
	// The apps first, by ordering so: nobody else knows what they consist of.
	// What a dead node holds on to is swept off the engine below.
	f.removeApps(ctx)
	errs := append(f.all((*Node).Stop), f.sweep(ctx))
	for _, n := range f.order {
		n.client.Close()
	}
	if f.ownDir != "" {
		errs = append(errs, os.RemoveAll(f.ownDir))
	}
	return errors.Join(errs...)
}

// all does something to every node at the same time.
func (f *Factory) all(do func(*Node) error) []error {
	errs := make([]error, len(f.order))
	var wait sync.WaitGroup
	for i, n := range f.order {
		wait.Go(func() { errs[i] = do(n) })
	}
	wait.Wait()
	return errs
}

func (f *Factory) removeApps(ctx context.Context) {
	if len(f.order) == 0 || !f.order[0].Running() {
		return
	}
	apps, err := f.order[0].client.Apps(ctx)
	if err != nil {
		f.note("can't ask the root for its apps: %v", err)
		return
	}
	var wait sync.WaitGroup
	for _, a := range apps {
		wait.Go(func() {
			r := f.Pharos(ctx, f.order[0].Name, "app", "rm", string(a.Name), "--timeout", removalWithin.String(), "--progress", "quiet")
			// Exit code 4: nodes that are dead keep theirs, for sweep.
			if err := r.Err(); err != nil && r.Exit != 4 {
				f.note("removing %s: %v", a.Name, err)
			}
		})
	}
	wait.Wait()
}

// labelNode is on every container, network and volume that a node makes; its
// value is the node's ID.
const labelNode = "pharos.node"

// sweep removes what bears the label of one of the factory's nodes and is on
// the engine still: volumes, which `app rm` keeps on purpose, and what nodes
// that are dead could not remove.
func (f *Factory) sweep(ctx context.Context) error {
	if f.cfg.Engine == SimulatedEngine {
		return nil
	}
	var errs []error
	for _, kind := range []struct{ list, remove []string }{
		{[]string{"container", "ls", "--all", "--quiet", "--no-trunc"}, []string{"container", "rm", "--force", "--volumes"}},
		{[]string{"network", "ls", "--quiet", "--no-trunc"}, []string{"network", "rm"}},
		{[]string{"volume", "ls", "--quiet"}, []string{"volume", "rm"}},
	} {
		var left []string
		for _, n := range f.order {
			found, err := f.Docker(ctx, append(slices.Clone(kind.list), "--filter", "label="+labelNode+"="+string(n.ID))...)
			if err != nil {
				errs = append(errs, err)
				break // the others would fail alike
			}
			left = append(left, found...)
		}
		slices.Sort(left)
		if left = slices.Compact(left); len(left) > 0 {
			_, err := f.Docker(ctx, append(slices.Clone(kind.remove), left...)...)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// tellLogs writes the end of every node's log, for a factory that failed.
func (f *Factory) tellLogs() {
	for _, n := range f.order {
		f.note("--- the end of the log of %s:\n%s", n.Name, n.LogTail(15))
	}
}

// Leftovers says what of these nodes is on the engine: for tests of Close.
func (f *Factory) Leftovers(ctx context.Context, ids ...state.NodeID) ([]string, error) {
	var out []string
	for _, id := range ids {
		for _, kind := range []string{"container", "network", "volume"} {
			args := []string{kind, "ls", "--quiet", "--filter", "label=" + labelNode + "=" + string(id)}
			if kind == "container" {
				args = append(args, "--all")
			}
			found, err := f.Docker(ctx, args...)
			if err != nil {
				return nil, err
			}
			for _, what := range found {
				out = append(out, fmt.Sprintf("%s %s", kind, what))
			}
		}
	}
	return out, nil
}
