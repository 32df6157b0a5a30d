package mesh

import (
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
)

// strangers bounds connections that others dialed and whose peer isn't admitted:
// how many there are, how long each stays, how many streams each peer holds.
type strangers struct {
	h       *Host
	mu      sync.Mutex
	stopped bool
	conns   map[network.Conn]*time.Timer
	streams map[peer.ID]int
}

func newStrangers(h *Host) *strangers {
	return &strangers{h: h, conns: map[network.Conn]*time.Timer{}, streams: map[peer.ID]int{}}
}

// watch takes a new connection under its bounds; false: it is one too many.
func (s *strangers) watch(c network.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return true // the host is closing all of them anyhow
	}
	if len(s.conns) >= MaxStrangers {
		return false
	}
	s.conns[c] = time.AfterFunc(StrangerStay, func() {
		s.h.spawn(func() { s.expire(c) })
	})
	return true
}

func (s *strangers) expire(c network.Conn) {
	if !s.forget(c) || s.h.members.has(c.RemotePeer()) {
		return
	}
	s.h.refused.add(RefusedStrangerConnection, "peer", c.RemotePeer(), "address", c.RemoteMultiaddr(), "why", "not admitted in time")
	c.Close()
}

// forget lets go of one connection; false: it was not, or no longer, watched.
func (s *strangers) forget(c network.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	timer, ok := s.conns[c]
	if ok {
		timer.Stop()
		delete(s.conns, c)
	}
	return ok
}

// release lets go of all connections of a peer that has been admitted.
func (s *strangers) release(id peer.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c, timer := range s.conns {
		if c.RemotePeer() == id {
			timer.Stop()
			delete(s.conns, c)
		}
	}
}

func (s *strangers) full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns) >= MaxStrangers
}

// enter counts a stream of a stranger into a handler; false: it has too many.
// Each true needs one call of leave.
func (s *strangers) enter(id peer.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams[id] >= maxStrangerStreams {
		return false
	}
	s.streams[id]++
	return true
}

func (s *strangers) leave(id peer.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams[id]--; s.streams[id] <= 0 {
		delete(s.streams, id)
	}
}

func (s *strangers) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	for c, timer := range s.conns {
		timer.Stop()
		delete(s.conns, c)
	}
}

// gater refuses connections as early as the peer's identity is known.
type gater Host

func (*gater) InterceptPeerDial(peer.ID) bool                      { return true }
func (*gater) InterceptAddrDial(peer.ID, multiaddr.Multiaddr) bool { return true }
func (*gater) InterceptAccept(network.ConnMultiaddrs) bool         { return true }

func (g *gater) InterceptSecured(dir network.Direction, id peer.ID, addrs network.ConnMultiaddrs) bool {
	key, err := id.ExtractPublicKey() // an ed25519 ID holds its key; an RSA one doesn't
	if _, ok := key.(*crypto.Ed25519PublicKey); err != nil || !ok {
		g.refused.add(RefusedNotEd25519, "peer", id, "address", addrs.RemoteMultiaddr())
		return false
	}
	if dir == network.DirInbound && !g.members.has(id) && g.strays.full() {
		g.refused.add(RefusedStrangerConnection, "peer", id, "address", addrs.RemoteMultiaddr(), "why", "too many")
		return false
	}
	return true
}

func (*gater) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }
