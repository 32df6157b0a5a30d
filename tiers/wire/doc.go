// Package wire holds the frames that tiers speak, generated from
// session.proto by `make generate`: those of the session between a child and
// its parent, and those of enrolment. Only tiers uses it; it refuses nothing
// by itself: tiers checks what it decodes.
package wire
