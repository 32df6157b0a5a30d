package tiers

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"pharos/state"
)

// picture is what an anchor knows of its whole subtree: the latest whole
// report of every node below, and its readiness. Each status replaces the one
// before, so that doubles and reconnects do no harm. A cell's picture is
// itself alone.
type picture struct {
	n *Node

	mu    sync.Mutex
	nodes map[state.NodeID]*seen
	// version counts changes; dirty says at which one a node changed last
	// without the parent having acknowledged it.
	version uint64
	dirty   map[state.NodeID]uint64
	wake    chan struct{} // for the uplink; holds one

	watchers map[chan struct{}]struct{}
}

type seen struct {
	status state.NodeStatus
	heard  time.Time
	below  *state.Counts // a direct child's word on its subtree
}

func newPicture(n *Node) *picture {
	p := &picture{
		n: n, nodes: map[state.NodeID]*seen{}, dirty: map[state.NodeID]uint64{},
		wake: make(chan struct{}, 1), watchers: map[chan struct{}]struct{}{},
	}
	now := time.Now()
	for _, m := range n.members() {
		if m.ID != n.cert.ID {
			p.nodes[m.ID] = &seen{status: state.NodeStatus{
				Node: m.ID, Readiness: state.Unknown, Silent: true, Since: now,
				Reason: fmt.Sprintf("%s started just now and has not heard from it yet", n.cert.Name),
			}}
		}
	}
	return p
}

// changed marks a node's status as one that the parent, and whoever watches,
// has to hear of.
func (p *picture) changed(id state.NodeID) {
	p.mu.Lock()
	p.mark(id)
	p.mu.Unlock()
}

func (p *picture) mark(id state.NodeID) {
	p.version++
	p.dirty[id] = p.version
	poke(p.wake)
	p.tick()
}

// touched tells watchers that something else of what they show has changed.
func (p *picture) touched() {
	p.mu.Lock()
	p.tick()
	p.mu.Unlock()
}

func (p *picture) tick() {
	for w := range p.watchers {
		poke(w)
	}
}

// poke leaves a note in a channel of one; a note that is there already will do.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// member takes a changed roster document: a new node is awaited, one that was
// removed, or has a place elsewhere now, forgotten.
func (p *picture) member(m state.Member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.tick()
	if m.ID == p.n.cert.ID {
		return
	}
	// Gossip and the session may bring two documents at once, in either order.
	if newest, known := p.n.ledger.Member(m.ID); known {
		m = newest
	}
	if !p.n.has(m) {
		delete(p.nodes, m.ID)
		delete(p.dirty, m.ID)
		return
	}
	if _, has := p.nodes[m.ID]; !has {
		p.nodes[m.ID] = &seen{status: state.NodeStatus{
			Node: m.ID, Readiness: state.NotReady, Silent: true, Since: time.Now(),
			Reason: "it is enrolled and has not been seen yet: is 'pharos run' started on it?",
		}}
		p.mark(m.ID)
	}
}

// child sets what this node knows of a direct child by itself: whether it is
// heard, and since when. Its own problems count once it is heard.
func (p *picture) child(id state.NodeID, heard bool, reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, has := p.nodes[id]
	if !has {
		if m, known := p.n.ledger.Member(id); known && m.Removed {
			return
		}
		// Its certificate came before its roster document.
		s = &seen{status: state.NodeStatus{Node: id}}
		p.nodes[id] = s
	}
	if heard {
		s.heard = time.Now()
		p.setHeard(s)
		return
	}
	p.set(s, state.NotReady, true, reason)
}

func (p *picture) setHeard(s *seen) {
	if problem := problemOf(s.status.Report); problem != "" {
		p.set(s, state.NotReady, false, problem)
		return
	}
	p.set(s, state.Ready, false, "")
}

func (p *picture) set(s *seen, r state.Readiness, silent bool, reason string) {
	st := &s.status
	if st.Readiness == r && st.Silent == silent && st.Reason == reason {
		return
	}
	if st.Readiness != r {
		st.Since = time.Now()
	}
	st.Readiness, st.Silent, st.Reason = r, silent, reason
	p.mark(st.Node)
}

// beat notes that a direct child was heard; it changes nothing else.
func (p *picture) beat(id state.NodeID) {
	p.mu.Lock()
	if s, has := p.nodes[id]; has {
		s.heard = time.Now()
	}
	p.mu.Unlock()
}

