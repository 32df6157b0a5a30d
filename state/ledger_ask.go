package state

import "slices"

// What is asked of a ledger: by the parent for a child that is behind, by the
// anchor for whom a selector names, by the node for what it has to run.

// Missing gives, in the order of stamps, the documents in (after, head] that
// concern a child, and that head. The child's own roster document comes first:
// by it the child sees that the others concern it. holds says whether a cell holds an order of
// that key already, so that it hears when the order stops naming it.
//
// A cell that gets a new roster document gets with it every order that names
// it, of any age: it may be in a group now that an old order names.
func (l *Ledger) Missing(after Head, child Certificate, holds func(key string) bool) ([]Sealed, Head, error) {
	l.mu.RLock()
	through := l.head
	type doc struct {
		key   string
		stamp Stamp
	}
	var docs []doc
	self, known := l.entries[memberKey(child.ID)]
	known = known && !self.missing
	renewed := known && after.Before(self.ratchet.stamp)
	for key, h := range l.entries {
		newer := after.Before(h.ratchet.stamp)
		wanted := false
		switch {
		case h.missing || through.Before(h.ratchet.stamp):
		case h.order.Member != nil:
			wanted = newer && (h.order.Member.ID == child.ID || child.Gateway && h.order.Member.Below(child.Name))
		case child.Gateway:
			wanted = newer
		case known && h.order.App.Selector.Names(*self.order.Member):
			wanted = newer || renewed
		default:
			wanted = newer && holds(key)
		}
		if wanted {
			docs = append(docs, doc{key, h.ratchet.stamp})
		}
	}
	l.mu.RUnlock()

	own := memberKey(child.ID)
	slices.SortFunc(docs, func(a, b doc) int {
		if (a.key == own) != (b.key == own) {
			if a.key == own {
				return -1
			}
			return 1
		}
		return a.stamp.Compare(b.stamp)
	})
	out := make([]Sealed, 0, len(docs))
	for _, d := range docs {
		// A newer one may have replaced it since: that is as good.
		sealed, err := l.store.sealedOrder(l.issuer, d.key)
		if err != nil {
			return nil, Head{}, err
		}
		if sealed != nil {
			out = append(out, sealed)
		}
	}
	return out, through, nil
}

// Holds gives the keys of the app orders held, for a cell's Hello.
func (l *Ledger) Holds() []string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var keys []string
	for key, h := range l.entries {
		if !h.missing && h.order.App != nil {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// Named gives the members a selector names, by name.
func (l *Ledger) Named(s Selector) []Member {
	return slices.DeleteFunc(l.Members(), func(m Member) bool { return !s.Names(m) })
}

// Assignments says what this node has to run, stop or remove. runs are the
// apps it was given before: one that no order wants here any more is Gone,
// one that was never here is nothing.
//
// known is false while the node does not know its own place: then nothing may
// change. A node that was removed from the factory keeps what it had: only
// orders stop apps.
func (l *Ledger) Assignments(runs map[Name]bool) (all []Assignment, known bool, err error) {
	self, known := l.Self()
	if !known {
		return nil, false, nil
	}
	self.Removed = false
	for _, o := range l.Apps() {
		wanted := o.App.Want != Gone && o.App.Selector.Names(self)
		if wanted {
			// Read it whole; a newer one that came in between is as good.
			full, found, err := l.App(o.App.App)
			if err != nil || !found {
				return nil, false, err
			}
			o, wanted = full, full.App.Want != Gone && full.App.Selector.Names(self)
		}
		a := Assignment{App: o.App.App, Revision: o.App.Revision, Want: o.App.Want, Stamp: o.Stamp, Compose: o.App.Compose}
		if !wanted {
			if !runs[a.App] {
				continue
			}
			a.Want, a.Compose = Gone, nil
		}
		all = append(all, a)
	}
	return all, true, nil
}
