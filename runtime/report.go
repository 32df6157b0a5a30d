package runtime

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"pharos/state"
)

// report hands on what the loop knows, if it differs from what it handed on
// before.
func (a *app) report(r state.AppReport) {
	r.App, r.Revision, r.Stamp = a.name, a.taken.Revision, a.taken.Stamp
	r.Reason = state.Clip(strings.Join(strings.Fields(r.Reason), " "), state.MaxReason-3)
	if old := a.reported; old != nil {
		r.Since = old.Since
		if reflect.DeepEqual(*old, r) {
			return
		}
		if old.State != r.State {
			r.Since = now()
		}
	} else if r.Since.IsZero() {
		r.Since = now()
	}
	if a.reported == nil || a.reported.State != r.State || a.reported.Reason != r.Reason {
		a.log.Info("is", "state", r.State, "reason", r.Reason)
	}
	a.reported = &r
	if r.State == state.AppReady {
		a.wasReady = true
	}
	if a.cfg.Report != nil {
		copied := r
		copied.Containers, copied.Logs = slices.Clone(r.Containers), slices.Clone(r.Logs)
		a.cfg.Report(copied)
	}
}

// failsAfter is how often a job must fail to make the app Failed: what is in the
// way may be on its way out.
const failsAfter = 3

// now is the time in a report: milliseconds are enough, and what crosses the
// wire comes back equal.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// reportLost says that the engine does not answer. What runs goes on running:
// the last picture stays, but nobody vouches for it. One missed look is no news.
func (a *app) reportLost(err error) {
	if errors.Is(err, errNotAsked) {
		return // the watcher is about to ask
	}
	r := state.AppReport{State: state.AppPending}
	if a.reported != nil {
		if a.lost < 3 {
			return
		}
		r = *a.reported
		if r.State == state.AppReady || r.State == state.AppStarting {
			r.State = state.AppDegraded
		}
	}
	r.Reason = state.Clip("not known now: "+err.Error(), state.MaxReason)
	a.report(r)
}

// unreadable says why nothing is done: the order itself is bad.
func (a *app) unreadable(seen observed) state.AppReport {
	r := a.base(seen)
	r.State, r.Reason = state.AppFailed, a.unread.Error()
	return r
}

// base is the part of a report that is the same for all states.
func (a *app) base(seen observed) state.AppReport {
	var r state.AppReport
	for _, c := range seen.containers {
		if !isPending(c) {
			r.Containers = append(r.Containers, a.container(c))
		}
	}
	for _, n := range seen.networks {
		r.Networks = append(r.Networks, n.Labels[labelNetwork])
	}
	for _, v := range seen.volumes {
		r.Volumes = append(r.Volumes, v.Labels[labelVolume])
	}
	slices.Sort(r.Networks)
	slices.Sort(r.Volumes)
	return r
}

func (a *app) container(c Container) state.Container {
	of, number, _ := slotOf(c)
	out := state.Container{
		Service: of, State: c.State, Health: c.Health, Name: c.Name, ID: c.ID,
		Image: c.Image, Hash: c.Labels[labelHash], ExitCode: int64(c.ExitCode),
	}
	if c.State != "running" {
		out.Health = ""
	}
	if s := a.mem.slots[slotKey(of, number)]; s != nil {
		out.Restarts = s.restarts
	}
	return out
}

// down reports an app that is ordered to stop or to go.
func (a *app) down(seen observed, jobs []job) state.AppReport {
	r := a.base(seen)
	waiting := len(jobs) > 0 || len(a.busy) > 0
	reason := a.worstFailure(failsAfter)
	switch {
	case reason != "":
		r.State, r.Reason = state.AppFailed, reason
	case a.taken.Want == state.Gone && !waiting && len(seen.containers) == 0 && len(seen.networks) == 0:
		r.State = state.AppGone
	case a.taken.Want == state.Gone:
		r.State = state.AppRemoving
	case waiting:
		r.State, r.Reason = state.AppPending, "stopping"
	default:
		r.State = state.AppStopped
	}
	return r
}

