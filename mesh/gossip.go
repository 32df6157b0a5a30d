package mesh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// MaxGossip is the most bytes one gossip message may have. Larger things travel
// on a session.
const MaxGossip = 64 << 10

const (
	gossipEnvelope      = 1 << 10 // topic, author, number, signature around a message
	gossipQueue         = 1024    // messages waiting for one child's link
	gossipValidateQueue = 4096    // messages waiting for their signature check
	gossipBuffer        = 8192    // messages waiting for our own Follow function
	gossipHeartbeat     = 5 * time.Second
	gossipSeenTTL       = 30 * time.Second
)

// gossip is one gossipsub over the gate, which keeps strangers away from it.
type gossip struct {
	*gate
	ps *pubsub.PubSub

	mu         sync.Mutex
	publishers map[string]peer.ID // each topic of ours, and who alone may publish on it
	own        map[string]*pubsub.Topic
}

func newGossip(h *Host) (*gossip, error) {
	gate, err := newGate(h)
	if err != nil {
		return nil, err
	}
	g := &gossip{gate: gate, publishers: map[string]peer.ID{}, own: map[string]*pubsub.Topic{}}

	// A star: the publisher sends to every subscriber itself (flood publish);
	// there is no mesh, no gossip about gossip, no peer exchange. With gossipsub's
	// defaults about 40 % of quick messages to 100 children are lost.
	params := pubsub.DefaultGossipSubParams()
	params.D, params.Dlo, params.Dhi, params.Dout, params.Dscore, params.Dlazy = 0, 0, 0, 0, 0, 0
	params.GossipFactor = 0
	params.Connectors, params.MaxPendingConnections = 0, 0
	params.HistoryLength, params.HistoryGossip = 1, 1 // nobody can ask for a message again
	params.HeartbeatInterval = gossipHeartbeat

	g.ps, err = pubsub.NewGossipSub(h.ctx, g.gate,
		pubsub.WithGossipSubProtocols([]protocol.ID{ProtocolGossip}, func(f pubsub.GossipSubFeature, p protocol.ID) bool {
			return f == pubsub.GossipSubFeatureMesh && p == ProtocolGossip
		}),
		pubsub.WithGossipSubParams(params),
		pubsub.WithFloodPublish(true),
		pubsub.WithPeerExchange(false),
		pubsub.WithMessageSignaturePolicy(pubsub.StrictSign),
		pubsub.WithMaxMessageSize(MaxGossip+gossipEnvelope),
		pubsub.WithMaxControlMessageSize(gossipEnvelope*8),
		pubsub.WithValidateQueueSize(gossipValidateQueue),
		pubsub.WithValidateWorkers(1), // one, so that messages stay in order
		pubsub.WithPeerOutboundQueueSize(gossipQueue),
		pubsub.WithSeenMessagesTTL(gossipSeenTTL),
		pubsub.WithSubscriptionFilter((*subscriptions)(g)),
		pubsub.WithAppSpecificRpcInspector(g.inspect),
		pubsub.WithRawTracer((*tracer)(g)),
	)
	if err != nil {
		return nil, err
	}
	g.start()
	return g, nil
}

// inspect is the first to see what a member sent, before signatures cost
// anything. It leaves in it only messages by and from the topic's publisher, and
// no control messages. That the author signed is checked after it.
func (g *gossip) inspect(from peer.ID, rpc *pubsub.RPC) error {
	if !g.h.members.has(from) {
		g.h.refused.add(RefusedStrangerGossip, "peer", from, "why", "not admitted any more")
		return errors.New("not a member")
	}
	rpc.Control = nil
	rpc.Partial = nil
	if len(rpc.Publish) == 0 {
		return nil
	}
	kept := rpc.Publish[:0]
	for _, m := range rpc.Publish {
		g.mu.Lock()
		publisher, ours := g.publishers[m.GetTopic()]
		g.mu.Unlock()
		if !ours || publisher == g.h.ID() || from != publisher || peer.ID(m.GetFrom()) != publisher {
			g.h.refused.add(RefusedForeignPublisher, "peer", from, "topic", fmt.Sprintf("%.100q", m.GetTopic()))
			continue
		}
		kept = append(kept, m)
	}
	clear(rpc.Publish[len(kept):])
	rpc.Publish = kept
	return nil
}

