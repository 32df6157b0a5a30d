package state

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/crypto"
)

// Ledger is the orders of one issuer that a node holds: the newest of each app
// and each roster document, and the head up to which nothing is missing.
//
// What FromGossip, FromSession and Issue have taken is on disk. The ledger
// never takes a document that is older than one it has had of the same key,
// even if that one is lost since. It is safe for use by many goroutines.
type Ledger struct {
	store   *Store
	issuer  NodeID
	factory NodeID
	me      Certificate

	// writing is held by one change at a time, over the disk's sync too, which
	// may take seconds on a small device. Readers, heartbeats among them, wait
	// only for mu: it is taken for the moment in which a change becomes seen.
	writing sync.Mutex
	mu      sync.RWMutex
	entries map[string]held
	at      map[Stamp]string // the key that each stamp in entries is of
	head    Head

	// What follows is of changes alone, under writing.
	written Head // the head on disk
	last    Head // the newest stamp that was ever seen or tried to be issued
	// ahead holds what gossip brought beyond the head; the head passes over it
	// once nothing before it is missing.
	ahead map[Stamp]struct{}
	// torn says that a part of the session's present answer was not taken, so
	// that the head must not move to that answer's end.
	torn bool

	sorted atomic.Pointer[[]Member] // what Members gives, until one changes
}

// held is one key's newest document. The Compose project stays on disk.
type held struct {
	order   Order
	ratchet ratchet
	missing bool // the disk lost it; only the ratchet is known
}

// maxAhead bounds what is remembered beyond the head; beyond it the session
// brings the orders once more.
const maxAhead = 4096

// OpenLedger reads the orders of an issuer from the store. A document that is
// missing or broken on disk moves the head back before it, so that the parent
// sends it again; the damaged keys are returned for the log. The issuer itself
// has nobody to ask: its head stays, since no stamp may be given twice.
func OpenLedger(store *Store, me Certificate, issuer NodeID) (l *Ledger, damaged []string, err error) {
	l = &Ledger{
		store: store, issuer: issuer, factory: me.Factory, me: me,
		entries: map[string]held{}, at: map[Stamp]string{}, ahead: map[Stamp]struct{}{},
	}
	var keys int
	if l.head, keys, err = store.head(issuer); err != nil {
		return nil, nil, err
	}
	l.written = l.head
	if err := l.load(); err != nil {
		return nil, nil, err
	}
	for key, h := range l.entries {
		if h.missing {
			damaged = append(damaged, key)
			l.back(h.ratchet.stamp)
		}
		l.last = later(l.last, h.ratchet.stamp)
	}
	slices.Sort(damaged)
	if lost := keys - len(l.entries); lost > 0 {
		damaged = append(damaged, fmt.Sprintf("%d of which nothing is left", lost))
		l.back(Stamp{Epoch: 1, Number: 1})
	}
	if l.last = later(l.last, l.written); l.issues() {
		l.head = l.last
	}
	return l, damaged, nil
}

// load fills entries from the store. Documents are opened one by one: all of
// them at once would be a device's memory.
func (l *Ledger) load() error {
	err := l.store.each(ratchetKey(l.issuer, ""), func(key string, value []byte) error {
		if r, ok := ratchetFrom(value); ok {
			l.put(key, held{ratchet: r, missing: true})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the ledger: %w", err)
	}
	err = l.store.each(orderKey(l.issuer, ""), func(key string, value []byte) error {
		// One that is broken stays missing.
		if o, bad := l.open(value); bad == nil && o.Key() == key {
			// A document without its ratchet is as good: they were written as one.
			if h, has := l.entries[key]; !has || h.ratchet == ratchetOf(o, value) {
				l.put(key, held{order: o, ratchet: ratchetOf(o, value)}.light())
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the ledger: %w", err)
	}
	return nil
}

// issues says whether this node is the issuer itself.
func (l *Ledger) issues() bool { return l.issuer == l.me.ID }

// back moves the head before a stamp whose document is lost.
func (l *Ledger) back(lost Stamp) {
	if !l.issues() && lost.Compare(l.head) <= 0 {
		l.head = Head{Epoch: lost.Epoch, Number: lost.Number - 1}
	}
}

// lose notes that the disk has lost a document since it was read, and moves
// the head back before it.
func (l *Ledger) lose(key string, was ratchet) {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if h, has := l.entries[key]; has && h.ratchet == was && !h.missing {
		l.put(key, held{ratchet: was, missing: true})
		l.back(was.stamp)
	}
}

// put sets an entry in memory.
func (l *Ledger) put(key string, h held) {
	old, has := l.entries[key]
	if has && l.at[old.ratchet.stamp] == key {
		delete(l.at, old.ratchet.stamp)
	}
	if h.order.Member != nil || old.order.Member != nil {
		l.sorted.Store(nil)
	}
	l.entries[key], l.at[h.ratchet.stamp] = h, key
}

// light drops the project, which stays on disk.
func (h held) light() held {
	if h.order.App != nil {
		a := *h.order.App
		a.Compose = nil
		h.order.App = &a
	}
	return h
}

func later(a, b Stamp) Stamp {
	if a.Before(b) {
		return b
	}
	return a
}

// Head is the stamp up to which nothing is missing.
func (l *Ledger) Head() Head {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.head
}

// Issue signs the next order and commits it, with its entry in the history
// when it has one. When it returns without an error the order can't be lost.
func (l *Ledger) Issue(key crypto.PrivKey, fill func(*Order), history *Deployed) (Judged, error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	o := Order{Factory: l.factory, Issuer: l.issuer, Stamp: later(l.last, l.head).Next()}
	stamp := o.Stamp
	fill(&o)
	sealed, err := SealOrder(o, key)
	if err != nil {
		return Judged{}, err
	}
	// What we could not open again must not leave.
	if o, err = OpenOrder(sealed, l.factory); err != nil {
		return Judged{}, err
	}
	d := l.draft()
	j := d.judge(o, sealed)
	if j.Verdict != Fresh || o.Stamp != stamp || o.Issuer != l.issuer {
		return Judged{}, &Problem{Kind: Corrupt, Doing: "issuing order " + o.Stamp.String(), Cause: "the ledger calls it " + string(j.Verdict)}
	}
	var app Name
	switch {
	case o.App != nil:
		app = o.App.App
	case history != nil:
		return Judged{}, &Problem{Kind: Invalid, Doing: "issuing order " + o.Stamp.String(), Cause: "a roster document has no history"}
	}
	// A write that failed may be on disk all the same: its stamp is not given again.
	l.last = o.Stamp
	if err := d.commit(o.Stamp, app, history); err != nil {
		return Judged{}, err
	}
	return j, nil
}
