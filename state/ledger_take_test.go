package state

import (
	"bytes"
	"testing"
)

func TestVerdicts(t *testing.T) {
	l := ledgerOf(t, "line-1")
	shop5 := order(t, 5, app(t, "shop", 2, "all"))
	gossip(t, l, shop5, Fresh)
	gossip(t, l, shop5, Duplicate)
	gossip(t, l, order(t, 4, app(t, "shop", 1, "all")), Stale)
	gossip(t, l, order(t, 5, app(t, "shop", 3, "all")), Conflict)
	gossip(t, l, order(t, 5, app(t, "other", 1, "all")), Conflict) // one stamp is one document's
	gossip(t, l, order(t, 6, member("press-1")), Fresh)
	gossip(t, l, order(t, 7, member("oven-1")), Foreign) // of the other line
	if j := gossip(t, l, order(t, 8, app(t, "shop", 3, "press-1")), Fresh); j.Was == nil || j.Was.App.Revision != 2 {
		t.Errorf("what it replaced is said to be %v", j.Was)
	}
	// An epoch is above every number.
	gossip(t, l, orderAt(t, Stamp{2, 1}, app(t, "shop", 9, "all")), Fresh)
	gossip(t, l, order(t, 99, app(t, "shop", 10, "all")), Stale)

	_, err := l.FromGossip(flipped(shop5, 40))
	if err == nil {
		t.Error("a tampered order was taken")
	}
	o, _, err := l.App("shop")
	if err != nil || o.App.Revision != 9 || !bytes.Equal(o.App.Compose, []byte("shop 9")) {
		t.Errorf("the app is %+v, %v", o.App, err)
	}
}

// An order that was replaced by one that does not name the cell must not come
// back when somebody repeats it, though the cell never held that app.
func TestWithdrawnOrdersCantBeRepeated(t *testing.T) {
	l := issuer(t, "line-1", "press-1")
	withdrawn := issue(t, l, app(t, "shop", 1, "all"))
	issue(t, l, app(t, "shop", 2, "line-1"))
	cell := ledgerOf(t, "press-1")
	answer(t, l, cell)
	gossip(t, cell, withdrawn, Stale)
	if got := runsOf(t, cell); len(got) != 0 {
		t.Errorf("it runs %v", got)
	}
}

func TestACellTakesWhatNamesIt(t *testing.T) {
	l := ledgerOf(t, "press-1")
	gossip(t, l, order(t, 1, app(t, "early", 1, "all")), Foreign) // it does not know itself yet
	gossip(t, l, order(t, 2, member("press-1")), Fresh)
	gossip(t, l, order(t, 3, member("press-2")), Foreign)
	gossip(t, l, order(t, 4, app(t, "shop", 1, "tier:line-1")), Fresh)
	gossip(t, l, order(t, 5, app(t, "oven", 1, "tier:line-2")), Foreign)
	gossip(t, l, order(t, 6, app(t, "shop", 2, "press-2")), Fresh) // it names the cell no more
}

func TestGossipMovesTheHeadOverNoGap(t *testing.T) {
	l := ledgerOf(t, "line-1")
	numbered := func(n uint64) Sealed { return order(t, n, app(t, "shop", n, "all")) }
	for _, step := range []struct{ number, head uint64 }{{2, 0}, {4, 0}, {1, 2}, {1, 2}, {6, 2}, {3, 4}, {5, 6}} {
		if _, err := l.FromGossip(numbered(step.number)); err != nil {
			t.Fatal(err)
		}
		wantHead(t, l, step.head)
	}
	// Another epoch's numbers say nothing of this one's.
	gossip(t, l, orderAt(t, Stamp{2, 7}, app(t, "b", 1, "all")), Fresh)
	gossip(t, l, orderAt(t, Stamp{1, 8}, app(t, "e", 1, "all")), Fresh)
	wantHead(t, l, 6)
	through := Head{2, 7}
	if _, err := l.FromSession(nil, Head{1, 6}, &through); err != nil || l.Head() != through {
		t.Fatalf("the session's word leaves the head at %s, %v", l.Head(), err)
	}
	// What was seen of the old epoch must not take it back.
	gossip(t, l, orderAt(t, Stamp{1, 9}, app(t, "c", 1, "all")), Stale)
	gossip(t, l, orderAt(t, Stamp{2, 8}, app(t, "d", 1, "all")), Fresh)
	if l.Head() != (Head{2, 8}) {
		t.Fatalf("the head is %s", l.Head())
	}
}

