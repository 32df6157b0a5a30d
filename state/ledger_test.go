package state

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
)

func TestIssueIsDurableAndContiguous(t *testing.T) {
	data := t.TempDir()
	s := diskStore(t, data)
	l := ledgerOn(t, s, "plant")
	project := bytes.Repeat([]byte("x"), MaxCompose)
	for n := range uint64(5) {
		fill := app(t, "shop", n+1, "all")
		j, err := l.Issue(rootKey, func(o *Order) { fill(o); o.App.Compose = project },
			&Deployed{Revision: n + 1, Selector: sel(t, "all"), At: when, Compose: project})
		if err != nil {
			t.Fatal(err)
		}
		if j.Order.Stamp != (Stamp{1, n + 1}) || j.Verdict != Fresh || (j.Was == nil) != (n == 0) {
			t.Fatalf("issued %s, %s, instead of %v", j.Order.Stamp, j.Verdict, j.Was)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = diskStore(t, data)
	again := ledgerOn(t, s, "plant")
	wantSame(t, l, again)
	wantHead(t, again, 5)
	if j, err := again.Issue(rootKey, member("plant"), nil); err != nil || j.Order.Stamp.Number != 6 {
		t.Fatalf("issued %s, %v", j.Order.Stamp, err)
	}
	all, err := s.History("shop")
	if err != nil || len(all) != 5 || all[4].Revision != 5 || len(all[4].Compose) != MaxCompose {
		t.Errorf("history: %d deploys, %v", len(all), err)
	}
}

func TestIssueRefuses(t *testing.T) {
	l := issuer(t)
	shop := app(t, "shop", 1, "all")
	for name, try := range map[string]func() (Judged, error){
		"another's key": func() (Judged, error) { return l.Issue(keyOf("mallory"), shop, nil) },
		"nothing":       func() (Judged, error) { return l.Issue(rootKey, func(*Order) {}, nil) },
		"both": func() (Judged, error) {
			return l.Issue(rootKey, func(o *Order) { shop(o); o.Member = &Member{} }, nil)
		},
		"invalid UTF-8": func() (Judged, error) {
			return l.Issue(rootKey, func(o *Order) { shop(o); o.App.App = "\xff" }, nil)
		},
		"too large": func() (Judged, error) {
			return l.Issue(rootKey, func(o *Order) { shop(o); o.App.Compose = make([]byte, MaxCompose+1) }, nil)
		},
		"a stamp of its own": func() (Judged, error) {
			return l.Issue(rootKey, func(o *Order) { shop(o); o.Stamp.Number += 5 }, nil)
		},
		"history of a member": func() (Judged, error) { return l.Issue(rootKey, member("plant"), &Deployed{Revision: 1}) },
	} {
		if j, err := try(); err == nil {
			t.Errorf("%s: issued %+v", name, j.Order)
		}
	}
	wantHead(t, l, 1)
	if len(l.Apps()) != 0 {
		t.Error("half a change")
	}
}

func TestAStampIsNeverGivenTwice(t *testing.T) {
	store := memoryStore(t)
	disk := &failing{keeper: store.keep}
	store.keep = disk
	l := ledgerOn(t, store, "plant")
	issue(t, l, member("plant"))
	disk.refuse = true
	if _, err := l.Issue(rootKey, app(t, "a", 1, "all"), nil); err == nil {
		t.Fatal("accepted by a full disk")
	}
	disk.refuse = false
	// The write that failed may be on disk all the same.
	j, err := l.Issue(rootKey, app(t, "b", 1, "all"), nil)
	if err != nil || j.Order.Stamp != (Stamp{1, 3}) {
		t.Errorf("issued %s, %v", j.Order.Stamp, err)
	}
}

// A gateway that is cut off and starts again must still pass on what it holds.
func TestTheHeadOverHeldOrdersIsOnDisk(t *testing.T) {
	s := memoryStore(t)
	l := ledgerOn(t, s, "line-1")
	gossip(t, l, order(t, 3, app(t, "a", 1, "all")), Fresh)
	gossip(t, l, order(t, 1, member("oven-1")), Foreign)
	gossip(t, l, order(t, 2, member("oven-2")), Foreign)
	wantHead(t, l, 3)
	wantHead(t, ledgerOn(t, s, "line-1"), 3)
}

func TestConcurrentUse(t *testing.T) {
	l := issuer(t, "line-1", "press-1")
	child := ledgerOf(t, "line-1")
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for n := range 25 {
				fill := app(t, Name(fmt.Sprintf("app-%d", g)), uint64(n+1), "all")
				j, err := l.Issue(rootKey, fill, nil)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := child.FromGossip(j.Sealed); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range 25 {
				l.Members()
				l.Apps()
				l.Holding(child.me)
				_, _, err := l.App(Name(fmt.Sprintf("app-%d", g)))
				if err != nil {
					t.Error(err)
				}
				after := child.Head()
				docs, through, err := l.Missing(after, child.me, nil)
				if err != nil {
					t.Error(err)
				}
				if _, err := child.FromSession(docs, after, &through); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	answer(t, l, child)
	wantHead(t, l, 103)
	wantHead(t, child, 103)
	if l.Holding(child.me) != child.Holding(child.me) {
		t.Error("they hold different things")
	}
}

func TestMembersAreTheCallers(t *testing.T) {
	l := issuer(t, "press-1", "line-1")
	l.Members()[0].Name = "changed"
	if got := l.Members(); got[0].Name != "line-1" || got[2].Name != "press-1" {
		t.Errorf("%v", got)
	}
	issue(t, l, func(o *Order) { member("press-1")(o); o.Member.Removed = true })
	if m, found := l.Member(idOf("press-1")); !found || !m.Removed || !l.Members()[2].Removed {
		t.Error("a change does not show")
	}
	if got := l.Named(sel(t, "all,!plant")); len(got) != 1 || got[0].Name != "line-1" {
		t.Errorf("named: %v", got)
	}
}
