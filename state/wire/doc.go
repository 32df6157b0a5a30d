// Package wire holds the protobuf messages of the documents of room state,
// generated from state.proto by `make generate`. Only state (which turns them
// into its own types and back) and tiers/wire (whose frames carry them) use
// it; it refuses nothing by itself: state checks what it decodes.
package wire
