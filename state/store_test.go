package state

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestOneProcessAtATime(t *testing.T) {
	data := t.TempDir()
	s := diskStore(t, data)
	_, err := OpenStore(data, nil)
	wantKind(t, err, Taken)
	if !strings.Contains(err.Error(), "pharos run") || !strings.Contains(err.Error(), "--data") {
		t.Errorf("it does not say what to do: %v", err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.PutGroup("a"); err == nil {
		t.Error("a closed store takes a group")
	}
	if _, err := s.Groups(); err == nil {
		t.Error("a closed store has groups")
	}
	if _, err := s.Certificate(); !errors.Is(err, errClosed) {
		t.Errorf("a closed store has a certificate: %v", err)
	}
	diskStore(t, data)
}

func TestAFolderThatCantBeUsed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := OpenStore(file, nil)
	wantKind(t, err, Corrupt)
}

func TestTokensInTheStore(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		_, key := token(t)
		if _, found, err := s.Token(key); found || err != nil {
			t.Fatalf("found %v, %v", found, err)
		}
		want := TokenRecord{
			Key: key, Name: "press-1", Gateway: true, Parent: root, Labels: map[string]string{"a": "b"},
			Expires: when, UsedBy: idOf("press-1"), Issued: Sealed{1, 2},
		}
		if err := s.PutToken(want); err != nil {
			t.Fatal(err)
		}
		got, found, err := s.Token(key)
		if err != nil || !found || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v became %+v, %v", want, got, err)
		}
		_, other := token(t)
		mustPut(t, s, tokenKey(other), []byte("what?"))
		all, err := s.Tokens()
		if err != nil || len(all) != 2 {
			t.Fatalf("one broken token hides the others: %v, %v", all, err)
		}
		for _, r := range all {
			if bytes.Equal(r.Key, other) && (!r.Expires.IsZero() || r.UsedBy != "") {
				t.Errorf("the broken one is %+v", r)
			}
			if err := s.DeleteToken(r.Key); err != nil {
				t.Fatal(err)
			}
		}
		if all, err := s.Tokens(); err != nil || len(all) != 0 {
			t.Errorf("left: %v, %v", all, err)
		}
	})
}

func TestGroupsAndRuns(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		for _, n := range []Name{"b", "a", "c", "a"} {
			if err := errors.Join(s.PutGroup(n), s.PutRuns(n)); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(s.DeleteGroup("c"), s.DeleteGroup("never"), s.DeleteRuns("c")); err != nil {
			t.Fatal(err)
		}
		groups, err := s.Groups()
		if err != nil || !slices.Equal(groups, []Name{"a", "b"}) {
			t.Errorf("groups: %v, %v", groups, err)
		}
		runs, err := s.Runs()
		if err != nil || !reflect.DeepEqual(runs, map[Name]bool{"a": true, "b": true}) {
			t.Errorf("runs: %v, %v", runs, err)
		}
	})
}

func TestHistoryIsInOrder(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		for _, n := range []uint64{2, 300, 1, 17} {
			if err := s.commit(root, nil, Head{1, n}, 0, "shop", &Deployed{Revision: n, Selector: sel(t, "all"), At: when, Compose: []byte("x")}); err != nil {
				t.Fatal(err)
			}
		}
		mustPut(t, s, historyKey("shop", 17), []byte("what?"))
		all, err := s.History("shop")
		if err != nil {
			t.Fatal(err)
		}
		var got []uint64
		for _, d := range all {
			got = append(got, d.Revision)
		}
		if !slices.Equal(got, []uint64{1, 2, 17, 300}) || len(all[2].Compose) != 0 {
			t.Errorf("history: %+v", all)
		}
		if all, err := s.History("sho"); err != nil || len(all) != 0 {
			t.Errorf("another app's history: %v, %v", all, err)
		}
	})
}

func TestSelf(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		if c, err := s.Certificate(); c != nil || err != nil {
			t.Errorf("a certificate from nowhere: %v, %v", c, err)
		}
		if err := errors.Join(s.PutCertificate(Sealed{1}), s.PutListen([]string{"a"}), s.PutParentAddresses([]string{"b", "c"})); err != nil {
			t.Fatal(err)
		}
		c, err1 := s.Certificate()
		l, err2 := s.Listen()
		p, err3 := s.ParentAddresses()
		if err := errors.Join(err1, err2, err3); err != nil || !bytes.Equal(c, []byte{1}) || len(l) != 1 || len(p) != 2 {
			t.Errorf("%v %v %v %v", c, l, p, err)
		}
		mustPut(t, s, "self/listen", []byte("what?"))
		_, err := s.Listen()
		wantKind(t, err, Corrupt)
	})
}

