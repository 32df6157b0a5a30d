package state

import (
	"maps"
	"slices"
	"time"
)

// Role is what a node is in the tree.
type Role string

// The roles. Every role may run apps.
const (
	RoleRoot    Role = "root"    // the root anchor: commands the factory
	RoleGateway Role = "gateway" // an intermediate anchor
	RoleCell    Role = "cell"    // nothing below it
)

// Readiness of a node, as its anchors see it.
type Readiness string

// The readinesses. Unknown means that a gateway between is gone: nobody
// knows, and nobody says "dead".
const (
	Ready    Readiness = "Ready"
	NotReady Readiness = "NotReady"
	Unknown  Readiness = "Unknown"
)

// Member is a node's document in the roster: its place, groups and labels.
// The root signs one per node, and a new one for every change.
type Member struct {
	ID      NodeID
	Name    Name
	Gateway bool
	Parent  NodeID // empty for the root
	Path    []Name // names from the root down to the parent; empty for the root
	Groups  []Name // sorted
	Labels  map[string]string
	Removed bool // no longer of the factory; its apps go on running
}

// Limits of a roster document.
const (
	MaxDepth  = 16 // tiers from the root down
	MaxLabels = 64
	MaxGroups = 64
)

// Role of the member: the root has no parent.
func (m Member) Role() Role {
	switch {
	case m.Parent == "":
		return RoleRoot
	case m.Gateway:
		return RoleGateway
	}
	return RoleCell
}

// Below says whether the member is somewhere below the anchor of that name.
func (m Member) Below(anchor Name) bool { return slices.Contains(m.Path, anchor) }

// ParentName is the last name of the path, empty for the root.
func (m Member) ParentName() Name {
	if len(m.Path) == 0 {
		return ""
	}
	return m.Path[len(m.Path)-1]
}

// Clone copies the member, so that a change can't reach a shared one.
func (m Member) Clone() Member {
	m.Path, m.Groups, m.Labels = slices.Clone(m.Path), slices.Clone(m.Groups), maps.Clone(m.Labels)
	return m
}

// Certificate says: this peer, this name, this parent, may it be a gateway,
// until when. The root signs it at enrolment; a node shows it to its parent at
// the start of every session.
//
// There is no "not before": a device whose clock battery died must still be
// able to work.
type Certificate struct {
	Factory    NodeID
	ID         NodeID
	Name       Name
	Gateway    bool
	Parent     NodeID // empty for the root
	ParentName Name
	Issued     time.Time // whole seconds
	Expires    time.Time // whole seconds
}

// CertificateLife is how long a certificate holds.
const CertificateLife = 10 * 365 * 24 * time.Hour

// Role of the certificate's holder.
func (c Certificate) Role() Role {
	return Member{Parent: c.Parent, Gateway: c.Gateway}.Role()
}
