package mesh

import (
	"context"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// members is the set of admitted peers, and a way to wait for it to change.
type members struct {
	mu      sync.Mutex
	ids     map[peer.ID]struct{}
	changed chan struct{} // closed and replaced at each change, and when a connection ends
}

func newMembers() *members {
	return &members{ids: map[peer.ID]struct{}{}, changed: make(chan struct{})}
}

func (m *members) has(id peer.ID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.ids[id]
	return ok
}

// look says whether id is a member, with a channel that closes when that may
// have changed.
func (m *members) look(id peer.ID) (bool, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.ids[id]
	return ok, m.changed
}

// set makes id a member, or not; it says whether that is a change.
func (m *members) set(id peer.ID, member bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, is := m.ids[id]; is == member {
		return false
	}
	if member {
		m.ids[id] = struct{}{}
	} else {
		delete(m.ids, id)
	}
	m.wakeLocked()
	return true
}

func (m *members) wake() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wakeLocked()
}

func (m *members) wakeLocked() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// await waits until id is a member; it gives up when ctx or the connection ends.
func (m *members) await(ctx context.Context, id peer.ID, c network.Conn) bool {
	for {
		is, changed := m.look(id)
		if is {
			return true
		}
		if c.IsClosed() {
			return false
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// Admit makes id a member: from now on it may use gossip and every protocol with
// us, over the connections it has and those to come, until Expel. Gossip flows
// once both sides have admitted each other; the side that was dialed should be
// first, which the other waits for up to 5 s. Admitting twice does nothing.
func (h *Host) Admit(id peer.ID) {
	if !h.members.set(id, true) {
		return
	}
	h.setPeerLimits(id, true)
	h.strays.release(id)
	h.gossip.want(id)
}

// Expel takes Admit back and closes the peer's connections; its handlers see
// their streams break. Harmless when the peer isn't admitted: then it only
// closes what connections there are.
func (h *Host) Expel(id peer.ID) {
	if h.members.set(id, false) {
		h.setPeerLimits(id, false)
	}
	if err := h.Disconnect(id); err != nil {
		h.log.Debug("closing an expelled peer's connections", "peer", id, "err", err)
	}
}

// Admitted says whether id is a member now.
func (h *Host) Admitted(id peer.ID) bool { return h.members.has(id) }
