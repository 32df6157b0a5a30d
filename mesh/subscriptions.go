package mesh

import (
	"fmt"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// maxSubscriptions is how many topics one packet of a peer may name: it needs one.
const maxSubscriptions = 16

// subscriptions decides which subscriptions of peers are remembered: only those
// of members, to a topic we publish on. Without it a peer could make us keep as
// many topic names as it likes, and be sent what we publish.
type subscriptions gossip

var _ pubsub.SubscriptionFilter = (*subscriptions)(nil)

// CanSubscribe is about topics of our own choice.
func (*subscriptions) CanSubscribe(string) bool { return true }

func (s *subscriptions) FilterIncomingSubscriptions(from peer.ID, subs []*pb.RPC_SubOpts) ([]*pb.RPC_SubOpts, error) {
	g := (*gossip)(s)
	if !g.h.members.has(from) {
		g.h.refused.add(RefusedStrangerGossip, "peer", from, "why", "subscription")
		return nil, fmt.Errorf("%s is not a member", from)
	}
	if len(subs) > maxSubscriptions {
		g.h.refused.add(RefusedSubscription, "peer", from, "topics", len(subs))
		return nil, fmt.Errorf("%d topics named at once", len(subs))
	}
	// A member may well follow topics that are not ours: a gateway follows its
	// own parent's, and pubsub tells everybody. They are forgotten, no more.
	return pubsub.FilterSubscriptions(subs, func(topic string) bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.publishers[topic] == g.h.ID()
	}), nil
}

// tracer tells the gate, from within pubsub's own loop, what it can't see from
// outside: whether pubsub has a stream to a peer, and what it dropped. Its
// methods must not block.
type tracer gossip

var _ pubsub.RawTracer = (*tracer)(nil)

func (t *tracer) OnNewOutboundStream(id peer.ID, _ protocol.ID) { t.gate.up(id) }
func (t *tracer) OnClosedOutboundStream(id peer.ID)             { t.gate.down(id) }
func (t *tracer) DropRPC(rpc *pubsub.RPC, id peer.ID) {
	if len(rpc.GetPublish()) > 0 {
		t.h.refused.add(RefusedSlowFollower, "peer", id)
	}
}
func (t *tracer) UndeliverableMessage(m *pubsub.Message) {
	t.h.refused.add(RefusedSlowHandler, "topic", m.GetTopic())
}

func (*tracer) Join(string)                           {}
func (*tracer) Leave(string)                          {}
func (*tracer) Graft(peer.ID, string)                 {}
func (*tracer) Prune(peer.ID, string)                 {}
func (*tracer) ValidateMessage(*pubsub.Message)       {}
func (*tracer) DeliverMessage(*pubsub.Message)        {}
func (*tracer) RejectMessage(*pubsub.Message, string) {}
func (*tracer) DuplicateMessage(*pubsub.Message)      {}
func (*tracer) ThrottlePeer(peer.ID)                  {}
func (*tracer) RecvRPC(*pubsub.RPC)                   {}
func (*tracer) SendRPC(*pubsub.RPC, peer.ID)          {}
