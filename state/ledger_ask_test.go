package state

import (
	"fmt"
	"slices"
	"testing"
)

func keysIn(t testing.TB, docs []Sealed) []string {
	t.Helper()
	out := []string{}
	for _, d := range docs {
		o, err := OpenOrder(d, root)
		if err != nil {
			t.Fatal(err)
		}
		name := o.Key()
		if o.Member != nil {
			name = string(o.Member.Name)
		}
		out = append(out, fmt.Sprintf("%d %s", o.Stamp.Number, name))
	}
	return out
}

func TestMissing(t *testing.T) {
	l := issuer(t, "line-1", "line-2", "press-1", "oven-1") // 1 to 5
	issue(t, l, app(t, "everywhere", 1, "all"))             // 6
	issue(t, l, app(t, "paint", 1, "group:painting"))       // 7
	issue(t, l, app(t, "oven", 1, "tier:line-2"))           // 8
	issue(t, l, app(t, "everywhere", 2, "all"))             // 9
	issue(t, l, member("press-1", "painting"))              // 10
	issue(t, l, app(t, "oven", 2, "oven-1"))                // 11
	for _, c := range []struct {
		name  string
		after uint64
		child Name
		holds []string
		want  []string
	}{
		{"a gateway, all", 0, "line-1", nil, []string{"2 line-1", "7 app/paint", "9 app/everywhere", "10 press-1", "11 app/oven"}},
		{"a gateway, the newest", 9, "line-2", nil, []string{"11 app/oven"}},
		{"a gateway that is current", 11, "line-2", nil, []string{}},
		{"a cell, all", 0, "press-1", nil, []string{"10 press-1", "7 app/paint", "9 app/everywhere"}},
		{"a cell that joined a group gets older orders", 9, "press-1", nil, []string{"10 press-1", "7 app/paint", "9 app/everywhere"}},
		{"a cell that has its document", 10, "press-1", nil, []string{}},
		{"a cell that holds what names it no more", 10, "press-1", []string{"app/oven"}, []string{"11 app/oven"}},
		{"the other cell", 5, "oven-1", nil, []string{"9 app/everywhere", "11 app/oven"}},
		{"a cell that nobody knows yet", 0, "press-2", nil, []string{}},
	} {
		after := Head{1, c.after}
		docs, through, err := l.Missing(after, certOf(c.child), func(key string) bool { return slices.Contains(c.holds, key) })
		if err != nil || through != l.Head() {
			t.Fatalf("%s: through %s, %v", c.name, through, err)
		}
		if got := keysIn(t, docs); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestMissingNeverTellsWhatIsAheadOfTheHead(t *testing.T) {
	l := ledgerOf(t, "line-1")
	gossip(t, l, order(t, 1, app(t, "a", 1, "all")), Fresh)
	gossip(t, l, order(t, 3, app(t, "c", 1, "all")), Fresh)
	docs, through, err := l.Missing(Head{}, certOf("press-1"), func(string) bool { return true })
	if err != nil || through.Number != 1 || len(docs) != 1 {
		t.Errorf("%v through %s, %v", keysIn(t, docs), through, err)
	}
}

func TestAssignments(t *testing.T) {
	l := issuer(t, "line-1", "press-1")
	cell := ledgerOf(t, "press-1")
	if _, known, err := cell.Assignments(map[Name]bool{"shop": true}); known || err != nil {
		t.Fatalf("a cell that does not know itself: known %v, %v", known, err)
	}
	expect := func(what string, want []string, runs ...Name) {
		t.Helper()
		answer(t, l, cell)
		if got := runsOf(t, cell, runs...); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
		if l.Holding(cell.me) != cell.Holding(cell.me) {
			t.Errorf("%s: parent and cell don't hold the same", what)
		}
	}
	issue(t, l, app(t, "shop", 1, "tier:line-1"))
	issue(t, l, app(t, "paint", 1, "group:painting"))
	issue(t, l, app(t, "other", 1, "line-1"))
	expect("named", []string{"shop 1 run"})
	issue(t, l, member("press-1", "painting"))
	expect("it joined a group", []string{"paint 1 run", "shop 1 run"}, "shop")
	issue(t, l, wanting(Stopped, app(t, "shop", 1, "tier:line-1")))
	expect("stopped", []string{"paint 1 run", "shop 1 stopped"}, "shop", "paint")
	issue(t, l, member("press-1"))
	expect("it left the group", []string{"paint 1 gone", "shop 1 stopped"}, "shop", "paint")
	expect("what was never here is nothing", []string{"shop 1 stopped"}, "shop")
	issue(t, l, app(t, "shop", 2, "line-1"))
	expect("named no more", []string{"shop 2 gone"}, "shop")
	issue(t, l, app(t, "shop", 3, "all"))
	expect("named again", []string{"shop 3 run"}, "shop")
	issue(t, l, wanting(Gone, func(o *Order) { app(t, "shop", 3, "all")(o); o.App.Compose = nil }))
	expect("gone", []string{"shop 3 gone"}, "shop")
}

func TestRemovedNodeKeepsItsApps(t *testing.T) {
	l := issuer(t, "line-1", "press-1")
	cell := ledgerOf(t, "press-1")
	issue(t, l, app(t, "shop", 1, "all"))
	answer(t, l, cell)
	issue(t, l, func(o *Order) { member("press-1")(o); o.Member.Removed = true })
	answer(t, l, cell)
	if self, known := cell.Self(); !known || !self.Removed {
		t.Fatal("it does not know that it was removed")
	}
	if got := runsOf(t, cell, "shop"); !slices.Equal(got, []string{"shop 1 run"}) {
		t.Errorf("it runs %v", got)
	}
}
