package state

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
)

// What a ledger holds, for whoever wants to see it.

// Self is this node's roster document; found is false before it has come.
func (l *Ledger) Self() (m Member, found bool) { return l.Member(l.me.ID) }

// Member is the newest roster document of a node that this one holds.
func (l *Ledger) Member(id NodeID) (m Member, found bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	h, has := l.entries[memberKey(id)]
	if !has || h.missing {
		return Member{}, false
	}
	return *h.order.Member, true
}

// Members gives the roster documents held, removed ones included, by name. The
// slice is the caller's; what the members point to is shared: nobody may
// change it (Clone).
func (l *Ledger) Members() []Member {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if all := l.sorted.Load(); all != nil {
		return slices.Clone(*all)
	}
	var all []Member
	for _, h := range l.entries {
		if h.order.Member != nil {
			all = append(all, *h.order.Member)
		}
	}
	slices.SortFunc(all, func(a, b Member) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	l.sorted.Store(&all)
	return slices.Clone(all)
}

// Apps gives the newest order of every app held, by name, without projects.
func (l *Ledger) Apps() []Order {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var all []Order
	for _, h := range l.entries {
		if h.order.App != nil {
			all = append(all, h.order)
		}
	}
	slices.SortFunc(all, func(a, b Order) int { return cmp.Compare(a.App.App, b.App.App) })
	return all
}

// Newest is the newest order of an app, without its project.
func (l *Ledger) Newest(app Name) (o Order, found bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	h, has := l.entries[appKey(app)]
	return h.order, has && !h.missing
}

// App is the newest order of an app, with its project.
func (l *Ledger) App(app Name) (o Order, found bool, err error) {
	l.mu.RLock()
	h, has := l.entries[appKey(app)]
	l.mu.RUnlock()
	if !has || h.missing {
		return Order{}, false, nil
	}
	sealed, err := l.document(appKey(app), h.ratchet)
	if err == nil {
		o, err = OpenOrder(sealed, l.factory)
	}
	if err != nil {
		return Order{}, false, Because(Corrupt, fmt.Sprintf("reading the order of app %s", app), err, "deploy the app again if the parent can't send it once more")
	}
	return o, true, nil
}

// document reads a document from the store: the one of that ratchet, or a
// newer one. One that the disk has lost since is noted as missing.
func (l *Ledger) document(key string, r ratchet) (Sealed, error) {
	sealed, err := l.store.sealedOrder(l.issuer, key)
	if errors.Is(err, errClosed) {
		return nil, err
	}
	if err == nil && sha256.Sum256(sealed) == r.hash {
		return sealed, nil // the bytes whose signature was checked when they came
	}
	if err == nil {
		o, failed := OpenOrder(sealed, l.factory)
		if failed == nil && o.Key() == key && !o.Stamp.Before(r.stamp) {
			return sealed, nil
		}
		err = failed
	}
	l.lose(key, r)
	return nil, &Problem{Kind: Corrupt, Doing: "reading " + key + " from the store", Cause: "it is missing or broken on disk", Err: err}
}