func TestOwnRosterDocumentHoldsACellsHead(t *testing.T) {
	cell, gateway := ledgerOf(t, "press-1"), ledgerOf(t, "line-1")
	for n, fill := range []func(*Order){member("plant"), member("line-1"), member("press-1"), member("press-2")} {
		sealed := order(t, uint64(n+1), fill)
		for _, l := range []*Ledger{cell, gateway} {
			if _, err := l.FromGossip(sealed); err != nil {
				t.Fatal(err)
			}
		}
	}
	wantHead(t, gateway, 4)
	wantHead(t, cell, 2)
	through := Head{1, 4}
	if _, err := cell.FromSession(nil, Head{1, 2}, &through); err != nil {
		t.Fatal(err)
	}
	wantHead(t, cell, 4)
}

func TestSessionMovesTheHead(t *testing.T) {
	for name, c := range map[string]struct {
		at, after, through, want uint64
	}{
		"onward":                      {5, 5, 9, 9},
		"an answer to an older head":  {5, 3, 9, 9},
		"an old answer":               {5, 3, 4, 5},
		"begins beyond the head":      {5, 7, 9, 5},
		"all there is":                {5, 0, 9, 9},
		"all there is, and it's less": {5, 0, 3, 3}, // a former parent said too much
	} {
		l := ledgerOf(t, "line-1")
		start := Head{1, c.at}
		if _, err := l.FromSession(nil, Head{}, &start); err != nil {
			t.Fatal(err)
		}
		after, through := Head{1, c.after}, Head{1, c.through}
		if c.after == 0 {
			after = Head{}
		}
		if _, err := l.FromSession(nil, after, &through); err != nil {
			t.Fatal(err)
		}
		if l.Head().Number != c.want {
			t.Errorf("%s: the head is %s, want number %d", name, l.Head(), c.want)
		}
	}
}

func TestOneBadOrderIsRefusedAlone(t *testing.T) {
	good := []Sealed{order(t, 1, app(t, "a", 1, "all")), order(t, 3, app(t, "c", 1, "all"))}
	bad := flipped(order(t, 2, app(t, "b", 1, "all")), 50)
	through := Head{1, 3}

	l := ledgerOf(t, "line-1")
	done, err := l.FromSession([]Sealed{good[0], bad, good[1]}, Head{}, &through)
	if err == nil || len(done) != 2 || done[0].Verdict != Fresh || done[1].Verdict != Fresh {
		t.Fatalf("%d orders taken, %v", len(done), err)
	}
	wantHead(t, l, 0)

	// The same in an answer of several batches: its end must not hide the hole.
	l = ledgerOf(t, "line-1")
	if _, err := l.FromSession([]Sealed{good[0], bad}, Head{}, nil); err == nil {
		t.Fatal("the bad order was taken")
	}
	if _, err := l.FromSession(good[1:], Head{}, &through); err != nil {
		t.Fatal(err)
	}
	wantHead(t, l, 0)
	// The next answer is judged by itself.
	if _, err := l.FromSession([]Sealed{order(t, 2, app(t, "b", 1, "all"))}, Head{}, &through); err != nil {
		t.Fatal(err)
	}
	wantHead(t, l, 3)
}

