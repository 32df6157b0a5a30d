// Package mesh moves bytes between peers: the libp2p host, its identity, who may
// speak to it, discovery by mDNS, one gossipsub topic per tier, and framed
// streams. It knows nothing of apps, certificates or orders, and imports nothing
// of ours.
//
// # Use
//
// A node loads its key ([LoadIdentity] or, once, [CreateIdentity]), makes a
// [Host] with [New], registers its protocols with [Host.Handle], and then:
//
//   - an anchor calls [Host.Own] for the topic of its tier, [Host.Admit] for each
//     child whose certificate it has checked, and [Host.Publish];
//   - a child calls [Host.Connect], opens a session with [Host.Open], calls
//     [Host.Admit] for the parent once that has proved itself, and [Host.Follow].
//
// Only the child dials. Connections carry no authority: what a peer may do
// follows from Admit and Expel alone. Admission belongs to a peer, not to a
// connection: it outlives reconnects until Expel takes it back.
//
// Gossip is fast and forgets. What is published while a child is away, or before
// it was admitted on both sides, never reaches it: the session above repairs
// that. [Host.Followers] says who would get a message now.
//
// # What it refuses
//
//   - peers whose key is not ed25519, at the handshake;
//   - gossip, and every protocol but enrolment and session, from peers that
//     aren't admitted; more than a few streams at a time from such a peer;
//   - connections of such peers beyond [MaxStrangers] at once or longer than
//     [StrangerStay], unless we dialed them;
//   - gossip on a topic by anybody but the topic's publisher, author and sender
//     alike, before a signature is looked at; and all gossip control messages,
//     which a star has no use for;
//   - frames over the reader's limit, before memory is taken for them;
//   - dialing on anybody's behalf: no relay, no hole punching, no peer exchange.
//
// Each refusal is counted by its cause ([Host.Refused]) and logged, at most once
// in ten seconds per cause.
package mesh
