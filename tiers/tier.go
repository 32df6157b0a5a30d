package tiers

import (
	"context"
	"fmt"
	"sync"
	"time"

	"pharos/mesh"
	"pharos/state"
)

// tier is the tier this node is the parent of: its direct children's sessions,
// the topic on which it alone publishes, and its judgement of who is silent.
type tier struct {
	n     *Node
	topic string

	mu       sync.Mutex
	sessions map[state.NodeID]*session
	silence  map[state.NodeID]*time.Timer // runs out when a child is silent too long
	closed   bool

	relays chan struct{} // bounds the enrolments under way through this node
}

func newTier(n *Node) *tier {
	return &tier{
		n: n, topic: mesh.TierTopic(n.host.ID()),
		sessions: map[state.NodeID]*session{}, silence: map[state.NodeID]*time.Timer{},
		relays: make(chan struct{}, maxEnrolments),
	}
}

func (t *tier) start(ctx context.Context) error {
	if err := t.n.host.Own(t.topic); err != nil {
		return fmt.Errorf("opening this node's tier: %w", err)
	}
	t.n.undo = append(t.n.undo, t.close)
	t.mu.Lock()
	for _, m := range t.n.members() {
		if m.Parent == t.n.cert.ID {
			t.listenFor(m.ID)
		}
	}
	t.mu.Unlock()
	t.n.host.Handle(mesh.ProtocolSession, t.accept)
	t.n.host.Handle(mesh.ProtocolEnrol, t.enrol)
	t.n.run(ctx, t.beats)
	return nil
}

// listenFor starts, or starts anew, the three seconds in which a child has to
// be heard. Under t.mu.
func (t *tier) listenFor(id state.NodeID) {
	if timer, has := t.silence[id]; has && timer.Stop() {
		timer.Reset(silentAfter)
		return
	}
	// A timer that has run out, and only waits for t.mu, counts no more.
	var timer *time.Timer
	timer = time.AfterFunc(silentAfter, func() {
		t.mu.Lock()
		if t.silence[id] != timer || t.closed {
			t.mu.Unlock()
			return
		}
		s := t.silent(id)
		t.mu.Unlock()
		if s != nil {
			s.end() // which may wait for a dead link
		}
	})
	t.silence[id] = timer
}

// heard notes that a child was heard on a session; false says that the session
// is not the child's any more. It is judged, heard or silent, under one lock:
// the picture must not keep the one after the other is true.
func (t *tier) heard(s *session) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions[s.child.ID] != s || t.closed {
		return false
	}
	t.listenFor(s.child.ID)
	t.n.picture.beat(s.child.ID)
	return true
}

// silent judges a child that was not heard for too long. Nothing is stopped or
// moved because of it, ever. Under t.mu; its session is the caller's to end.
func (t *tier) silent(id state.NodeID) *session {
	s := t.sessions[id]
	delete(t.sessions, id)
	delete(t.silence, id)
	if m, known := t.n.ledger.Member(id); known && m.Removed {
		return s
	}
	t.n.picture.child(id, false, fmt.Sprintf("%s has heard nothing from it for %v", t.n.cert.Name, silentAfter))
	t.n.log.Warn("a child is silent", "child", t.n.nameOf(id))
	return s
}

// join makes s the session of its child; one that was there before is ended.
func (t *tier) join(s *session) bool {
	t.mu.Lock()
	old, closed := t.sessions[s.child.ID], t.closed
	if !closed {
		t.sessions[s.child.ID] = s
		t.listenFor(s.child.ID)
		t.n.picture.child(s.child.ID, true, "")
	}
	t.mu.Unlock()
	if old != nil {
		old.end()
	}
	return !closed
}

// leave takes an ended session out. The child's silence is judged by the clock
// alone: it may be back at once.
func (t *tier) leave(s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions[s.child.ID] == s {
		delete(t.sessions, s.child.ID)
	}
}

func (t *tier) all() []*session {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]*session, 0, len(t.sessions))
	for _, s := range t.sessions {
		out = append(out, s)
	}
	return out
}

// beats sends every child a heartbeat each second.
func (t *tier) beats(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			t.beatAll()
		}
	}
}

func (t *tier) beatAll() {
	for _, s := range t.all() {
		poke(s.beat)
	}
}

// noteHolds notes which cells will hold a fresh order, so that they hear when
// a later one no longer names them.
func (t *tier) noteHolds(j state.Judged) {
	if j.Order.App == nil {
		return
	}
	for _, s := range t.all() {
		if m, known := t.n.ledger.Member(s.child.ID); known && names(j.Order, m) {
			s.hold(j.Order.Key())
		}
	}
}

// expel ends what a removed child has here.
func (t *tier) expel(id state.NodeID, why string) {
	t.mu.Lock()
	s := t.sessions[id]
	delete(t.sessions, id)
	if timer, has := t.silence[id]; has {
		timer.Stop()
		delete(t.silence, id)
	}
	t.mu.Unlock()
	if s != nil {
		s.end()
		t.n.log.Info("ended a child's session", "child", s.child.Name, "why", why)
	}
	if p, err := id.Peer(); err == nil {
		t.n.host.Expel(p)
	}
}

func (t *tier) close() error {
	t.mu.Lock()
	t.closed = true
	for _, timer := range t.silence {
		timer.Stop()
	}
	t.mu.Unlock()
	for _, s := range t.all() {
		s.end()
	}
	return nil
}

// nameOf is a node's name for the log, its ID when the name is not known.
func (n *Node) nameOf(id state.NodeID) string {
	if m, known := n.ledger.Member(id); known {
		return string(m.Name)
	}
	return id.Short()
}
