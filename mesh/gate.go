package mesh

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
)

const (
	// admitWait is how long a gossip stream of a peer that we dialed waits for
	// its admission: the parent admits us first, and may be quicker to open its
	// stream than its answer is to reach us.
	admitWait = 5 * time.Second
	// gateRetry is the pause before pubsub is told again of a peer that it has no
	// stream to. Its own retries end after four in ten minutes.
	gateRetry = 2 * time.Second
)

// gate is the host as pubsub sees it. Pubsub learns of peers by events, opens a
// stream to each, and takes streams from each; the gate lets it do all three with
// members only. It has an event bus of its own, on which a peer is announced when
// it is a member and connected, and again for as long as pubsub has no stream to
// it: so admission and connection may come in any order, any number of times.
type gate struct {
	host.Host
	h    *Host
	bus  event.Bus
	emit event.Emitter
	kick chan struct{} // capacity 1: there is something to announce

	mu      sync.Mutex
	wanted  map[peer.ID]time.Time // to announce until pubsub has a stream, not before then
	outward map[peer.ID]time.Time // pubsub has a stream to these, since then
	inward  map[peer.ID]network.Stream
}

func newGate(h *Host) (*gate, error) {
	bus := eventbus.NewBus()
	emit, err := bus.Emitter(&event.EvtPeerIdentificationCompleted{})
	if err != nil {
		return nil, err
	}
	return &gate{
		Host: h.host, h: h, bus: bus, emit: emit, kick: make(chan struct{}, 1),
		wanted: map[peer.ID]time.Time{}, outward: map[peer.ID]time.Time{}, inward: map[peer.ID]network.Stream{},
	}, nil
}

func (g *gate) EventBus() event.Bus { return g.bus }

// Connect is what pubsub would dial peers with that other peers told it of.
func (g *gate) Connect(context.Context, peer.AddrInfo) error { return errNotDialed }

// NewStream is how pubsub opens its stream to a peer. It never dials.
func (g *gate) NewStream(ctx context.Context, id peer.ID, ps ...protocol.ID) (network.Stream, error) {
	if !g.h.members.has(id) {
		return nil, fmt.Errorf("gossip with %s: not admitted", id)
	}
	s, err := g.Host.NewStream(network.WithNoDial(ctx, "only Connect dials"), id, ps...)
	if err != nil {
		g.h.log.Debug("gossip stream can't be opened yet", "peer", id, "err", err)
		return nil, err
	}
	return s, nil
}

func (g *gate) SetStreamHandler(p protocol.ID, fn network.StreamHandler) {
	g.Host.SetStreamHandler(p, g.inbound(fn))
}

func (g *gate) SetStreamHandlerMatch(p protocol.ID, match func(protocol.ID) bool, fn network.StreamHandler) {
	g.Host.SetStreamHandlerMatch(p, match, g.inbound(fn))
}

// inbound lets fn have the streams of members, and refuses others.
func (g *gate) inbound(fn network.StreamHandler) network.StreamHandler {
	return func(s network.Stream) {
		if !g.h.begin() {
			s.Reset()
			return
		}
		defer g.h.end()
		id := s.Conn().RemotePeer()
		if !g.allowed(s.Conn()) {
			g.h.refused.add(RefusedStrangerGossip, "peer", id, "address", s.Conn().RemoteMultiaddr())
			s.Reset()
			return
		}
		g.mu.Lock()
		g.inward[id] = s
		g.mu.Unlock()
		defer func() {
			g.mu.Lock()
			if g.inward[id] == s {
				delete(g.inward, id)
			}
			g.mu.Unlock()
		}()
		fn(s)
	}
}

func (g *gate) allowed(c network.Conn) bool {
	if g.h.members.has(c.RemotePeer()) {
		return true
	}
	if c.Stat().Direction != network.DirOutbound {
		return false
	}
	ctx, cancel := context.WithTimeout(g.h.ctx, admitWait)
	defer cancel()
	return g.h.members.await(ctx, c.RemotePeer(), c)
}

// up and down are called by pubsub's loop, with no lock of the gate held: pubsub
// has, or has lost, its stream to a peer.
func (g *gate) up(id peer.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.outward[id] = time.Now()
	delete(g.wanted, id)
}

// down also mends a fault of pubsub: when its own stream to a peer ends, it
// forgets what that peer has subscribed to, though the peer's stream to us goes
// on, and perhaps just began after a reconnect. The peer would never say it
// again, and never get a message again. So that stream is ended too; the peer
// opens another and begins it with its subscriptions. Only the side that was
// dialed does so, else the two would go on forever.
func (g *gate) down(id peer.ID) {
	g.mu.Lock()
	now := time.Now()
	notBefore := now
	if now.Sub(g.outward[id]) < gateRetry {
		notBefore = now.Add(gateRetry) // refused, most likely: not at once again
	}
	delete(g.outward, id)
	s := g.inward[id]
	g.mu.Unlock()
	if s != nil && s.Conn().Stat().Direction == network.DirInbound {
		g.h.spawn(func() { s.Reset() })
	}
	g.wantAfter(id, notBefore)
}

// want has a member announced to pubsub at once, if it is connected.
func (g *gate) want(id peer.ID) { g.wantAfter(id, time.Time{}) }

func (g *gate) wantAfter(id peer.ID, notBefore time.Time) {
	g.mu.Lock()
	if _, up := g.outward[id]; !up {
		g.wanted[id] = notBefore
	}
	g.mu.Unlock()
	select {
	case g.kick <- struct{}{}:
	default:
	}
}

func (g *gate) start() {
	g.h.spawn(func() {
		var retry <-chan time.Time
		for {
			select {
			case <-g.h.ctx.Done():
				return
			case <-g.kick:
			case <-retry:
			}
			retry = nil
			if g.announce() {
				retry = time.After(gateRetry)
			}
		}
	})
}

// announce tells pubsub of every wanted peer whose time has come; true when any
// are wanted, who are looked at again unless pubsub gets its stream.
func (g *gate) announce() bool {
	g.mu.Lock()
	now := time.Now()
	var ids []peer.ID
	for id, notBefore := range g.wanted {
		if !g.h.members.has(id) || !g.h.Connected(id) {
			delete(g.wanted, id) // Admit, or the next connection, wants it again
		} else if !notBefore.After(now) {
			ids = append(ids, id)
		}
	}
	left := len(g.wanted) > 0
	g.mu.Unlock()
	for _, id := range ids {
		// Fails only when the bus has ended, and then the host has too.
		_ = g.emit.Emit(event.EvtPeerIdentificationCompleted{Peer: id, Protocols: []protocol.ID{ProtocolGossip}})
	}
	return left
}
