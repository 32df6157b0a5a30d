package state

import "encoding/binary"

// concerns says whether a node has to hold an order: an anchor every app order
// and the roster of its subtree, a cell its own roster document and the orders
// that name it. self is the node's roster document, nil while it is not known.
func concerns(o Order, node Certificate, self *Member) bool {
	switch anchor := node.Role() != RoleCell; {
	case o.Member != nil:
		return o.Member.ID == node.ID || anchor && o.Member.Below(node.Name)
	case anchor:
		return true
	}
	return self != nil && o.App.Selector.Names(*self)
}

// Holding is a digest of the documents up to the head that concern a node: this
// one or a child. A child whose digest is not what its parent makes of its own
// ledger, while their heads are equal, lacks something: a parent that could not
// be trusted, or a restored disk, has made it believe otherwise.
func (l *Ledger) Holding(node Certificate) (digest uint64) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	self := l.entries[memberKey(node.ID)].order.Member
	for _, h := range l.entries {
		if !h.missing && !l.head.Before(h.ratchet.stamp) && concerns(h.order, node, self) {
			digest ^= binary.BigEndian.Uint64(h.ratchet.hash[:])
		}
	}
	return digest
}