// up reports an app that is ordered to run.
func (a *app) up(p *planning, jobs []job) state.AppReport {
	r := a.base(p.seen)
	for _, s := range a.want.services {
		for n := 1; n <= s.replicas; n++ {
			key := slotKey(s.name, n)
			if slices.ContainsFunc(p.seen.containers, func(c Container) bool {
				of, number, _ := slotOf(c)
				return of == s.name && number == n && !isPending(c)
			}) {
				continue
			}
			missing := state.Container{Service: s.name, State: "missing", Name: containerName(a.project, s.config, n), Image: s.config.Image, Hash: s.hash}
			if m := a.mem.slots[key]; m != nil {
				missing.Restarts = m.restarts
			}
			r.Containers = append(r.Containers, missing)
		}
	}
	slices.SortFunc(r.Containers, func(x, y state.Container) int {
		if c := strings.Compare(x.Service, y.Service); c != 0 {
			return c
		}
		return strings.Compare(x.Name, y.Name)
	})
	failed, failing := a.failed(p, jobs)
	pulling := a.pulling()
	open, openC, bad := a.open(p, jobs)
	switch {
	case failed != "":
		r.State, r.Reason, r.Logs = state.AppFailed, failed, a.tails[failing].lines
	case pulling != "":
		r.State, r.Reason = state.AppPulling, "pulling image "+pulling
	case open == "":
		r.State = state.AppReady
		if a.reported == nil {
			r.Since = lastStart(p.seen)
		}
	case bad || a.wasReady:
		r.State, r.Reason, r.Logs = state.AppDegraded, open, a.tails[openC].lines
	default:
		r.State, r.Reason = state.AppStarting, open
	}
	return r
}

// lastStart is since when an app that was found ready is so, as far as can be told.
func lastStart(seen observed) (at time.Time) {
	for _, c := range seen.containers {
		if c.Started.After(at) {
			at = c.Started
		}
	}
	return at.UTC().Truncate(time.Millisecond)
}

// failed says what can't become as wanted by itself, and in which container.
func (a *app) failed(p *planning, jobs []job) (reason, container string) {
	for _, j := range jobs {
		if j.blocked != "" {
			return j.blocked, ""
		}
	}
	if f := a.worstFailure(failsAfter); f != "" {
		return f, ""
	}
	for _, c := range p.seen.containers {
		of, number, _ := slotOf(c)
		s := a.mem.slots[slotKey(of, number)]
		if isPending(c) || !s.looping() {
			continue
		}
		how := fmt.Sprintf("last exit code %d", c.ExitCode)
		if c.OOMKilled {
			how = "it is out of memory"
		}
		if t, ok := a.tails[c.ID]; ok {
			how = t.how
		}
		return fmt.Sprintf("container %s keeps dying (%s); it is started again with growing pauses", c.Name, how), c.ID
	}
	return "", ""
}

// worstFailure gives the reason of a job that failed at least n times. A pull
// counts from the first time: the next try may be long.
func (a *app) worstFailure(n int) string {
	reason := ""
	for key, f := range a.mem.failures {
		if (f.count >= n || strings.HasPrefix(key, "image ")) && (reason == "" || f.reason < reason) {
			reason = f.reason
		}
	}
	return reason
}

func (a *app) pulling() string {
	ref := ""
	for key := range a.pulls {
		name := strings.TrimPrefix(key, "image ")
		if ref == "" || name < ref {
			ref = name
		}
	}
	return ref
}

// open says what is not as wanted yet, in which container, and whether that is
// bad rather than on its way.
func (a *app) open(p *planning, jobs []job) (reason, container string, bad bool) {
	for _, c := range p.seen.containers {
		if isPending(c) {
			continue
		}
		switch {
		case c.State == "paused":
			return "container " + c.Name + " was paused by somebody; go on: docker unpause " + c.Name, c.ID, true
		case c.State == "running" && c.Health == "unhealthy":
			return strings.TrimSpace("container " + c.Name + " is unhealthy: " + c.HealthLog), c.ID, true
		}
	}
	for _, c := range p.seen.containers {
		of, number, _ := slotOf(c)
		i := slices.IndexFunc(a.want.services, func(s service) bool { return s.name == of })
		if i < 0 || isPending(c) {
			continue
		}
		if m := a.mem.slots[slotKey(of, number)]; m != nil && (m.replaced || m.ordered) && c.State != "running" {
			reason = cmpFirst(reason, "container "+c.Name+" is being replaced or started")
			continue
		}
		switch {
		case c.State == "running" && c.Health == "starting":
			reason = cmpFirst(reason, "container "+c.Name+" is not healthy yet")
		case c.State == "restarting", c.State == "exited" && !a.mem.done(c, a.want.services[i], p.engine):
			return "container " + c.Name + " is being started again: " + howItEnded(c), c.ID, false
		case c.State == "running":
			if port, starting, found := a.probes.silent(c, p.seen.at); found {
				text := fmt.Sprintf("nobody answers on port %d of container %s", port.HostPort, c.Name)
				if !starting {
					return text, c.ID, true
				}
				reason = cmpFirst(reason, text+" yet")
			}
		}
	}
	for _, j := range jobs {
		for _, s := range j.steps {
			if s.wait != "" {
				reason = cmpFirst(reason, fmt.Sprintf("%s %s waits: %s", s.What, s.Name, s.wait))
			}
		}
	}
	if len(jobs) > 0 || len(a.busy) > 0 {
		reason = cmpFirst(reason, "work is under way")
	}
	return reason, "", false
}

func cmpFirst(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