// merge takes the statuses that a direct child told of its subtree, and its own
// sum of it, when there is one. It gives how many it refused, since they are of
// nodes that are not below that child.
func (p *picture) merge(via state.Certificate, told []state.NodeStatus, sum *state.Counts) (refused int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if s, has := p.nodes[via.ID]; has && sum != nil {
		s.below = sum
	}
	for _, st := range told {
		own := st.Node == via.ID
		if m, known := p.n.ledger.Member(st.Node); m.Removed || !own && (!known || !m.Below(via.Name)) {
			refused++
			continue
		}
		s, has := p.nodes[st.Node]
		if !has {
			s = &seen{status: state.NodeStatus{Node: st.Node}}
			p.nodes[st.Node] = s
		}
		s.heard = now
		// A session brings reports in order, and only the newest session of a
		// child is heard: so what comes is the newest, even when a copy of the
		// node's folder has told higher numbers before.
		// A zero one is of a gateway that has not heard of the node itself yet.
		if old := &s.status.Report; st.Report.Generation != 0 && (old.Generation != st.Report.Generation || old.Sequence != st.Report.Sequence) {
			s.status.Report = st.Report
			p.mark(st.Node)
		}
		if own {
			p.setHeard(s)
		} else if cur := &s.status; cur.Readiness != st.Readiness || cur.Silent != st.Silent || cur.Reason != st.Reason {
			cur.Readiness, cur.Silent, cur.Reason, cur.Since = st.Readiness, st.Silent, st.Reason, st.Since
			p.mark(st.Node)
		}
	}
	return refused
}

// views gives the statuses of nodes as they must be shown here: Unknown below a
// gateway that is not heard.
func (p *picture) views(members []state.Member) []state.NodeStatus {
	own := p.n.self.status()
	byName := p.byName()
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]state.NodeStatus, len(members))
	for i, m := range members {
		if m.ID == p.n.cert.ID {
			out[i] = own
		} else {
			out[i] = p.viewLocked(m, byName)
		}
	}
	return out
}

func (p *picture) view(m state.Member) state.NodeStatus { return p.views([]state.Member{m})[0] }

func (p *picture) byName() map[state.Name]state.NodeID {
	out := map[state.Name]state.NodeID{}
	for _, m := range p.n.members() {
		out[m.Name] = m.ID
	}
	return out
}

func (p *picture) viewLocked(m state.Member, byName map[state.Name]state.NodeID) state.NodeStatus {
	s, has := p.nodes[m.ID]
	if !has {
		return state.NodeStatus{Node: m.ID, Readiness: state.NotReady, Silent: true, Since: p.n.started, Reason: "nothing was heard of it yet"}
	}
	st := s.status
	below := slices.Index(m.Path, p.n.cert.Name)
	for _, name := range m.Path[below+1:] {
		if up, has := p.nodes[byName[name]]; has && up.status.Silent {
			st.Readiness, st.Since = state.Unknown, up.status.Since
			st.Reason = fmt.Sprintf("its gateway %s is %s", name, up.status.Readiness)
			break
		}
	}
	return st
}

// counts folds the subtree into one rollup; without is the node not counted.
func (p *picture) counts(without state.NodeID) state.Counts {
	return p.fold(func(m state.Member) bool { return m.ID != without })
}

func (p *picture) fold(which func(state.Member) bool) state.Counts {
	members := slices.DeleteFunc(p.n.members(), func(m state.Member) bool { return !which(m) })
	views := p.views(members)
	var c state.Counts
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, m := range members {
		heard := time.Now()
		if m.ID != p.n.cert.ID {
			heard = time.Time{}
			if s, has := p.nodes[m.ID]; has {
				heard = s.heard
			}
		}
		c.Add(views[i], heard)
	}
	return c
}

// below is what an anchor of the subtree sums up to: in its own words when it
// is a direct child that is heard, by our picture otherwise.
func (p *picture) below(m state.Member) *state.Counts {
	if m.Role() == state.RoleCell {
		return nil
	}
	if m.ID == p.n.cert.ID {
		c := p.counts(m.ID)
		return &c
	}
	p.mu.Lock()
	s, has := p.nodes[m.ID]
	if has && s.below != nil && !s.status.Silent && m.Parent == p.n.cert.ID {
		c := *s.below
		p.mu.Unlock()
		return &c
	}
	p.mu.Unlock()
	c := p.fold(func(x state.Member) bool { return x.Below(m.Name) })
	return &c
}

// take gives the statuses that the parent has to hear, and the version they
// are of: the changed ones, or all.
func (p *picture) take(whole bool) ([]state.NodeStatus, uint64) {
	p.mu.Lock()
	version := p.version
	ids := slices.Collect(maps.Keys(p.dirty))
	if whole {
		ids = append(slices.Collect(maps.Keys(p.nodes)), p.n.cert.ID)
	}
	var out []state.NodeStatus
	own := false
	for _, id := range ids {
		if id == p.n.cert.ID {
			own = true
		} else if s, has := p.nodes[id]; has {
			out = append(out, s.status)
		}
	}
	p.mu.Unlock()
	if own {
		// After the version was read: newer than it is no harm, older would be.
		out = append(out, p.n.self.status())
	}
	return out, version
}

// acknowledged forgets the changes up to a version: the parent has them.
func (p *picture) acknowledged(version uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.dirty, func(_ state.NodeID, v uint64) bool { return v <= version })
	if len(p.dirty) > 0 {
		poke(p.wake)
	}
}

// watch gives a tick, coalesced, for every change of the picture, until done.
func (p *picture) watch() (ticks chan struct{}, done func()) {
	w := make(chan struct{}, 1)
	p.mu.Lock()
	p.watchers[w] = struct{}{}
	p.mu.Unlock()
	return w, func() {
		p.mu.Lock()
		delete(p.watchers, w)
		p.mu.Unlock()
	}
}
