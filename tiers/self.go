package tiers

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"pharos/state"
)

// self is what this node says of itself: its report, and when it has to be
// said again.
type self struct {
	n          *Node
	generation uint64

	mu       sync.Mutex
	sequence uint64
	apps     map[state.Name]state.AppReport
	eng      state.EngineReport
	problem  string // of an order that could not be taken
	full     string // the disk takes no orders any more
	// addresses are looked up now and then: asking the kernel can take seconds
	// while a container engine makes and removes networks, and no heartbeat may
	// wait for that.
	addresses []string
	head      state.Head // as last reported
	since     time.Time  // of being ready, or not
}

func newSelf(n *Node) *self {
	s := &self{n: n, apps: map[state.Name]state.AppReport{}, since: time.Now(), addresses: n.host.Addrs()}
	// A failing disk is told as the node's problem; the report goes out anyway.
	generation, err := n.store.NextGeneration()
	if err != nil {
		s.problem = state.Clip(err.Error(), state.MaxReason)
		generation = uint64(time.Now().Unix())
	}
	s.generation = generation
	return s
}

// app takes an app's report from the runtime.
func (s *self) app(r state.AppReport) {
	s.mu.Lock()
	if r.State == state.AppGone {
		delete(s.apps, r.App)
	} else {
		s.apps[r.App] = r
	}
	s.mu.Unlock()
	if r.State == state.AppGone {
		if err := s.n.down.gone(r.App); err != nil {
			s.n.log.Warn("could not forget a removed app; it is removed again after a restart", "app", r.App, "error", err)
		}
	}
	s.touch()
}

// engine takes the engine's health from the runtime.
func (s *self) engine(r state.EngineReport) {
	s.mu.Lock()
	changed := s.eng != r
	s.turn(func() { s.eng = r })
	s.mu.Unlock()
	if changed {
		s.touch()
	}
}

// setProblem tells why this node is not ready of its own knowledge, "" when it is.
func (s *self) setProblem(p string) {
	s.mu.Lock()
	changed := s.problem != p
	s.turn(func() { s.problem = p })
	s.mu.Unlock()
	if changed {
		s.touch()
	}
}

// turn makes a change, and notes the time when it changes whether the node is
// ready. Under s.mu.
func (s *self) turn(change func()) {
	was := s.reason() == ""
	if change(); was != (s.reason() == "") {
		s.since = time.Now()
	}
}

func (s *self) reason() string {
	return problemOf(state.NodeReport{Problem: cmp.Or(s.problem, s.full), Engine: s.eng})
}

// checkAddresses tells when the node has come to have other addresses.
func (s *self) checkAddresses() {
	now := s.n.host.Addrs()
	s.mu.Lock()
	changed := !slices.Equal(s.addresses, now)
	s.addresses = now
	s.mu.Unlock()
	if changed {
		s.touch()
	}
}

// checkDisk tells of a full disk before an order is refused because of it.
func (s *self) checkDisk() {
	full := ""
	if err := s.n.store.Room(); err != nil {
		full = state.Clip(err.Error(), state.MaxReason)
	}
	s.mu.Lock()
	changed := s.full != full
	s.turn(func() { s.full = full })
	s.mu.Unlock()
	if changed {
		s.touch()
	}
}

// touch makes the next report newer than the last, and puts it on its way.
func (s *self) touch() {
	s.mu.Lock()
	s.sequence++
	s.head = s.n.ledger.Head()
	s.mu.Unlock()
	s.n.picture.changed(s.n.cert.ID)
}

// touchHead reports the ledger's head unless the last report said it.
func (s *self) touchHead() {
	s.mu.Lock()
	behind := s.head != s.n.ledger.Head()
	s.mu.Unlock()
	if behind {
		s.touch()
	}
}

// run reports what nothing else reports: a head that moved over orders of
// others, a disk that fills up or has space again, new addresses.
func (s *self) run(ctx context.Context) {
	s.checkDisk()
	tick := time.NewTicker(lazyHead)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.checkDisk()
			s.checkAddresses()
			s.touchHead()
		}
	}
}

// status is this node as it sees itself.
func (s *self) status() state.NodeStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := state.NodeReport{
		Generation: s.generation, Sequence: s.sequence, Head: s.n.ledger.Head(),
		Engine: s.eng, Addresses: s.addresses, Problem: cmp.Or(s.problem, s.full),
	}
	for _, a := range s.apps {
		r.Apps = append(r.Apps, a)
	}
	slices.SortFunc(r.Apps, func(a, b state.AppReport) int { return strings.Compare(string(a.App), string(b.App)) })
	st := state.NodeStatus{Node: s.n.cert.ID, Readiness: state.Ready, Since: s.since, Report: r}
	if reason := problemOf(r); reason != "" {
		st.Readiness, st.Reason = state.NotReady, reason
	}
	return st
}

// problemOf is why a node that is heard is not ready all the same.
func problemOf(r state.NodeReport) string {
	if r.Problem != "" {
		return r.Problem
	}
	return r.Engine.Problem
}
