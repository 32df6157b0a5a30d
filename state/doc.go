// Package state holds the words of Pharos as types, the pure rules over them,
// and the store that keeps them.
//
// It is the vocabulary of the whole program: nodes and their certificates
// (node.go), selectors (selector.go), orders and the stamps that order them
// (order.go), what nodes report and how anchors sum it up (report.go,
// rollup.go), what a deploy would do (plan.go), the signatures around documents
// (seal.go), join tokens (token.go), the pictures that front doors show
// (view.go), and the one shape of error that crosses tiers and processes
// (problem.go).
//
// Store (store.go and store_*.go) is a small Badger database with one method
// per thing that is kept. What it has acknowledged survives a power cut. Ledger
// (ledger.go and ledger_*.go) is the signed orders of one issuer in it: what
// comes in by gossip and session, what a child lacks, what this node has to run.
//
// State refuses whatever is not exactly right: a document signed by somebody
// else than expected, an order that is older than what is held, a name that
// could not be typed in a selector. It imports nothing of ours.
package state
