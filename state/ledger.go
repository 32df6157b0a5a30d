package state

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/libp2p/go-libp2p/core/crypto"
)

// Ledger is the orders of one issuer that a node holds: the newest of each app
// and each roster document, and the head up to which nothing is missing.
//
// What Accept has taken is on disk. The ledger never takes a document that is
// older than one it has had of the same key, even if that one is lost since.
// It is safe for use by many goroutines.
type Ledger struct {
	store   *Store
	issuer  NodeID
	factory NodeID
	me      Certificate

	mu      sync.RWMutex
	entries map[string]held
	head    Head
	// ahead holds the numbers seen beyond the head that gossip brought; the
	// head passes over them once none before is missing.
	ahead map[uint64]Stamp
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
// sends it again; the damaged keys are returned for the log.
func OpenLedger(store *Store, me Certificate, issuer NodeID) (l *Ledger, damaged []string, err error) {
	all, head, err := store.load(issuer)
	if err != nil {
		return nil, nil, err
	}
	l = &Ledger{
		store: store, issuer: issuer, factory: me.Factory, me: me,
		entries: make(map[string]held, len(all)), head: head, ahead: map[uint64]Stamp{},
	}
	for key, st := range all {
		h := held{ratchet: st.ratchet}
		if st.sealed != nil {
			h.order, err = OpenOrder(st.sealed, me.Factory)
		}
		if st.sealed == nil || err != nil || h.order.Key() != key || h.order.Stamp != st.ratchet.stamp {
			h.missing, h.order = true, Order{}
			damaged = append(damaged, key)
			if st.ratchet.stamp.Compare(l.head) <= 0 {
				l.head = Head{Epoch: st.ratchet.stamp.Epoch, Number: st.ratchet.stamp.Number - 1}
			}
		}
		l.entries[key] = h.light()
	}
	slices.Sort(damaged)
	return l, damaged, nil
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

// Head is the stamp up to which nothing is missing.
func (l *Ledger) Head() Head {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.head
}

// Verdict says what Accept did with a document.
type Verdict string

// The verdicts.
const (
	Fresh     Verdict = "fresh"      // taken, and on disk
	Duplicate Verdict = "duplicate"  // held already
	Stale     Verdict = "stale"      // a newer one is held
	Foreign   Verdict = "not for us" // concerns neither this node nor what is below it
	Conflict  Verdict = "conflict"   // other bytes under a stamp that is held: an alarm
)

// Accepted order and what became of it.
type Judged struct {
	Order   Order
	Sealed  Sealed
	Verdict Verdict
	Was     *Order // what a fresh order replaced, without its project
}

// FromGossip takes one document that gossip brought. It applies at once, and
// the head moves only over numbers of which none is missing.
//
// A cell's own roster document never moves the head: the older orders that
// name the cell since then come with it on the session.
func (l *Ledger) FromGossip(sealed Sealed) (Judged, error) {
	o, err := OpenOrder(sealed, l.factory)
	if err != nil {
		return Judged{}, err
	}
	if o.Issuer != l.issuer {
		return Judged{}, &Problem{Kind: Refused, Doing: "accepting order " + o.Stamp.String(), Cause: "its issuer has no ledger here"}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	j := l.judge(o, sealed, nil)
	head, ahead := l.head, j.Verdict != Conflict && !(o.Member != nil && o.Member.ID == l.me.ID)
	if ahead {
		head = l.passed(o.Stamp)
	}
	if err := l.take([]*Judged{&j}, head); err != nil {
		return Judged{}, err
	}
	return j, nil
}

// passed is where the head would be after seeing this stamp.
func (l *Ledger) passed(s Stamp) Head {
	if s.Number > l.head.Number && len(l.ahead) < maxAhead {
		l.ahead[s.Number] = s
	}
	head := l.head
	for {
		next, seen := l.ahead[head.Number+1]
		if !seen {
			return head
		}
		head = next
	}
}

// FromSession takes what the parent sent: everything that concerns this node
// in (after, through]. A through that is not nil moves the head there. An
// order that can't be taken is refused alone; the error is the first refusal,
// and the head then stays.
func (l *Ledger) FromSession(batch []Sealed, after Head, through *Head) ([]Judged, error) {
	var (
		refused error
		opened  []*Judged
		self    *Member // the newest word on this node's own place
	)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, sealed := range batch {
		o, err := OpenOrder(sealed, l.factory)
		if err == nil && o.Issuer != l.issuer {
			err = &Problem{Kind: Refused, Doing: "accepting order " + o.Stamp.String(), Cause: "its issuer has no ledger here"}
		}
		if err != nil {
			if refused == nil {
				refused = err
			}
			continue
		}
		if o.Member != nil && o.Member.ID == l.me.ID {
			self = o.Member
		}
		opened = append(opened, &Judged{Order: o, Sealed: sealed})
	}
	orders := make([]*Judged, 0, len(opened))
	for _, j := range opened {
		judged := l.judge(j.Order, j.Sealed, self)
		orders = append(orders, &judged)
	}
	head := l.head
	// A parent that answers an old question must not let the head jump over a gap.
	if through != nil && refused == nil && after.Compare(l.head) <= 0 && l.head.Before(*through) {
		head = *through
	}
	if err := l.take(orders, head); err != nil {
		return nil, err
	}
	out := make([]Judged, len(orders))
	for i, j := range orders {
		out[i] = *j
	}
	return out, refused
}

// judge says what to do with an order, without doing it. self is this node's
// roster document when a newer one than the held one comes with the order.
func (l *Ledger) judge(o Order, sealed Sealed, self *Member) Judged {
	j := Judged{Order: o, Sealed: sealed}
	was, has := l.entries[o.Key()]
	switch {
	case has && o.Stamp.Before(was.ratchet.stamp):
		j.Verdict = Stale
	case has && o.Stamp == was.ratchet.stamp && sha256.Sum256(sealed) != was.ratchet.hash:
		j.Verdict = Conflict
	case has && o.Stamp == was.ratchet.stamp && !was.missing:
		j.Verdict = Duplicate
	case !has && !l.concerns(o, self):
		j.Verdict = Foreign
	default:
		j.Verdict = Fresh
		if has && !was.missing {
			j.Was = &was.order
		}
	}
	return j
}

// take writes the fresh ones and the head, then lets them be seen. Within a
// batch the newest of each key wins.
func (l *Ledger) take(orders []*Judged, head Head) error {
	var entries []entry
	newest := map[string]Stamp{}
	for _, j := range orders {
		if j.Verdict != Fresh {
			continue
		}
		key := j.Order.Key()
		if !newest[key].Before(j.Order.Stamp) {
			j.Verdict = Stale
			continue
		}
		newest[key] = j.Order.Stamp
		entries = append(entries, entry{key: key, sealed: j.Sealed, ratchet: ratchet{j.Order.Stamp, sha256.Sum256(j.Sealed)}})
	}
	moved := &head
	// A head that moved over what does not concern this node is not worth a
	// write: after a restart the parent confirms it again.
	if head == l.head || len(entries) == 0 && head.Number < l.head.Number+64 {
		moved = nil
	}
	if err := l.store.commit(l.issuer, entries, moved); err != nil {
		return err
	}
	for _, j := range orders {
		if j.Verdict == Fresh {
			l.entries[j.Order.Key()] = held{order: j.Order, ratchet: ratchet{j.Order.Stamp, sha256.Sum256(j.Sealed)}}.light()
		}
	}
	l.setHead(head)
	return nil
}

func (l *Ledger) setHead(head Head) {
	l.head = head
	for n := range l.ahead {
		if n <= head.Number {
			delete(l.ahead, n)
		}
	}
}

// Issue signs the next order and commits it, with its entry in the history
// when it has one. When it returns without an error the order can't be lost.
func (l *Ledger) Issue(key crypto.PrivKey, fill func(*Order), history *Deployed) (Judged, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := Order{Factory: l.factory, Issuer: l.issuer, Stamp: l.head.Next()}
	fill(&o)
	sealed, err := SealOrder(o, key)
	if err != nil {
		return Judged{}, err
	}
	// What we could not open again must not leave.
	if o, err = OpenOrder(sealed, l.factory); err != nil {
		return Judged{}, err
	}
	j := l.judge(o, sealed, nil)
	if j.Verdict != Fresh {
		return Judged{}, &Problem{Kind: Corrupt, Doing: "issuing order " + o.Stamp.String(), Cause: "the ledger calls it " + string(j.Verdict)}
	}
	e := entry{key: o.Key(), sealed: sealed, ratchet: ratchet{o.Stamp, sha256.Sum256(sealed)}, history: history}
	if o.App != nil {
		e.app = o.App.App
	}
	if err := l.store.commit(l.issuer, []entry{e}, &o.Stamp); err != nil {
		return Judged{}, err
	}
	l.entries[e.key] = held{order: o, ratchet: e.ratchet}.light()
	l.setHead(o.Stamp)
	return j, nil
}

// concerns says whether this node has to hold the order: an anchor every app
// order and the roster of its subtree, a cell its own roster document and the
// orders that name it.
func (l *Ledger) concerns(o Order, self *Member) bool {
	if m := o.Member; m != nil {
		return m.ID == l.me.ID || l.me.Role() != RoleCell && m.Below(l.me.Name)
	}
	if l.me.Role() != RoleCell {
		return true
	}
	if self == nil {
		if h, known := l.entries[memberKey(l.me.ID)]; known && !h.missing {
			self = h.order.Member
		}
	}
	return self != nil && o.App.Selector.Names(*self)
}

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

// Members gives the roster documents held, removed ones included, by name.
// They are shared: nobody may change them.
func (l *Ledger) Members() []Member {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var all []Member
	for _, h := range l.entries {
		if h.order.Member != nil {
			all = append(all, *h.order.Member)
		}
	}
	slices.SortFunc(all, func(a, b Member) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return all
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
	slices.SortFunc(all, func(a, b Order) int { return strings.Compare(string(a.App.App), string(b.App.App)) })
	return all
}

// App is the newest order of an app, with its project.
func (l *Ledger) App(app Name) (o Order, found bool, err error) {
	l.mu.RLock()
	h, has := l.entries[appKey(app)]
	l.mu.RUnlock()
	if !has || h.missing {
		return Order{}, false, nil
	}
	sealed, err := l.store.sealedOrder(l.issuer, appKey(app))
	if err != nil {
		return Order{}, false, err
	}
	if o, err = OpenOrder(sealed, l.factory); err != nil {
		return Order{}, false, Because(Corrupt, fmt.Sprintf("reading the order of app %s", app), err, "restart pharos: it fetches the order from its parent again")
	}
	return o, true, nil
}