func TestGenerationsRise(t *testing.T) {
	data := t.TempDir()
	var last uint64
	for i := range 4 {
		s := diskStore(t, data)
		for range 3 {
			n, err := s.NextGeneration()
			if err != nil || n <= last {
				t.Fatalf("after %d comes %d, %v", last, n, err)
			}
			last = n
		}
		if i == 2 { // the disk forgets: the clock remembers
			mustPut(t, s, "self/generation", []byte{1})
			last = uint64(time.Now().Unix()) - 1
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// copyOf copies an open store's folder as a power cut would leave it: with
// what was synced.
func copyOf(t testing.TB, data string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(filepath.Join(to, "store"), os.DirFS(filepath.Join(data, "store"))); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(filepath.Join(to, "store", "LOCK"))
	return to
}

func TestWhatIsAcknowledgedSurvivesAKill(t *testing.T) {
	data := t.TempDir()
	l := ledgerOn(t, diskStore(t, data), "plant")
	issue(t, l, member("plant"))
	for n := range 12 {
		fill := app(t, Name(fmt.Sprintf("app-%d", n%5)), uint64(n+1), "all")
		size := []int{10, 60 << 10, MaxCompose}[n%3]
		project := bytes.Repeat([]byte{byte('a' + n)}, size)
		if _, err := l.Issue(rootKey, func(o *Order) { fill(o); o.App.Compose = project }, &Deployed{Revision: uint64(n + 1), Selector: sel(t, "all"), Compose: project}); err != nil {
			t.Fatal(err)
		}
		killed := diskStore(t, copyOf(t, data))
		again := ledgerOn(t, killed, "plant")
		wantSame(t, again, l)
		wantHead(t, again, uint64(n+2))
		o, found, err := again.App(Name(fmt.Sprintf("app-%d", n%5)))
		if err != nil || !found || !bytes.Equal(o.App.Compose, project) {
			t.Fatalf("order %d: found %v, %v", n, found, err)
		}
		if err := killed.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBrokenFiles flips bytes in a store's files. It may refuse to open, or
// open with less in it; it must not panic, nor hold what was never signed, and
// once the parent has answered all is well again.
func TestBrokenFiles(t *testing.T) {
	data := t.TempDir()
	s := diskStore(t, data)
	l := issuer(t, "line-1", "press-1")
	for n := range 20 {
		fill := app(t, Name(fmt.Sprintf("app-%d", n)), 1, "all")
		project := bytes.Repeat([]byte("x"), []int{100, 100 << 10}[n%2])
		issue(t, l, func(o *Order) { fill(o); o.App.Compose = project })
	}
	whole := ledgerOn(t, s, "line-1")
	answer(t, l, whole)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(data, "store", "*"))
	if err != nil {
		t.Fatal(err)
	}
	opened, refused := 0, 0
	for _, file := range files {
		for at := range 6 {
			broken := copyOf(t, data)
			path := filepath.Join(broken, "store", filepath.Base(file))
			b, err := os.ReadFile(path)
			if err != nil || len(b) == 0 {
				continue
			}
			for i := at * len(b) / 6; i < (at*len(b)/6)+max(len(b)/500, 1) && i < len(b); i++ {
				b[i] ^= 0x5a
			}
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := OpenStore(broken, nil)
			if err != nil {
				wantKind(t, err, Corrupt)
				refused++
				continue
			}
			l2, _, err := OpenLedger(s, certOf("line-1"), root)
			if err != nil {
				t.Errorf("%s: %v", filepath.Base(file), err)
			} else {
				opened++
				answer(t, l, l2)
				if l2.Holding(whole.me) != whole.Holding(whole.me) {
					t.Errorf("%s, %d/6: not mended: head %s", filepath.Base(file), at, l2.Head())
				}
			}
			_ = s.Close()
		}
	}
	t.Logf("%d opened and mended, %d refused", opened, refused)
}
