package state

import (
	"slices"
	"strings"
)

// What is asked of a ledger: by the parent for a child that is behind, by the
// anchor for whom a selector names, by the node for what it has to run.

// Missing gives the documents in (after, head] that concern a child, and that
// head: the child's own roster document first, since the child judges the
// others by it, and the others in the order of stamps. holds says whether a
// cell holds an order of that key already, so that it hears when the order
// stops naming it; it must not ask the ledger anything.
//
// A cell that gets a new roster document gets with it every order that names
// it, of any age: it may be in a group now that an old order names. With a zero
// after it is all that the child has to hold.
func (l *Ledger) Missing(after Head, child Certificate, holds func(key string) bool) ([]Sealed, Head, error) {
	for {
		docs, through := l.missing(after, child, holds)
		out := make([]Sealed, 0, len(docs))
		for _, d := range docs {
			// A newer one may have replaced it since: that is as good.
			sealed, err := l.document(d.key, d.ratchet)
			if KindOf(err) == Corrupt {
				break // the disk lost it: ask again, up to before it
			}
			if err != nil {
				return nil, Head{}, err
			}
			out = append(out, sealed)
		}
		if len(out) == len(docs) {
			return out, through, nil
		}
	}
}

type doc struct {
	key     string
	ratchet ratchet
}

func (l *Ledger) missing(after Head, child Certificate, holds func(key string) bool) (docs []doc, through Head) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	own := memberKey(child.ID)
	self := l.entries[own]
	renewed := after.Before(self.ratchet.stamp)
	for key, h := range l.entries {
		if h.missing || l.head.Before(h.ratchet.stamp) {
			continue
		}
		newer := after.Before(h.ratchet.stamp)
		meant := concerns(h.order, child, self.order.Member)
		fits := meant && (newer || renewed && h.order.App != nil && !child.Gateway)
		leaves := newer && !meant && h.order.App != nil && holds != nil && holds(key)
		if fits || leaves {
			docs = append(docs, doc{key, h.ratchet})
		}
	}
	slices.SortFunc(docs, func(a, b doc) int {
		switch {
		case a.key == own:
			return -1
		case b.key == own:
			return 1
		}
		return a.ratchet.stamp.Compare(b.ratchet.stamp)
	})
	return docs, l.head
}

// Holds gives the keys of the app orders held, for a cell's Hello. One that
// the disk lost is among them: the cell has to hear what became of it.
func (l *Ledger) Holds() []string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var keys []string
	for key := range l.entries {
		if strings.HasPrefix(key, appKey("")) {
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
// orders stop apps. An app that is left out has to be left as it is: the disk
// lost its order, and the parent will send it again.
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
			if KindOf(err) == Corrupt || err == nil && !found {
				continue
			}
			if err != nil {
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