func TestOneBatchWithEverythingInIt(t *testing.T) {
	// A cell that was away: what names it only since its newest roster
	// document, several of one key, doubles, and other bytes under one stamp.
	l := ledgerOf(t, "press-1")
	old := order(t, 2, app(t, "paint", 1, "group:painting"))
	a1, a2, a2x := order(t, 4, app(t, "a", 1, "all")), order(t, 5, app(t, "a", 2, "all")), order(t, 5, app(t, "a", 3, "all"))
	own := order(t, 6, member("press-1", "painting"))
	through := Head{1, 6}
	done, err := l.FromSession([]Sealed{old, a1, a2, a2x, a1, a2, own}, Head{}, &through)
	if err != nil {
		t.Fatal(err)
	}
	var got []Verdict
	for _, j := range done {
		got = append(got, j.Verdict)
	}
	want := []Verdict{Fresh, Fresh, Fresh, Fresh, Conflict, Stale, Duplicate} // its own document first
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("verdicts %v, want %v", got, want)
		}
	}
	if runs := runsOf(t, l); len(runs) != 2 || runs[0] != "a 2 run" || runs[1] != "paint 1 run" {
		t.Errorf("it runs %v", runs)
	}
}

// failing is a keeper that refuses writes while it is told to.
type failing struct {
	keeper
	refuse bool
	after  int // writes that still succeed
}

func (f *failing) write(c []change) error {
	if f.refuse {
		if f.after--; f.after < 0 {
			return &Problem{Kind: Unable, Doing: "writing", Cause: "the disk is full"}
		}
	}
	return f.keeper.write(c)
}

func TestAFullDiskLosesNothing(t *testing.T) {
	store := memoryStore(t)
	disk := &failing{keeper: store.keep, refuse: true}
	store.keep = disk
	l := ledgerOn(t, store, "line-1")
	first, second := order(t, 1, app(t, "a", 1, "all")), order(t, 2, app(t, "b", 1, "all"))
	_, err := l.FromGossip(first)
	wantKind(t, err, Unable)
	disk.refuse = false
	// The one that was refused has not been seen: the head must not pass over it.
	gossip(t, l, second, Fresh)
	wantHead(t, l, 0)
	disk.refuse = true
	through := Head{1, 2}
	if _, err := l.FromSession([]Sealed{first}, Head{}, nil); err == nil {
		t.Fatal("taken by a full disk")
	}
	disk.refuse = false
	if _, err := l.FromSession([]Sealed{second}, Head{}, &through); err != nil {
		t.Fatal(err)
	}
	wantHead(t, l, 0) // the answer's first part is not on disk
	if _, err := l.FromSession([]Sealed{first, second}, Head{}, &through); err != nil {
		t.Fatal(err)
	}
	wantHead(t, l, 2)

	// Where a part of a large batch was written, it is told, so that it runs.
	var many []Sealed
	for n := range uint64(draftCount + 10) {
		many = append(many, order(t, n+3, app(t, Name("x"+Stamp{1, n}.String()[2:]), 1, "all")))
	}
	disk.refuse, disk.after = true, 1
	through.Number = draftCount + 13
	done, err := l.FromSession(many, Head{1, 2}, &through)
	wantKind(t, err, Unable)
	if len(done) != draftCount || len(l.Apps()) != draftCount+2 {
		t.Errorf("%d told, %d held", len(done), len(l.Apps()))
	}
	wantHead(t, l, 2)
}

func TestLargeBatches(t *testing.T) {
	project := bytes.Repeat([]byte("x"), MaxCompose)
	eachStore(t, func(t *testing.T, s *Store) {
		l := ledgerOn(t, s, "line-1")
		var batch []Sealed
		n := uint64(0)
		add := func(size, count int) {
			for range count {
				n++
				fill := app(t, Name("a"+Stamp{0, n}.String()[2:]), 1, "all")
				batch = append(batch, order(t, n, func(o *Order) { fill(o); o.App.Compose = project[:size] }))
			}
		}
		add(MaxCompose, 4) // beyond any transaction, all in all
		add(63<<10, 30)    // stored inline, 1.8 MiB
		add(100, 2000)
		through := Head{1, n}
		done, err := l.FromSession(batch, Head{}, &through)
		if err != nil || len(done) != len(batch) {
			t.Fatalf("%d of %d taken, %v", len(done), len(batch), err)
		}
		wantHead(t, l, n)
		wantSame(t, l, ledgerOn(t, s, "line-1"))
		if o, found, err := l.App("a1"); err != nil || !found || len(o.App.Compose) != MaxCompose {
			t.Errorf("the large one: %v, %v", found, err)
		}
	})
}
