package state

import (
	"bytes"
	"slices"
	"testing"
)

// A damaged disk: what is broken or gone is noticed, asked for again, and lets
// nothing older in.

func TestDamageIsNoticedAndMended(t *testing.T) {
	paint := appKey("paint")
	for name, damage := range map[string]func(t *testing.T, s *Store){
		"document gone": func(t *testing.T, s *Store) { mustDelete(t, s, orderKey(root, paint)) },
		"document broken": func(t *testing.T, s *Store) {
			b, _ := s.get(orderKey(root, paint))
			mustPut(t, s, orderKey(root, paint), flipped(b, 60))
		},
		"document cut off": func(t *testing.T, s *Store) { mustPut(t, s, orderKey(root, paint), []byte{1}) },
		"document is another": func(t *testing.T, s *Store) {
			b, _ := s.get(orderKey(root, appKey("shop")))
			mustPut(t, s, orderKey(root, paint), b)
		},
		"an older one put back": func(t *testing.T, s *Store) {
			mustPut(t, s, orderKey(root, paint), order(t, 4, app(t, "paint", 1, "all")))
		},
		"document and ratchet gone": func(t *testing.T, s *Store) {
			mustDelete(t, s, orderKey(root, paint))
			mustDelete(t, s, ratchetKey(root, paint))
		},
		"document gone, ratchet broken": func(t *testing.T, s *Store) {
			mustDelete(t, s, orderKey(root, paint))
			b, _ := s.get(ratchetKey(root, paint))
			mustPut(t, s, ratchetKey(root, paint), flipped(b, 15))
		},
		"head broken": func(t *testing.T, s *Store) { mustPut(t, s, headKey(root), []byte("what?")) },
		"head gone":   func(t *testing.T, s *Store) { mustDelete(t, s, headKey(root)) },
	} {
		t.Run(name, func(t *testing.T) {
			eachStore(t, func(t *testing.T, s *Store) {
				l := issuer(t, "line-1", "press-1")              // 1 to 3
				old := issue(t, l, app(t, "paint", 1, "all"))    // 4
				newest := issue(t, l, app(t, "paint", 2, "all")) // 5
				issue(t, l, app(t, "shop", 1, "tier:line-1"))    // 6
				whole := ledgerOn(t, s, "press-1")
				answer(t, l, whole)
				damage(t, s)

				broken, damaged, err := OpenLedger(s, certOf("press-1"), root)
				if err != nil {
					t.Fatal(err)
				}
				if broken.Head().Number >= 5 {
					t.Fatalf("the head is %s, damaged %q", broken.Head(), damaged)
				}
				if _, lost := broken.entries[paint]; lost && broken.entries[paint].missing {
					if !slices.Equal(damaged, []string{paint}) {
						t.Errorf("damaged: %q", damaged)
					}
					gossip(t, broken, old, Stale) // the ratchet holds without the document
					if got := runsOf(t, broken, "paint", "shop"); !slices.Equal(got, []string{"shop 1 run"}) {
						t.Errorf("while it is lost it runs %v", got) // paint is left as it is
					}
					if !slices.Contains(broken.Holds(), paint) {
						t.Error("it does not tell the parent that it had the app")
					}
				}
				answer(t, l, broken)
				wantSame(t, broken, whole)
				wantHead(t, broken, 6)
				gossip(t, broken, newest, Duplicate)
				gossip(t, broken, old, Stale)
				wantSame(t, ledgerOn(t, s, "press-1"), whole)
			})
		})
	}
}

func TestDamagedRatchetsAreMadeAgain(t *testing.T) {
	s := memoryStore(t)
	l := ledgerOn(t, s, "line-1")
	gossip(t, l, order(t, 1, app(t, "a", 1, "all")), Fresh)
	mustPut(t, s, ratchetKey(root, appKey("a")), []byte("what?"))
	wantSame(t, ledgerOn(t, s, "line-1"), l)
}

func TestTheRootNeverGivesAStampTwice(t *testing.T) {
	for name, damage := range map[string]func(s *Store){
		"a document": func(s *Store) { mustDelete(t, s, orderKey(root, appKey("a"))) },
		"the head":   func(s *Store) { mustDelete(t, s, headKey(root)) },
		"both": func(s *Store) {
			mustDelete(t, s, orderKey(root, appKey("a")))
			mustPut(t, s, headKey(root), []byte{0})
		},
	} {
		s := memoryStore(t)
		l := ledgerOn(t, s, "plant")
		issue(t, l, member("plant"))
		issue(t, l, app(t, "a", 1, "all"))
		issue(t, l, app(t, "b", 1, "all"))
		damage(s)
		l, _, err := OpenLedger(s, certOf("plant"), root)
		if err != nil {
			t.Fatal(err)
		}
		wantHead(t, l, 3)
		j, err := l.Issue(rootKey, app(t, "a", 2, "all"), nil)
		if err != nil || j.Order.Stamp.Number != 4 {
			t.Errorf("%s lost: issued %s, %v", name, j.Order.Stamp, err)
		}
	}
}

// What breaks while the ledger is open is noticed when it is read.
func TestDamageWhileRunning(t *testing.T) {
	s := memoryStore(t)
	l := issuer(t, "line-1", "press-1")
	issue(t, l, app(t, "a", 1, "all"))
	issue(t, l, app(t, "b", 1, "all"))
	line := ledgerOn(t, s, "line-1")
	answer(t, l, line)
	b, _ := s.get(orderKey(root, appKey("a")))
	mustPut(t, s, orderKey(root, appKey("a")), flipped(b, len(b)/2))
	docs, through, err := line.Missing(Head{}, certOf("press-1"), nil)
	if err != nil || through.Number != 3 {
		t.Errorf("a child is told through %s (%d documents), %v", through, len(docs), err)
	}
	if got := runsOf(t, line, "a"); !slices.Equal(got, []string{"b 1 run"}) {
		t.Errorf("it runs %v", got)
	}
	if _, found, err := line.App("a"); found || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
	answer(t, l, line)
	wantHead(t, line, 5)
	if o, found, err := line.App("a"); err != nil || !found || !bytes.Equal(o.App.Compose, []byte("a 1")) {
		t.Errorf("%v, %v", found, err)
	}
	// A ledger whose store is closed says so, and does not call it damage.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := line.Missing(Head{}, certOf("press-1"), nil); err == nil {
		t.Error("a closed store has documents")
	}
	if _, err := line.FromGossip(order(t, 6, app(t, "c", 1, "all"))); err == nil {
		t.Error("a closed store takes orders")
	}
	wantHead(t, line, 5)
}

func mustPut(t testing.TB, s *Store, key string, value []byte) {
	t.Helper()
	if err := s.put(key, value); err != nil {
		t.Fatal(err)
	}
}

func mustDelete(t testing.TB, s *Store, key string) {
	t.Helper()
	if err := s.delete(key); err != nil {
		t.Fatal(err)
	}
}
