package mesh

import (
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// Every protocol a node speaks, which way it flows, and who may open it. Libp2p's
// own identify (/ipfs/id/1.0.0 and its push) is spoken besides, with anybody: it
// says which protocols and addresses a peer has, and decides nothing.
const (
	// ProtocolEnrol: stranger or relaying gateway → anchor → … → root, one
	// request and one answer. Open to anybody: a join token is its own proof.
	ProtocolEnrol protocol.ID = "/pharos/enrol/1"

	// ProtocolSession: child → parent, one long-lived stream. Open to anybody,
	// since the certificate is in its first frame: the handler checks that
	// under a tight frame limit and deadline, and only then admits the peer.
	ProtocolSession protocol.ID = "/pharos/session/1"

	// ProtocolGossip: parent → children (and the child's subscription back).
	// Members only, on both sides. It is gossipsub's wire format under a name
	// of ours, so that no foreign gossipsub node can take part by accident.
	ProtocolGossip protocol.ID = "/pharos/gossip/1"
)

// openToStrangers lists the protocols that a peer may open before it is admitted.
// What is not in it, or false, is for members only.
var openToStrangers = map[protocol.ID]bool{
	ProtocolEnrol:   true,
	ProtocolSession: true,
	ProtocolGossip:  false,
}

// TierTopic is the gossip topic of the tier that parent commands, e.g.
// "/pharos/tier/1/12D3KooW…". Its only publisher is parent.
func TierTopic(parent peer.ID) string {
	return "/pharos/tier/1/" + parent.String()
}
