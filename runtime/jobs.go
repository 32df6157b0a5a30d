package runtime

import (
	"context"
	"time"

	"pharos/state"
)

// launch starts the jobs whose first step can be done, each beside the loop.
func (a *app) launch(ctx context.Context, jobs []job) {
	for _, j := range jobs {
		if len(j.steps) == 0 || j.steps[0].wait != "" || j.blocked != "" || a.busy[j.key] {
			continue
		}
		a.busy[j.key] = true
		if j.slot != "" {
			a.expect(j)
		}
		jctx, cancel := context.WithCancel(ctx)
		if j.steps[0].Verb == state.Pull {
			a.pulls[j.key] = cancel
		}
		for _, s := range j.steps {
			if s.wait == "" {
				a.log.Info("doing", "action", s.Action.String())
			}
		}
		a.jobs.Go(func() {
			defer cancel()
			out := execute(jctx, a.cfg.Engine, j)
			select {
			case a.outcomes <- out:
			case <-ctx.Done():
			}
		})
	}
}

// expect notes what a job is about to do to its slot, so that it is not taken
// for somebody's hand.
func (a *app) expect(j job) {
	s := a.mem.slot(j.slot)
	for _, st := range j.steps {
		switch st.Verb {
		case state.Replace, state.Remove:
			if st.id == s.id {
				s.replaced = true
			}
		case state.Stop:
			if st.id == s.id {
				s.ordered = true
			}
		}
	}
}

// settle takes in how a job went.
func (a *app) settle(o outcome) {
	delete(a.busy, o.job.key)
	if o.job.steps[0].Verb == state.Pull {
		delete(a.pulls, o.job.key)
	}
	now := time.Now()
	if o.err == nil {
		if !o.job.revive {
			delete(a.mem.failures, o.job.key)
		}
		if o.job.steps[0].Verb == state.Pull {
			ref := o.job.steps[0].Name
			delete(a.pull, ref)
			a.refresh[ref] = true
		}
		return
	}
	if o.step.Verb == state.Pull && a.parsed != nil && !a.wants(o.step.Name) {
		delete(a.mem.failures, o.job.key)
		return // cancelled: a newer order does not need it
	}
	first := 250 * time.Millisecond
	if o.step.Verb == state.Pull {
		first = 2 * time.Second
	}
	reason := explain(o, a.cfg.Engine)
	a.log.Warn("did not work", "action", o.step.String(), "err", o.err)
	a.mem.failed(o.job.key, reason, first, now)
}

func (a *app) wants(ref string) bool {
	for _, s := range a.parsed.Services {
		if s.Image == ref {
			return true
		}
	}
	return false
}
