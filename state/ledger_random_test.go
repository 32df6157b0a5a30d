package state

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestRandomExchanges plays the root, a gateway and cells that exchange orders
// while gossip loses, doubles and reorders them, sessions answer late, and
// disks forget. No key may ever go back, and in the end all agree.
func TestRandomExchanges(t *testing.T) {
	seeds := uint64(300)
	if testing.Short() {
		seeds = 30
	}
	for seed := range seeds {
		play(t, seed)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// node is a ledger, its parent and what is under way to it.
type node struct {
	name   Name
	store  *Store
	ledger *Ledger
	parent *node
	late   []func() // answers of the session, in order
	newest map[string]Stamp
	noted  map[string]bool // keys that the parent has published for it
}

func (n *node) took(t *testing.T, all []Judged, err error) {
	if err != nil {
		t.Errorf("%s: %v", n.name, err)
	}
	for _, j := range all {
		key, s := j.Order.Key(), j.Order.Stamp
		switch {
		case j.Verdict == Conflict:
			t.Errorf("%s: a false alarm over %s (%s)", n.name, s, key)
		case j.Verdict == Fresh && s.Before(n.newest[key]):
			t.Errorf("%s: %s went back from %s to %s", n.name, key, n.newest[key], s)
		case j.Verdict == Fresh:
			n.newest[key] = s
		}
	}
}

// ask has the parent answer, in frames, to be taken some time later.
func (n *node) ask(t *testing.T, r *rand.Rand, holds func(string) bool) {
	after := n.ledger.Head()
	if n.parent.ledger.Head().Before(after) || r.IntN(10) == 0 {
		after = Head{} // the parent sends it all
	}
	docs, through, err := n.parent.ledger.Missing(after, n.ledger.me, holds)
	if err != nil {
		t.Error(err)
	}
	for len(docs) > 3 && r.IntN(2) == 0 {
		part := docs[:2]
		docs = docs[2:]
		n.late = append(n.late, func() { all, err := n.ledger.FromSession(part, after, nil); n.took(t, all, err) })
	}
	n.late = append(n.late, func() { all, err := n.ledger.FromSession(docs, after, &through); n.took(t, all, err) })
}

func (n *node) reopen(t *testing.T, r *rand.Rand, damage bool) {
	if damage {
		if keys := slices.Sorted(maps.Keys(n.ledger.entries)); len(keys) > 0 {
			mustDelete(t, n.store, orderKey(root, keys[r.IntN(len(keys))]))
		}
	}
	n.late = nil // a session ends with its process
	l, _, err := OpenLedger(n.store, n.ledger.me, root)
	if err != nil {
		t.Fatal(err)
	}
	n.ledger = l
}

func play(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	newNode := func(name Name, parent *node) *node {
		s := memoryStore(t)
		return &node{name: name, store: s, ledger: ledgerOn(t, s, name), parent: parent, newest: map[string]Stamp{}, noted: map[string]bool{}}
	}
	top := newNode("plant", nil)
	line := newNode("line-1", top)
	press1, press2 := newNode("press-1", line), newNode("press-2", line)
	office := newNode("office", top)
	below := []*node{line, press1, press2, office}
	for _, name := range []Name{"plant", "line-1", "line-2", "press-1", "press-2", "oven-1", "office"} {
		if r.IntN(3) > 0 || name == "plant" {
			issue(t, top.ledger, member(name))
		}
	}
	targets := []string{"all", "press-1", "press-2,office", "group:a", "group:b", "tier:line-1", "all,!group:a", "line-1", "tier:plant,!tier:line-2"}
	apps := []Name{"x", "y", "z"}
	var everything []Sealed
	for revision := range uint64(60) {
		switch what := r.IntN(12); {
		case what < 4:
			name := apps[r.IntN(len(apps))]
			fill := app(t, name, revision+1, targets[r.IntN(len(targets))])
			everything = append(everything, issue(t, top.ledger, wanting([]Want{Run, Run, Stopped, Gone}[r.IntN(4)], fill)))
			for _, n := range below {
				n.noted[appKey(name)] = true
			}
		case what < 6:
			name := []Name{"press-1", "press-2", "office", "line-1", "oven-1"}[r.IntN(5)]
			groups := [][]Name{nil, {"a"}, {"b"}, {"a", "b"}}[r.IntN(4)]
			everything = append(everything, issue(t, top.ledger, member(name, groups...)))
		case what < 8:
			n := below[r.IntN(len(below))]
			held := holding(n.ledger)
			n.ask(t, r, func(key string) bool { return n.noted[key] || held(key) })
		case what < 10:
			n := below[r.IntN(len(below))]
			if len(n.late) > 0 {
				n.late[0]()
				n.late = n.late[1:]
			}
		case what == 10:
			n := below[r.IntN(len(below))]
			n.reopen(t, r, r.IntN(2) == 0)
		}
		// Gossip: any order of the past, doubled or lost, in any order.
		for range r.IntN(4) {
			if len(everything) == 0 {
				break
			}
			n := below[r.IntN(len(below))]
			recent := max(0, len(everything)-1-r.IntN(6))
			j, err := n.ledger.FromGossip(everything[recent])
			n.took(t, []Judged{j}, err)
		}
		// No head may be beyond what the parent's says, but for lost disks.
		for _, n := range below {
			if top.ledger.Head().Before(n.ledger.Head()) {
				t.Errorf("%s is at %s, the root at %s", n.name, n.ledger.Head(), top.ledger.Head())
			}
		}
	}
	// All heals: every child asks until its head is its parent's, top down.
	for _, name := range []Name{"press-1", "press-2", "office", "line-1"} {
		if _, known := top.ledger.Member(idOf(string(name))); !known {
			issue(t, top.ledger, member(name))
		}
	}
	for _, n := range below {
		for _, f := range n.late {
			f()
		}
		n.late = nil
		for range 3 {
			if n.ledger.Head() == n.parent.ledger.Head() {
				break
			}
			answer(t, n.parent.ledger, n.ledger)
		}
		if n.ledger.Head() != n.parent.ledger.Head() {
			t.Fatalf("%s is at %s, its parent at %s", n.name, n.ledger.Head(), n.parent.ledger.Head())
		}
		if n.ledger.Holding(n.ledger.me) != top.ledger.Holding(n.ledger.me) {
			t.Errorf("%s does not hold what concerns it:\n%v\n%v", n.name, n.ledger.contents(), top.ledger.contents())
		}
		again, damaged, err := OpenLedger(n.store, n.ledger.me, root)
		if err != nil || len(damaged) > 0 {
			t.Errorf("%s: %q damaged, %v", n.name, damaged, err)
			continue
		}
		wantSame(t, again, n.ledger)
		if got, want := runsOf(t, n.ledger), truth(t, top.ledger, n.name); !slices.Equal(got, want) {
			t.Errorf("%s runs %v, want %v", n.name, got, want)
		}
	}
}

// truth is what a node has to run or stop, by the root's ledger.
func truth(t *testing.T, top *Ledger, name Name) []string {
	t.Helper()
	m, known := top.Member(idOf(string(name)))
	if !known {
		t.Fatalf("the root does not know %s", name)
	}
	out := []string{}
	for _, o := range top.Apps() {
		if o.App.Want != Gone && o.App.Selector.Names(m) {
			out = append(out, fmt.Sprintf("%s %d %s", o.App.App, o.App.Revision, o.App.Want))
		}
	}
	return out
}
