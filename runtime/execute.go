package runtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pharos/state"
)

// How long the engine may take. A pull may take any time as long as it moves.
const (
	changeTimeout = 60 * time.Second
	stopGrace     = 10 * time.Second // Docker's default
	pullStalls    = 60 * time.Second
)

// outcome is how a job went.
type outcome struct {
	job  job
	did  int // steps done
	err  error
	step state.Action // that failed
}

// execute does a job's steps, in order, up to the first that must wait. It
// decides nothing.
func execute(ctx context.Context, e Engine, j job) outcome {
	out := outcome{job: j}
	id := ""
	for _, s := range j.steps {
		if s.wait != "" {
			return out
		}
		if id != "" {
			s.id = id
		}
		made, err := do(ctx, e, s)
		if err != nil {
			out.err, out.step = err, s.Action
			return out
		}
		if made != "" {
			id = made
		}
		out.did++
	}
	return out
}

// do does one step and gives the ID of a container that it made.
func do(ctx context.Context, e Engine, s step) (made string, err error) {
	limit := changeTimeout
	if s.Verb == state.Stop || s.Verb == state.Replace {
		limit += max(s.grace, stopGrace)
	}
	if s.Verb == state.Pull {
		return "", pull(ctx, e, s)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	switch s.What + " " + string(s.Verb) {
	case "network create":
		err = e.CreateNetwork(ctx, s.Name, s.network, s.labels)
	case "network remove":
		err = gone(e.RemoveNetwork(ctx, s.id))
	case "volume create":
		_, err = e.CreateVolume(ctx, s.Name, s.volume, s.labels)
	case "container create":
		return e.Create(ctx, *s.spec)
	case "container start":
		if s.rename != "" {
			if err = e.Rename(ctx, s.id, s.rename); err != nil {
				break
			}
		}
		err = e.Start(ctx, s.id)
	case "container stop":
		err = gone(e.Stop(ctx, s.id))
	case "container remove":
		err = gone(e.Remove(ctx, s.id, !s.keep))
		for _, v := range s.volumes {
			if err == nil {
				_ = e.RemoveVolume(ctx, v) // the engine refuses while another container uses it
			}
		}
	case "container replace":
		return replace(ctx, e, s)
	default:
		err = fmt.Errorf("nobody knows how to %s a %s", s.Verb, s.What)
	}
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) && err != nil {
		err = fmt.Errorf("the engine did not answer within %s: %w", limit, err)
	}
	return "", err
}

// replace makes the new container before the old one is stopped: what the
// engine refuses to make costs the old one nothing.
func replace(ctx context.Context, e Engine, s step) (string, error) {
	spec := *s.spec
	spec.Name = pendingPrefix + s.id[:min(12, len(s.id))] + "_" + spec.Name
	made, err := e.Create(ctx, spec)
	if err != nil {
		return "", err
	}
	if err := gone(e.Stop(ctx, s.id)); err != nil {
		return "", err
	}
	// Its anonymous volumes may live on in the new one.
	if err := gone(e.Remove(ctx, s.id, false)); err != nil {
		return "", err
	}
	return made, e.Rename(ctx, made, s.spec.Name)
}

// gone takes "there is none" as done.
func gone(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// pull pulls an image and gives up when nothing moves for a while.
func pull(ctx context.Context, e Engine, s step) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := time.AfterFunc(pullStalls, func() {
		cancel(fmt.Errorf("nothing has moved for %s", pullStalls))
	})
	defer stalled.Stop()
	err := e.Pull(ctx, s.Name, s.platform, func() { stalled.Reset(pullStalls) })
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}
