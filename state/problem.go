package state

import (
	"errors"
	"fmt"
	"strings"
)

// Kind says what sort of problem it is, for programs; people read the rest.
type Kind string

// The kinds of problems. Front doors turn them into exit and status codes.
const (
	Invalid   Kind = "invalid"   // what was asked makes no sense: ask otherwise
	NotFound  Kind = "not-found" // no such node, group, app, revision
	Taken     Kind = "taken"     // the name or place is in use
	Refused   Kind = "refused"   // not allowed to this peer, or not to this node
	Unable    Kind = "unable"    // allowed and sensible, but it can't be done now
	Corrupt   Kind = "corrupt"   // stored or received bytes are not what they must be
	Elsewhere Kind = "elsewhere" // another node must be asked
)

// Problem is the one shape of error in Pharos: what was being done, on which
// node, of which kind, why it failed, and what to do about it. It crosses
// tiers and the local API unchanged and prints as one line.
type Problem struct {
	Kind  Kind   `json:"kind"`
	Doing string `json:"doing"`          // "deploying shop to group:painting"
	Node  Name   `json:"node,omitempty"` // where, when it is not this node
	Cause string `json:"cause"`          // "no node is in the group"
	Fix   string `json:"fix,omitempty"`  // "add one: pharos group add painting NODE"

	Err error `json:"-"` // the error below, when there is one
}

// Error prints "deploying shop on press-7: no image: pull it (…)".
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.Doing)
	if p.Node != "" {
		fmt.Fprintf(&b, " on %s", p.Node)
	}
	cause := p.Cause
	if cause == "" && p.Err != nil {
		cause = p.Err.Error()
	}
	if cause != "" {
		if b.Len() > 0 {
			b.WriteString(": ")
		}
		b.WriteString(cause)
	}
	if p.Fix != "" {
		b.WriteString("; ")
		b.WriteString(p.Fix)
	}
	return b.String()
}

// Unwrap gives the error below.
func (p *Problem) Unwrap() error { return p.Err }

// Because makes a Problem around err. An err that is already a Problem keeps
// its kind, and its fix unless a better one is given; there is one fix in the end.
func Because(kind Kind, doing string, err error, fix string) *Problem {
	p := &Problem{Kind: kind, Doing: doing, Cause: err.Error(), Fix: fix, Err: err}
	var inner *Problem
	if errors.As(err, &inner) {
		p.Kind = inner.Kind
		if inner.Fix != "" {
			p.Cause = strings.TrimSuffix(err.Error(), "; "+inner.Fix)
		}
		if fix == "" {
			p.Fix = inner.Fix
		}
	}
	return p
}

// KindOf is the kind of a Problem anywhere in err's chain, or Unable.
func KindOf(err error) Kind {
	var p *Problem
	if errors.As(err, &p) {
		return p.Kind
	}
	return Unable
}

// AsProblem gives err as a Problem, wrapping it when it is none.
func AsProblem(err error, doing string) *Problem {
	var p *Problem
	if errors.As(err, &p) && error(p) == err { //nolint:errorlint // err itself, not one below it
		return p
	}
	return Because(Unable, doing, err, "")
}
