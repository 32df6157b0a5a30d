package tiers

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"pharos/mesh"
	"pharos/state"
)

// down is the way of orders through this node: into the ledger, on to its own
// tier, and to its runtime.
type down struct {
	n    *Node
	wake chan struct{} // the ledger changed: the runtime may have something to do
	mine atomic.Bool   // an order named this node: its head is worth a report, whatever the runtime has to say

	mu   sync.Mutex
	kept map[state.Name]bool // the apps that the runtime was last told to have, run or stopped
}

func newDown(n *Node) *down {
	d := &down{n: n, wake: make(chan struct{}, 1), kept: map[state.Name]bool{}}
	poke(d.wake)
	return d
}

// gossip takes what the parent published on its topic.
func (d *down) gossip(data []byte) {
	j, err := d.n.ledger.FromGossip(data)
	if err != nil {
		d.refuse(err)
		return
	}
	d.took(j)
	if j.Order.Member != nil && j.Order.Member.ID == d.n.cert.ID && d.n.uplink != nil {
		d.n.uplink.beatNow()
	}
}

// session takes what the parent sent on the session.
func (d *down) session(batch []state.Sealed, after state.Head, through *state.Head) error {
	all, err := d.n.ledger.FromSession(batch, after, through)
	if err != nil {
		d.refuse(err)
	}
	for _, j := range all {
		d.took(j)
	}
	if err == nil && through != nil {
		d.n.self.setProblem("") // whatever was refused before, nothing is missing now
	}
	return err
}

func (d *down) refuse(err error) {
	d.n.refused("order-"+string(state.KindOf(err)), "error", err)
	if state.KindOf(err) == state.Unable {
		d.n.self.setProblem(state.Clip(err.Error(), state.MaxReason))
	}
}

// took does what an order that was judged asks for.
func (d *down) took(j state.Judged) {
	switch j.Verdict {
	case state.Conflict:
		d.n.host.CountRefused("order-conflict")
		d.n.log.Error("ALARM: two different orders bear one stamp; the first one stays", "order", j.Order.Stamp, "about", j.Order.Key())
		return
	case state.Stale:
		d.n.refused("order-stale", "order", j.Order.Stamp, "about", j.Order.Key(), "error", "a newer one is held")
		return
	case state.Fresh:
	default:
		return
	}
	d.n.self.setProblem("")
	if m := j.Order.Member; m != nil {
		d.n.picture.member(*m)
	}
	if d.n.tier != nil {
		d.n.tier.relay(j)
	}
	if me, known := d.n.ledger.Self(); known && names(j.Order, me) {
		d.mine.Store(true)
	}
	d.n.picture.touched()
	poke(d.wake)
}

// names says whether an order is about this member, or of an app it names.
func names(o state.Order, m state.Member) bool {
	if o.Member != nil {
		return o.Member.ID == m.ID
	}
	return o.App.Selector.Names(m)
}

// run hands the runtime what the ledger wants of this node, whenever it changes.
func (d *down) run(ctx context.Context) {
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		case <-retry.C:
		}
		if err := d.assign(); err != nil {
			d.n.log.Error("can't read what this node has to run; trying again", "error", err)
			retry.Reset(10 * time.Second)
		}
	}
}

func (d *down) assign() error {
	all, known, err := d.assignments()
	if err != nil || !known {
		return err
	}
	mine := d.mine.Swap(false)
	d.n.runtime.Assign(all)
	if mine {
		d.n.self.touchHead()
	}
	return nil
}

// assignments gives what the runtime is to be told now, and notes on disk what
// it is to have, so that it can be told one day that it is to be gone.
func (d *down) assignments() ([]state.Assignment, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	runs, err := d.n.store.Runs()
	if err != nil {
		return nil, false, err
	}
	all, known, err := d.n.ledger.Assignments(runs)
	if err != nil || !known {
		return nil, known, err
	}
	for _, a := range all {
		if a.Want != state.Gone && !runs[a.App] {
			if err := d.n.store.PutRuns(a.App); err != nil {
				return nil, false, err
			}
		}
		d.kept[a.App] = a.Want != state.Gone
	}
	return all, true, nil
}

// gone takes the runtime's word that nothing is left of an app. When it was
// ordered to have it again meanwhile, it will.
func (d *down) gone(app state.Name) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.kept[app] {
		return nil
	}
	delete(d.kept, app)
	return d.n.store.DeleteRuns(app)
}

// relay passes a fresh order on to this node's own tier, unchanged, when
// anything below is meant. What is too large for gossip, and what gossip
// loses, goes over the sessions: a beat tells the children that there is more.
func (t *tier) relay(j state.Judged) {
	t.noteHolds(j)
	if m := j.Order.Member; m != nil && (m.Removed || m.ID != t.n.cert.ID && m.Parent != t.n.cert.ID) {
		t.expel(m.ID, "it is no child of this node any more")
	}
	if !t.meant(j) {
		return
	}
	if len(j.Sealed) <= mesh.MaxGossip {
		err := t.n.host.Publish(t.topic, j.Sealed)
		if err == nil {
			return
		}
		t.n.log.Warn("could not publish an order; it goes over the sessions", "order", j.Order.Stamp, "error", err)
	}
	t.beatAll()
}

// meant says whether an order concerns any node below this one.
func (t *tier) meant(j state.Judged) bool {
	if m := j.Order.Member; m != nil {
		return m.ID != t.n.cert.ID && m.Below(t.n.cert.Name)
	}
	for _, m := range t.n.members() {
		if m.ID != t.n.cert.ID && (names(j.Order, m) || j.Was != nil && names(*j.Was, m)) {
			return true
		}
	}
	return false
}