// Own joins topic as its publisher: from then on Publish may be used on it, and
// admitted peers may subscribe to it. It fails when the topic is owned or
// followed already.
func (h *Host) Own(topic string) error {
	g := h.gossip
	if err := g.claim(topic, h.ID()); err != nil {
		return fmt.Errorf("own topic %s: %w", topic, err)
	}
	// Fanout only: never subscribed ourselves, so that there's no mesh to keep.
	t, err := g.ps.Join(topic, pubsub.FanoutOnly())
	if err != nil {
		g.unclaim(topic)
		return fmt.Errorf("own topic %s: %w", topic, closedOr(err))
	}
	g.mu.Lock()
	g.own[topic] = t
	g.mu.Unlock()
	return nil
}

func (g *gossip) claim(topic string, publisher peer.ID) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p, taken := g.publishers[topic]; taken {
		return fmt.Errorf("it is in use already, with publisher %s: stop that first", p)
	}
	g.publishers[topic] = publisher
	return nil
}

func (g *gossip) unclaim(topic string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.publishers, topic)
	delete(g.own, topic)
}

func closedOr(err error) error {
	if errors.Is(err, context.Canceled) {
		return ErrClosed
	}
	return err
}

// Publish sends data, of at most MaxGossip bytes, to every child that follows the
// topic now. It must be our own topic. Nil says that it was handed to the links,
// not that it arrived: a child away, or 1024 messages behind, doesn't get it.
// Messages of one publisher that arrive do so in the order published.
func (h *Host) Publish(topic string, data []byte) error {
	if len(data) > MaxGossip {
		return fmt.Errorf("publish on %s: %d bytes, but gossip takes at most %d: send it on the sessions", topic, len(data), MaxGossip)
	}
	h.gossip.mu.Lock()
	t := h.gossip.own[topic]
	h.gossip.mu.Unlock()
	if t == nil {
		return fmt.Errorf("publish on %s: not our topic: only the publisher that owns it may", topic)
	}
	if err := t.Publish(h.ctx, bytes.Clone(data)); err != nil {
		return fmt.Errorf("publish on %s: %w", topic, closedOr(err))
	}
	return nil
}

// Followers returns the peers that follow our own topic now, sorted: those that
// a Publish would reach.
func (h *Host) Followers(topic string) []peer.ID {
	ids := h.gossip.ps.ListPeers(topic)
	slices.Sort(ids)
	return ids
}

// Follow hands each message that publisher publishes on topic to fn, in order,
// one at a time, whenever publisher is admitted and connected: it is called once
// and outlives reconnects. fn owns data. Anything else on the topic is refused
// and counted. When fn is more than 8192 messages behind, newer ones are dropped
// and counted. A panic in fn is recovered and logged.
//
// stop ends it and waits for fn; it must not be called from within fn. It fails
// when the topic is owned or followed already.
func (h *Host) Follow(topic string, publisher peer.ID, fn func(data []byte)) (stop func(), err error) {
	g := h.gossip
	if publisher == h.ID() {
		return nil, fmt.Errorf("follow topic %s: its publisher is this node itself", topic)
	}
	if err := g.claim(topic, publisher); err != nil {
		return nil, fmt.Errorf("follow topic %s: %w", topic, err)
	}
	t, err := g.ps.Join(topic)
	if err != nil {
		g.unclaim(topic)
		return nil, fmt.Errorf("follow topic %s: %w", topic, closedOr(err))
	}
	sub, err := t.Subscribe(pubsub.WithBufferSize(gossipBuffer))
	if err == nil && !h.begin() {
		err = ErrClosed
	}
	if err != nil {
		g.unclaim(topic)
		return nil, fmt.Errorf("follow topic %s: %w", topic, closedOr(err))
	}
	ctx, cancel := context.WithCancel(h.ctx)
	done := make(chan struct{})
	go func() {
		defer h.end()
		defer close(done)
		for {
			m, err := sub.Next(ctx)
			if err != nil {
				return
			}
			h.guard("a Follow function, topic "+topic, func() { fn(m.GetData()) })
		}
	}()
	return sync.OnceFunc(func() {
		cancel()
		sub.Cancel()
		<-done
		if err := t.Close(); err != nil && !errors.Is(err, context.Canceled) {
			h.log.Warn("leaving a topic", "topic", topic, "err", err)
		}
		g.unclaim(topic)
	}), nil
}
