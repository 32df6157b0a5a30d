package state

import "slices"

// How orders come into a ledger: by gossip, fast and with gaps, and by the
// session, which says up to where nothing is missing.

// Verdict says what the ledger did with a document.
type Verdict string

// The verdicts.
const (
	Fresh     Verdict = "fresh"      // taken, and on disk
	Duplicate Verdict = "duplicate"  // held already
	Stale     Verdict = "stale"      // a newer one is held, or was passed over
	Foreign   Verdict = "not for us" // concerns neither this node nor what is below it
	Conflict  Verdict = "conflict"   // something else under a stamp that is held: an alarm
)

// Judged is an order and what became of it.
type Judged struct {
	Order   Order
	Sealed  Sealed
	Verdict Verdict
	Was     *Order // what a fresh order replaced, without its project
}

// FromGossip takes one document that gossip brought. It applies at once, and
// the head moves only over numbers of which none is missing, and never into
// another epoch.
//
// A cell's own roster document never moves the head: the older orders that
// name the cell since then come with it on the session.
//
// What is not held although the head is past it was replaced by something that
// does not concern this node: whoever repeats it now gets nothing started.
func (l *Ledger) FromGossip(sealed Sealed) (Judged, error) {
	o, err := l.open(sealed)
	if err != nil {
		return Judged{}, err
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	d := l.draft()
	d.gossip = true
	j := d.judge(o, sealed)
	passes := j.Verdict != Conflict && !(l.own(o) && l.me.Role() == RoleCell)
	head := l.head
	if passes {
		head = l.passed(o.Stamp)
	}
	if err := d.commit(head, "", nil); err != nil {
		return Judged{}, err
	}
	// Only now: what the disk refused has not been seen.
	if passes && l.head.Before(o.Stamp) && len(l.ahead) < maxAhead {
		l.ahead[o.Stamp] = struct{}{}
	}
	return j, nil
}

// passed is where the head would be after seeing this stamp.
func (l *Ledger) passed(s Stamp) Head {
	head := l.head
	for next := head.Next(); ; next = head.Next() {
		if _, seen := l.ahead[next]; !seen && next != s {
			return head
		}
		head = next
	}
}

// FromSession takes what the parent sent: everything that concerns this node
// in (after, through], or with a zero after all that does. An answer may come
// in several batches, of which the last one has a through that is not nil: it
// moves the head there, when all of the answer was taken and the answer begins
// no later than the head. Only an answer that brings all moves it back.
//
// An order that can't be taken is refused alone; the error is the first
// refusal, and the head then stays. What is returned was taken even when there
// is an error.
func (l *Ledger) FromSession(batch []Sealed, after Head, through *Head) ([]Judged, error) {
	var refused error
	todo := make([]Judged, 0, len(batch))
	for _, sealed := range batch {
		o, err := l.open(sealed)
		if err == nil {
			todo = append(todo, Judged{Order: o, Sealed: sealed})
		} else if refused == nil {
			refused = err
		}
	}
	// Whether an order is for a cell depends on the cell's own document.
	slices.SortStableFunc(todo, func(a, b Judged) int {
		switch own := l.own(a.Order); {
		case own == l.own(b.Order):
			return 0
		case own:
			return -1
		}
		return 1
	})

	l.writing.Lock()
	defer l.writing.Unlock()
	l.torn = l.torn || refused != nil
	done := make([]Judged, 0, len(todo))
	d := l.draft()
	taken := 0
	for _, j := range todo {
		if d.full() {
			if err := d.commit(l.head, "", nil); err != nil {
				l.torn = through == nil
				return done[:taken], err
			}
			taken, d = len(done), l.draft()
		}
		done = append(done, d.judge(j.Order, j.Sealed))
	}
	head := l.head
	if through != nil {
		switch {
		case l.torn:
		case after == Head{}:
			// All that this node should hold: the head is there, wherever it was.
			head = *through
			clear(l.ahead)
		case after.Compare(l.head) <= 0 && l.head.Before(*through):
			head = *through
		}
		l.torn = false
	}
	if err := d.commit(head, "", nil); err != nil {
		l.torn = through == nil
		return done[:taken], err
	}
	return done, refused
}

// open opens an order of this ledger's issuer.
func (l *Ledger) open(sealed Sealed) (Order, error) {
	o, err := OpenOrder(sealed, l.factory)
	if err == nil && o.Issuer != l.issuer {
		err = &Problem{Kind: Refused, Doing: "accepting order " + o.Stamp.String(), Cause: "its issuer has no ledger here"}
	}
	return o, err
}

// own says whether an order is this node's own roster document.
func (l *Ledger) own(o Order) bool { return o.Member != nil && o.Member.ID == l.me.ID }

// draft is what is to be written in one transaction, and seen only then.
type draft struct {
	l       *Ledger
	entries []entry
	orders  map[string]held
	at      map[Stamp]string
	gossip  bool // it may be of any age
	bytes   int
	added   int // keys that are new
}

// A transaction of Badger's is bounded by the store's options.
const (
	draftBytes = 256 << 10
	draftCount = 500
)

// draft starts one. Writing must be held until it is committed.
func (l *Ledger) draft() *draft {
	return &draft{l: l, orders: map[string]held{}, at: map[Stamp]string{}}
}

func (d *draft) full() bool { return d.bytes >= draftBytes || len(d.entries) >= draftCount }

// look finds what is held, or is going to be.
func (d *draft) look(key string) (held, bool) {
	if h, has := d.orders[key]; has {
		return h, true
	}
	h, has := d.l.entries[key]
	return h, has
}

// judge says what to do with an order, and drafts it when it is fresh.
func (d *draft) judge(o Order, sealed Sealed) Judged {
	j := Judged{Order: o, Sealed: sealed}
	key, r := o.Key(), ratchetOf(o, sealed)
	was, has := d.look(key)
	self, _ := d.look(memberKey(d.l.me.ID))
	switch {
	case d.taken(o.Stamp, key):
		j.Verdict = Conflict
	case has && o.Stamp.Before(was.ratchet.stamp):
		j.Verdict = Stale
	case has && o.Stamp == was.ratchet.stamp && r.hash != was.ratchet.hash:
		j.Verdict = Conflict
	case has && o.Stamp == was.ratchet.stamp && !was.missing:
		j.Verdict = Duplicate
	case !has && !concerns(o, d.l.me, self.order.Member):
		j.Verdict = Foreign
	case !has && d.gossip && !d.l.head.Before(o.Stamp):
		j.Verdict = Stale
	default:
		j.Verdict = Fresh
		if has && !was.missing {
			j.Was = &was.order
		}
		if !has {
			d.added++
		}
		d.entries = append(d.entries, entry{key, sealed, r})
		d.orders[key], d.at[o.Stamp] = held{order: o, ratchet: r}.light(), key
		d.bytes += len(sealed)
	}
	return j
}

// taken says whether the stamp is held already, by another key.
func (d *draft) taken(s Stamp, key string) bool {
	if k, has := d.at[s]; has {
		return k != key
	}
	k, has := d.l.at[s]
	return has && k != key
}

// commit writes the draft and the head, then lets them be seen.
func (d *draft) commit(head Head, app Name, history *Deployed) error {
	l := d.l
	// A head that moved on over what does not concern this node is not worth a
	// write: after a restart the parent confirms it again. One that moves over an
	// order held is: a gateway passes on nothing that is ahead of its head, and
	// may be cut off when it starts again.
	idle := head.Epoch == l.written.Epoch && !head.Before(l.written) && head.Number < l.written.Number+64 && !l.written.Before(l.last)
	if len(d.entries) > 0 || head != l.head && !idle {
		if err := l.store.commit(l.issuer, d.entries, head, len(l.entries)+d.added, app, history); err != nil {
			return err
		}
		l.written = head
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, h := range d.orders {
		l.put(key, h)
		l.last = later(l.last, h.ratchet.stamp)
	}
	if head == l.head {
		return nil
	}
	l.head = head
	for s := range l.ahead {
		if !head.Before(s) {
			delete(l.ahead, s)
		}
	}
	return nil
}
