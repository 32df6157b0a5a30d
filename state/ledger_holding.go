package state

import "encoding/binary"

// Holding is a digest of the documents held that concern a node: this one or a
// child. A child whose digest is not what its parent makes of its own ledger,
// while their heads are equal, lacks something: a parent that could not be
// trusted, or a restored disk, has made it believe otherwise.
func (l *Ledger) Holding(node Certificate) (digest uint64) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	self := l.entries[memberKey(node.ID)].order.Member
	for _, h := range l.entries {
		var concerns bool
		switch o := h.order; {
		case h.missing:
		case o.Member != nil:
			concerns = o.Member.ID == node.ID || node.Gateway && o.Member.Below(node.Name)
		case node.Gateway:
			concerns = true
		default:
			concerns = self != nil && o.App.Selector.Names(*self)
		}
		if concerns {
			digest ^= binary.BigEndian.Uint64(h.ratchet.hash[:])
		}
	}
	return digest
}
