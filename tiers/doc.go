// Package tiers makes nodes into a factory: it is the only room that knows
// both the mesh (bytes and peers) and the state (orders and reports).
//
// A Node is one machine's part of it. What it does lies by flow:
//
//	node.go, self.go       one node: what it is made of, what it says of itself
//	uplink.go              the session with the parent, from the child's side
//	tier.go, session.go    the tier this node is the parent of: its children's sessions
//	down.go                orders: accepted, relayed, handed to the runtime
//	picture.go             up: readiness and reports of the whole subtree
//	enrol.go, join.go      enrolment: the root's side and the relay's, the new machine's
//	refused.go             what is refused: counted, and logged at a bounded rate
//	operate_*.go           the few operations that all front doors call
//
// A cell has an uplink only, the root a tier only, a gateway both.
//
// Tiers refuses a child without this factory's certificate for this parent,
// an order that the ledger refuses, a report about a node that is not below
// the child that tells it, and every operation on a node that has no authority
// for it. What it refuses it counts (Status shows the counts) and logs, at most once in ten seconds per cause.
package tiers
